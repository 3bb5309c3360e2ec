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

template <class T>
void run(Stream& stream, const Add<T>& op) {
  const Walk walk{op.y.shape()};
  const auto alpha = static_cast<float>(op.alpha), beta = static_cast<float>(op.beta);
  for_each_pack<kPack<T>>(stream, packable<kPack<T>>(op.a, op.b, op.y), op.y.numel(),
                          [&](auto n) { return AddElements<T, decltype(n)::value>{walk, alpha, beta, op.a, op.b, op.y}; });
}

template <class T>
void run(Stream& stream, const Fill<T>& op) {
  for_each_pack<kPack<T>>(stream, packable<kPack<T>>(op.y), op.y.numel(), [&](auto n) {
    return FillElements<T, decltype(n)::value>{Walk{op.y.shape()}, static_cast<float>(op.value), op.y};
  });
}

}  // namespace detrack::cuda
