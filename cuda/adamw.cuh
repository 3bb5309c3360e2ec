// The AdamW step in one sweep over its buffers, 16 bytes of each moment a thread.
#pragma once

#include "cuda/flat.cuh"
#include "detrack/ops/adamw.hpp"

namespace detrack::cuda {

template <class T>
struct AdamWStep {
  View<float> value;
  View<const T> gradient;
  View<float> m, v;
  View<T> rounded;
  View<float> average;
  View<const float> factors;
  float beta1, rest1, beta2, rest2, per_correction1, per_correction2, eps, lr, weight_decay, gradient_scale;
  float average_decay, average_rest;

  template <int kElements>
  __device__ void step(std::int64_t first) const {
    float rate = lr, shrink = weight_decay;
    if (factors) rate *= factors(0, first / AdamW<T>::kUnit), shrink *= factors(1, first / AdamW<T>::kUnit);
    float x[kElements], g[kElements], m1[kElements], v1[kElements];
    load_floats(x, value.data() + first);
    load_floats(g, gradient.data() + first);
    load_floats(m1, m.data() + first);
    load_floats(v1, v.data() + first);
#pragma unroll
    for (int k = 0; k < kElements; ++k) {
      const float scaled = gradient_scale * g[k];
      m1[k] = beta1 * m1[k] + rest1 * scaled;
      v1[k] = beta2 * v1[k] + rest2 * scaled * scaled;
      x[k] -= rate * (shrink * x[k] + m1[k] * per_correction1 / (sqrtf(v1[k] * per_correction2) + eps));
    }
    store_floats(m.data() + first, m1);
    store_floats(v.data() + first, v1);
    store_floats(value.data() + first, x);
    if (rounded) store_floats(rounded.data() + first, x);
    if (!average) return;
    float mean[kElements];
    load_floats(mean, average.data() + first);
#pragma unroll
    for (int k = 0; k < kElements; ++k) mean[k] = average_decay * mean[k] + average_rest * x[k];
    store_floats(average.data() + first, mean);
  }
};

template <class T>
void run(Stream& stream, const AdamW<T>& op) {
  constexpr int kCount = kPack<float>;
  const auto number = [](double x) { return static_cast<float>(x); };
  for_each_flat<kCount>(
      stream, packable_flat<kCount>(op.value, op.gradient, op.m, op.v, op.rounded, op.average), op.value.extent(0),
      AdamWStep<T>{op.value, op.gradient, op.m, op.v, op.rounded, op.average, op.factors, number(op.beta1),
                   number(1 - op.beta1), number(op.beta2), number(1 - op.beta2), number(1 / op.correction1),
                   number(1 / op.correction2), number(op.eps), number(op.lr), number(op.weight_decay),
                   number(op.gradient_scale), number(op.average_decay), number(1 - op.average_decay)});
}

}  // namespace detrack::cuda
