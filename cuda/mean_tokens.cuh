// Mean over the few tokens of each sample and its gradient, 16 bytes a thread.
#pragma once

#include "cuda/launch.cuh"
#include "cuda/scalar.cuh"
#include "detrack/ops/mean_tokens.hpp"

namespace detrack::cuda {

template <class T, int kCount>
struct MeanOfTokens {
  View<const T> x;
  View<T> y;
  __device__ void operator()(std::int64_t i) const {
    const std::int64_t per_row = y.extent(1) / kCount, b = i / per_row, c = i % per_row * kCount;
    float sum[kCount] = {}, values[kCount];
#pragma unroll 4
    for (std::int64_t n = 0; n < x.extent(1); ++n) {
      load_floats(values, &x(b, n, c));
#pragma unroll
      for (int k = 0; k < kCount; ++k) sum[k] += values[k];
    }
#pragma unroll
    for (float& value : sum) value /= static_cast<float>(x.extent(1));
    store_floats(&y(b, c), sum);
  }
};

template <class T, int kCount>
struct ShareAmongTokens {
  View<const T> dy;
  View<T> dx;
  __device__ void operator()(std::int64_t i) const {
    const std::int64_t per_row = dy.extent(1) / kCount, token = i / per_row, c = i % per_row * kCount;
    const std::int64_t b = token / dx.extent(1), n = token % dx.extent(1);
    float values[kCount];
    load_floats(values, &dy(b, c));
#pragma unroll
    for (float& value : values) value /= static_cast<float>(dx.extent(1));
    store_floats(&dx(b, n, c), values);
  }
};

template <class T>
void run(Stream& stream, const MeanTokensForward<T>& op) {
  constexpr int kCount = kPack<T>;
  const std::int64_t count = op.x.extent(0) * op.x.extent(2);
  if (packable<kCount>(op.x) && packable<kCount>(op.y))
    for_each(stream, count / kCount, MeanOfTokens<T, kCount>{op.x, op.y});
  else
    for_each(stream, count, MeanOfTokens<T, 1>{op.x, op.y});
}

template <class T>
void run(Stream& stream, const MeanTokensBackward<T>& op) {
  constexpr int kCount = kPack<T>;
  if (packable<kCount>(op.dy) && packable<kCount>(op.dx))
    for_each(stream, op.dx.numel() / kCount, ShareAmongTokens<T, kCount>{op.dy, op.dx});
  else
    for_each(stream, op.dx.numel(), ShareAmongTokens<T, 1>{op.dy, op.dx});
}

}  // namespace detrack::cuda
