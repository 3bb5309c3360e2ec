// Weighted sums, copies and fills of views of any rank and strides.
#pragma once

#include "cuda/launch.cuh"
#include "cuda/scalar.cuh"
#include "detrack/ops/add.hpp"

namespace detrack::cuda {

/// Offsets of element i, row-major, in views of one shape.
struct Walk {
  Shape shape;
  template <class X>
  __device__ X* at(const View<X>& view, std::int64_t i) const {
    X* element = view.data();
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      element += i % shape[axis] * view.stride(axis);
      i /= shape[axis];
    }
    return element;
  }
};

/// kCount elements along the last axis at a time: the walk counts packs.
template <class T, int kCount>
struct AddElements {
  Walk walk;
  float alpha, beta;
  View<const T> a, b;
  View<T> y;
  __device__ void operator()(std::int64_t i) const {
    float sum[kCount], other[kCount];
    load_floats(sum, walk.at(a, i * kCount));
#pragma unroll
    for (float& value : sum) value *= alpha;
    if (b) {
      load_floats(other, walk.at(b, i * kCount));
#pragma unroll
      for (int k = 0; k < kCount; ++k) sum[k] += beta * other[k];
    }
    store_floats(walk.at(y, i * kCount), sum);
  }
};

template <class T, int kCount>
struct FillElements {
  Walk walk;
  float value;
  View<T> y;
  __device__ void operator()(std::int64_t i) const {
    float values[kCount];
#pragma unroll
    for (float& v : values) v = value;
    store_floats(walk.at(y, i * kCount), values);
  }
};

/// Whether the last axis is contiguous and packs of it are aligned.
template <int kCount, class X>
bool packable_any_stride(const View<X>& view) {
  return !view || (view.rank() > 0 && view.stride(view.rank() - 1) == 1 && packable<kCount>(view));
}

template <class T>
void run(Stream& stream, const Add<T>& op) {
  constexpr int kCount = kPack<T>;
  const Walk walk{op.y.shape()};
  const auto alpha = static_cast<float>(op.alpha), beta = static_cast<float>(op.beta);
  if (packable_any_stride<kCount>(op.a) && packable_any_stride<kCount>(op.b) && packable_any_stride<kCount>(op.y))
    for_each(stream, op.y.numel() / kCount, AddElements<T, kCount>{walk, alpha, beta, op.a, op.b, op.y});
  else
    for_each(stream, op.y.numel(), AddElements<T, 1>{walk, alpha, beta, op.a, op.b, op.y});
}

template <class T>
void run(Stream& stream, const Fill<T>& op) {
  constexpr int kCount = kPack<T>;
  const Walk walk{op.y.shape()};
  const auto value = static_cast<float>(op.value);
  if (packable_any_stride<kCount>(op.y))
    for_each(stream, op.y.numel() / kCount, FillElements<T, kCount>{walk, value, op.y});
  else
    for_each(stream, op.y.numel(), FillElements<T, 1>{walk, value, op.y});
}

}  // namespace detrack::cuda
