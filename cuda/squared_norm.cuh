// The sum of squares of a flat buffer, in double: a fixed number of blocks, and one more that adds up their sums.
#pragma once

#include "cuda/flat.cuh"
#include "cuda/reduce.cuh"
#include "detrack/ops/squared_norm.hpp"

namespace detrack::cuda {

inline constexpr int kNormBlocks = 512, kNormThreads = 256;

/// Packs of kCount elements, and one by one the elements after the last whole pack.
template <class T, int kCount>
__global__ void __launch_bounds__(kNormThreads) sum_squares(View<const T> x, double* partial) {
  constexpr std::int64_t kStep = kNormBlocks * kNormThreads;
  const std::int64_t packs = x.extent(0) / kCount;
  const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * kNormThreads + threadIdx.x;
  double sum = 0;
#pragma unroll 4
  for (std::int64_t i = thread; i < packs; i += kStep) {
    float values[kCount];
    load_floats(values, x.data() + i * kCount);
#pragma unroll
    for (const float value : values) sum += static_cast<double>(value) * static_cast<double>(value);
  }
  if (const std::int64_t i = packs * kCount + thread; i < x.extent(0)) {
    const double value = to_float(x.data()[i]);
    sum += value * value;
  }
  sum = reduce_block<Sum>(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

template <int kThreads>
__global__ void __launch_bounds__(kThreads) add_squares(const double* partial, double* y) {
  const double sum = reduce_block<Sum>(partial[threadIdx.x]);
  if (threadIdx.x == 0) *y = sum;
}

template <class T>
void run(Stream& stream, const SquaredNorm<T>& op) {
  constexpr int kCount = kPack<T>;
  auto* const partial = static_cast<double*>(stream.scratch(kNormBlocks * sizeof(double)));
  const bool packs = packable_flat<kCount>(op.x);
  launch(stream, packs ? sum_squares<T, kCount> : sum_squares<T, 1>, {dim3(kNormBlocks), dim3(kNormThreads)}, op.x, partial);
  launch(stream, add_squares<kNormBlocks>, {dim3(1), dim3(kNormBlocks)}, partial, op.y.data());
}

}  // namespace detrack::cuda
