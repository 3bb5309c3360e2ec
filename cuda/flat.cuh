// Walking flat buffers: whole packs of elements, and one by one the elements after the last whole pack.
#pragma once

#include "cuda/launch.cuh"
#include "cuda/scalar.cuh"

namespace detrack::cuda {

/// Whether the whole packs of flat views may be read and written kCount elements at a time. An absent view may.
template <int kCount, class... X>
bool packable_flat(const View<X>&... views) {
  const auto fits = [](const auto& view) {
    return !view || packable<kCount>(view.slice(0, 0, view.extent(0) / kCount * kCount));
  };
  return (fits(views) && ...);
}

template <int kCount, class F>
struct FlatPacks {
  std::int64_t count;
  F f;
  __device__ void operator()(std::int64_t i) const {
    const std::int64_t packs = count / kCount;
    if (i < packs)
      f.template step<kCount>(i * kCount);
    else
      f.template step<1>(packs * kCount + (i - packs));
  }
};

/// Calls f.step<n>(first) for n elements from `first` on, until all `count` are done: n is kCount in whole packs if `packs`,
/// otherwise 1. In no order; step is a __device__ member template.
template <int kCount, class F>
void for_each_flat(const Stream& stream, bool packs, std::int64_t count, const F& f) {
  if (packs)
    for_each(stream, count / kCount + count % kCount, FlatPacks<kCount, F>{count, f});
  else
    for_each(stream, count, FlatPacks<1, F>{count, f});
}

}  // namespace detrack::cuda
