// Values rounded to another type, 16 bytes a thread.
#pragma once

#include "cuda/launch.cuh"
#include "cuda/scalar.cuh"
#include "detrack/ops/cast.hpp"

namespace detrack::cuda {

/// Packs of kCount elements, and one by one the elements after the last whole pack.
template <class T, int kCount>
struct CastPacks {
  Cast<T> op;
  __device__ void operator()(std::int64_t i) const {
    const std::int64_t packs = op.x.extent(0) / kCount;
    if (i < packs)
      step<kCount>(i * kCount);
    else
      step<1>(packs * kCount + (i - packs));
  }

 private:
  template <int kElements>
  __device__ void step(std::int64_t first) const {
    float values[kElements];
    load_floats(values, op.x.data() + first);
    store_floats(op.y.data() + first, values);
  }
};

template <class T>
void run(Stream& stream, const Cast<T>& op) {
  constexpr int kCount = kPack<float>;
  const std::int64_t n = op.x.extent(0), whole = n / kCount * kCount;
  if (packable<kCount>(op.x.slice(0, 0, whole), op.y.slice(0, 0, whole)))
    for_each(stream, n / kCount + n % kCount, CastPacks<T, kCount>{op});
  else
    for_each(stream, n, CastPacks<T, 1>{op});
}

}  // namespace detrack::cuda
