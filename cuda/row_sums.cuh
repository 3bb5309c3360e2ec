// Sums over many rows, column by column: the warps of a block share the rows, and blocks that share them with one another
// leave partial sums in scratch memory for a second pass. Who adds what, and in which order, is fixed by shape and device.
#pragma once

#include "cuda/launch.cuh"
#include "cuda/reduce.cuh"
#include "cuda/scalar.cuh"

namespace detrack::cuda {

inline constexpr int kSumWarps = 8, kSumThreads = kSumWarps * kWarpSize;

/// A lane sums F::kCount neighbouring columns, a pack, over the rows of its block's strip: f.load(x, pack, row) reads them,
/// f.store(pack, strip, sum) takes the sum.
template <class F>
__global__ void __launch_bounds__(kSumThreads) sum_rows_kernel(std::int64_t packs, std::int64_t rows, F f) {
  constexpr int kCount = F::kCount;
  __shared__ Pack<float, kCount> partial[kSumWarps][kWarpSize];
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  const std::int64_t pack = static_cast<std::int64_t>(blockIdx.x) * kWarpSize + lane;
  const std::int64_t strip = blockIdx.y, begin = rows * strip / gridDim.y, end = rows * (strip + 1) / gridDim.y;
  float sum[kCount] = {}, x[kCount];
  if (pack < packs) {
#pragma unroll 4
    for (std::int64_t row = begin + warp; row < end; row += kSumWarps) {
      f.load(x, pack, row);
#pragma unroll
      for (int k = 0; k < kCount; ++k) sum[k] += x[k];
    }
  }
  store_floats(partial[warp][lane].values, sum);
  __syncthreads();
  if (warp > 0 || pack >= packs) return;
  for (int other = 1; other < kSumWarps; ++other) {
    load_floats(x, partial[other][lane].values);
#pragma unroll
    for (int k = 0; k < kCount; ++k) sum[k] += x[k];
  }
  f.store(pack, strip, sum);
}

template <class F>
void sum_rows(const Stream& stream, std::int64_t packs, std::int64_t rows, std::int64_t strips, const F& f) {
  launch(stream, sum_rows_kernel<F>, {dim3(blocks_for(packs, kWarpSize), static_cast<unsigned>(strips)), dim3(kSumThreads)},
         packs, rows, f);
}

/// Strips that fill the device, each long enough to be worth a second pass.
inline std::int64_t strips_for(const Stream& stream, std::int64_t packs, std::int64_t rows) {
  const std::int64_t blocks = std::max<std::int64_t>((packs + kWarpSize - 1) / kWarpSize, 1);
  return std::clamp<std::int64_t>(std::min(rows / (4 * kSumWarps), 4 * stream.multiprocessors() / blocks), 1, 65535);
}

/// The second pass: *out(column) += the sum of a column of partial (strips, width).
template <class Out>
struct AddPartialSums {
  static constexpr int kCount = 1;
  const float* partial;
  std::int64_t width;
  Out out;
  __device__ void load(float (&x)[1], std::int64_t column, std::int64_t strip) const {
    x[0] = partial[strip * width + column];
  }
  __device__ void store(std::int64_t column, std::int64_t, const float (&sum)[1]) const {
    auto* const y = out(column);
    float value[1];
    load_floats(value, y);
    value[0] += sum[0];
    store_floats(y, value);
  }
};

template <class Out>
void add_partial_sums(const Stream& stream, const float* partial, std::int64_t strips, std::int64_t width, const Out& out) {
  sum_rows(stream, width, strips, 1, AddPartialSums<Out>{partial, width, out});
}

}  // namespace detrack::cuda
