// Sums over many rows, column by column: the warps of a block share the rows, and blocks that share them with one another
// leave partial sums in scratch memory for a second pass. Who adds what, and in which order, is fixed by the shape.
#pragma once

#include "cuda/launch.cuh"
#include "cuda/reduce.cuh"
#include "cuda/scalar.cuh"

namespace detrack::cuda {

inline constexpr int kSumWarps = 8, kSumThreads = kSumWarps * kWarpSize;

/// Takes the sums of kCount neighbouring columns over a strip of rows: into partial (strips, width) or, where that is null
/// and there is one strip, alpha times into the result, whose column c is *out(c).
template <class Out, int kCount>
struct SumTaker {
  Out out;
  float alpha;
  float* partial;
  std::int64_t width;
  __device__ void operator()(std::int64_t column, std::int64_t strip, const float (&sum)[kCount]) const {
    if (partial) return store_floats(partial + strip * width + column, sum);
    float values[kCount];
    load_floats(values, out(column));
#pragma unroll
    for (int k = 0; k < kCount; ++k) values[k] += alpha * sum[k];
    store_floats(out(column), values);
  }
};

/// A lane sums Rows::kCount neighbouring columns over the rows of its block's strip; rows.load(x, column, row) reads them.
template <class Rows, class Take>
__global__ void __launch_bounds__(kSumThreads)
    sum_rows_by_strips(std::int64_t width, std::int64_t count, Rows rows, Take take) {
  constexpr int kCount = Rows::kCount;
  __shared__ Pack<float, kCount> partial[kSumWarps][kWarpSize];
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  const std::int64_t column = (static_cast<std::int64_t>(blockIdx.x) * kWarpSize + lane) * kCount;
  const std::int64_t strip = blockIdx.y, begin = count * strip / gridDim.y, end = count * (strip + 1) / gridDim.y;
  float sum[kCount] = {}, x[kCount];
  if (column < width) {
#pragma unroll 4
    for (std::int64_t row = begin + warp; row < end; row += kSumWarps) {
      rows.load(x, column, row);
#pragma unroll
      for (int k = 0; k < kCount; ++k) sum[k] += x[k];
    }
  }
  store_floats(partial[warp][lane].values, sum);
  __syncthreads();
  if (warp > 0 || column >= width) return;
  for (int other = 1; other < kSumWarps; ++other) {
    load_floats(x, partial[other][lane].values);
#pragma unroll
    for (int k = 0; k < kCount; ++k) sum[k] += x[k];
  }
  take(column, strip, sum);
}

template <class Rows, class Out>
void sum_strips(const Stream& stream, std::int64_t width, std::int64_t count, std::int64_t strips, const Rows& rows,
                const SumTaker<Out, Rows::kCount>& take) {
  launch(stream, sum_rows_by_strips<Rows, SumTaker<Out, Rows::kCount>>,
         {dim3(blocks_for(width, kWarpSize * Rows::kCount), static_cast<unsigned>(strips)), dim3(kSumThreads)}, width, count,
         rows, take);
}

/// Rows of a matrix without gaps.
struct PackedRows {
  static constexpr int kCount = 1;
  const float* data;
  std::int64_t width;
  __device__ void load(float (&x)[1], std::int64_t column, std::int64_t row) const { x[0] = data[row * width + column]; }
};

/// *out(c) += alpha times the sum of column c of partial (strips, width): the second pass.
template <class Out>
void add_partial_sums(const Stream& stream, const float* partial, std::int64_t strips, std::int64_t width, float alpha,
                      const Out& out) {
  sum_strips(stream, width, strips, 1, PackedRows{partial, width}, SumTaker<Out, 1>{out, alpha, nullptr, width});
}

/// *out(c) += alpha times the sum of column c of `count` rows of `width` columns, a multiple of Rows::kCount; out(c) must be
/// aligned to that many elements where c is. Errors: cuda, out_of_memory.
template <class Rows, class Out>
void add_row_sums(Stream& stream, std::int64_t width, std::int64_t count, const Rows& rows, float alpha, const Out& out) {
  if (width == 0 || count == 0) return;
  // Strips that fill a device, whichever it is, each long enough to be worth a second pass.
  constexpr std::int64_t kBlocks = 512, kRows = 4 * kSumWarps;
  const std::int64_t strips = std::max<std::int64_t>(
      std::min(count / kRows, kBlocks / static_cast<std::int64_t>(blocks_for(width, kWarpSize * Rows::kCount))), 1);
  float* partial = nullptr;
  if (strips > 1) partial = static_cast<float*>(stream.scratch(static_cast<std::size_t>(strips * width) * sizeof(float)));
  sum_strips(stream, width, count, strips, rows, SumTaker<Out, Rows::kCount>{out, alpha, partial, width});
  if (partial) add_partial_sums(stream, partial, strips, width, alpha, out);
}

}  // namespace detrack::cuda
