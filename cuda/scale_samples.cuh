// Each sample times a factor of its own, 16 bytes a thread.
#pragma once

#include "cuda/launch.cuh"
#include "cuda/scalar.cuh"
#include "detrack/ops/scale_samples.hpp"

namespace detrack::cuda {

template <class T, int kCount>
struct ScalePacks {
  ScaleSamples<T> op;
  __device__ void operator()(std::int64_t i) const {
    const std::int64_t per_row = op.x.extent(2) / kCount, token = i / per_row, c = i % per_row * kCount;
    const std::int64_t b = token / op.x.extent(1), n = token % op.x.extent(1);
    const float scale = op.scale(b);
    float values[kCount], past[kCount] = {};
    load_floats(values, &op.x(b, n, c));
    if (op.residual) load_floats(past, &op.residual(b, n, c));
#pragma unroll
    for (int k = 0; k < kCount; ++k) values[k] = past[k] + scale * values[k];
    store_floats(&op.y(b, n, c), values);
  }
};

template <class T>
void run(Stream& stream, const ScaleSamples<T>& op) {
  constexpr int kCount = kPack<T>;
  if (packable<kCount>(op.x) && packable<kCount>(op.residual) && packable<kCount>(op.y))
    for_each(stream, op.x.numel() / kCount, ScalePacks<T, kCount>{op});
  else
    for_each(stream, op.x.numel(), ScalePacks<T, 1>{op});
}

}  // namespace detrack::cuda
