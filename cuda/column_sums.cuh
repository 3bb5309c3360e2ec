// Sums over the rows of a matrix, as gradients of biases are: always in the same order, whatever the device.
#pragma once

#include "cuda/launch.cuh"
#include "cuda/scalar.cuh"

namespace detrack::cuda {

inline constexpr int kColumnSumThreads = 256;
inline constexpr int kColumnSumRows = 128;  ///< that one block adds up

/// What becomes of the sum of a column over one chunk of rows: kept for the next stage ...
struct KeepColumnSum {
  View<float> sums;  ///< (chunks, C)
  __device__ void operator()(std::int64_t chunk, std::int64_t column, float sum) const { sums(chunk, column) = sum; }
};
/// ... or, if there is no other chunk, added to the result.
template <class Y>
struct AddColumnSum {
  float alpha;
  View<Y> sums;  ///< (C)
  __device__ void operator()(std::int64_t, std::int64_t column, float sum) const {
    sums(column) = from_float<Y>(to_float(sums(column)) + alpha * sum);
  }
};

/// A block takes kColumnSumRows rows of a strip of columns, 128 bytes wide where rows can be read in packs; its threads
/// share the rows, and the first of them add up what the others found.
template <class X, int kCount, class Finish>
__global__ void __launch_bounds__(kColumnSumThreads) sum_columns_by_chunks(View<const X> x, Finish finish) {
  constexpr int kLanes = kCount > 1 ? 8 : 32, kAtOnce = kColumnSumThreads / kLanes, kStrip = kLanes * kCount;
  alignas(32) __shared__ float found[kAtOnce][kStrip];
  const int lane = static_cast<int>(threadIdx.x) % kLanes, row = static_cast<int>(threadIdx.x) / kLanes;
  const std::int64_t strip = static_cast<std::int64_t>(blockIdx.y) * kStrip, column = strip + lane * kCount;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kColumnSumRows + row;
  float sums[kCount] = {};
#pragma unroll
  for (int i = 0; i < kColumnSumRows / kAtOnce; ++i) {
    const std::int64_t r = first + i * kAtOnce;
    if (r >= x.extent(0) || column >= x.extent(1)) continue;
    float values[kCount];
    load_floats(values, &x(r, column));
#pragma unroll
    for (int k = 0; k < kCount; ++k) sums[k] += values[k];
  }
  store_floats(&found[row][lane * kCount], sums);
  __syncthreads();
  const int mine = static_cast<int>(threadIdx.x);
  if (mine >= kStrip || strip + mine >= x.extent(1)) return;
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kAtOnce; ++i) sum += found[i][mine];
  finish(blockIdx.x, strip + mine, sum);
}

template <class X, class Finish>
void sum_columns(const Stream& stream, const View<const X>& x, const Finish& finish) {
  const unsigned chunks = blocks_for(x.extent(0), kColumnSumRows);
  constexpr int kCount = kPack<X>;
  if (packable<kCount>(x))
    launch(stream, sum_columns_by_chunks<X, kCount, Finish>,
           {dim3(chunks, blocks_for(x.extent(1), 8 * kCount)), dim3(kColumnSumThreads)}, x, finish);
  else
    launch(stream, sum_columns_by_chunks<X, 1, Finish>, {dim3(chunks, blocks_for(x.extent(1), 32)), dim3(kColumnSumThreads)},
           x, finish);
}

/// sums (C) += alpha sum over rows of x (R, C). Errors: cuda, out_of_memory.
template <class X, class Y>
void add_column_sums(Stream& stream, const View<const X>& x, float alpha, const View<Y>& sums) {
  const std::int64_t R = x.extent(0), C = x.extent(1);
  if (R == 0 || C == 0) return;
  const AddColumnSum<Y> add{alpha, sums};
  if (R <= kColumnSumRows) return sum_columns(stream, x, add);
  // Sums of chunks, then of chunks of those, until one chunk is left. All stages together keep less than twice the first's.
  std::int64_t rows = blocks_for(R, kColumnSumRows);
  auto* memory = static_cast<float*>(stream.scratch(static_cast<std::size_t>(2 * rows * C) * sizeof(float)));
  View<float> kept(memory, {rows, C}, x.device());
  sum_columns(stream, x, KeepColumnSum{kept});
  while (rows > kColumnSumRows) {
    memory += rows * C;
    rows = blocks_for(rows, kColumnSumRows);
    const View<float> next(memory, {rows, C}, x.device());
    sum_columns(stream, View<const float>(kept), KeepColumnSum{next});
    kept = next;
  }
  sum_columns(stream, View<const float>(kept), add);
}

}  // namespace detrack::cuda
