// Activations and their gradients, elementwise, 16 bytes a thread where rows allow it.
#pragma once

#include "cuda/launch.cuh"
#include "cuda/scalar.cuh"
#include "detrack/ops/activation.hpp"

namespace detrack::cuda {

/// f(x)
__device__ inline float activate(Activation kind, float x) {
  switch (kind) {
    case Activation::identity: return x;
    case Activation::relu: return x > 0 ? x : 0.0f;
    case Activation::gelu: return 0.5f * x * (1.0f + erff(x * 0.70710678f));
    case Activation::sigmoid: return 1.0f / (1.0f + expf(-x));
  }
  return x;
}

/// f'(x)
__device__ inline float activation_slope(Activation kind, float x) {
  switch (kind) {
    case Activation::identity: return 1.0f;
    case Activation::relu: return x > 0 ? 1.0f : 0.0f;
    case Activation::gelu: {
      const float distribution = 0.5f * (1.0f + erff(x * 0.70710678f));
      return distribution + x * 0.39894228f * expf(-0.5f * x * x);
    }
    case Activation::sigmoid: {
      const float y = 1.0f / (1.0f + expf(-x));
      return y * (1.0f - y);
    }
  }
  return 1.0f;
}

/// kCount elements of one row at a time.
template <class T, int kCount>
struct ActivateRows {
  Activation kind;
  View<const T> x;
  View<T> y;
  __device__ void operator()(std::int64_t i) const {
    const std::int64_t per_row = x.extent(1) / kCount, r = i / per_row, c = i % per_row * kCount;
    float values[kCount];
    load_floats(values, &x(r, c));
#pragma unroll
    for (float& value : values) value = activate(kind, value);
    store_floats(&y(r, c), values);
  }
};

template <class T, int kCount>
struct ActivateRowsBackward {
  Activation kind;
  View<const T> x, dy;
  View<T> dx;
  __device__ void operator()(std::int64_t i) const {
    const std::int64_t per_row = x.extent(1) / kCount, r = i / per_row, c = i % per_row * kCount;
    float inputs[kCount], gradients[kCount];
    load_floats(inputs, &x(r, c));
    load_floats(gradients, &dy(r, c));
#pragma unroll
    for (int k = 0; k < kCount; ++k) gradients[k] *= activation_slope(kind, inputs[k]);
    store_floats(&dx(r, c), gradients);
  }
};

template <class T>
void run(Stream& stream, const ActivationForward<T>& op) {
  constexpr int kCount = kPack<T>;
  if (packable<kCount>(op.x) && packable<kCount>(op.y))
    for_each(stream, op.x.numel() / kCount, ActivateRows<T, kCount>{op.kind, op.x, op.y});
  else
    for_each(stream, op.x.numel(), ActivateRows<T, 1>{op.kind, op.x, op.y});
}

template <class T>
void run(Stream& stream, const ActivationBackward<T>& op) {
  constexpr int kCount = kPack<T>;
  if (packable<kCount>(op.x) && packable<kCount>(op.dy) && packable<kCount>(op.dx))
    for_each(stream, op.x.numel() / kCount, ActivateRowsBackward<T, kCount>{op.kind, op.x, op.dy, op.dx});
  else
    for_each(stream, op.x.numel(), ActivateRowsBackward<T, 1>{op.kind, op.x, op.dy, op.dx});
}

}  // namespace detrack::cuda
