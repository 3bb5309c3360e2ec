// Matrix products of few rows, such as the box tokens of a target: every weight is read once, and all that a thread needs is
// on its way at the same time.
#pragma once

#include <algorithm>
#include <type_traits>

#include "cuda/activation.cuh"
#include "cuda/layer_norm.cuh"
#include "cuda/product.cuh"
#include "cuda/reduce.cuh"

namespace detrack::cuda {

// The floor is a launch, one wait for memory, and the weights' bytes. For one target they are 74 to 295 KB a product of
// t256, 0.1 us of an H100's bandwidth and less of its L2's, so it is the waits that count: x and the weights are asked for
// at once, and nothing is split over blocks, which would take a second kernel. b256's 1.2 to 4.7 MB take 0.5 to 2 us.
//
// A pack of 8 weights takes 8 multiply-adds a row, and half as many instructions to unpack the row for them. Up to 8 rows
// the multiprocessors issue these in the time in which the pack comes out of memory; 16 would take longer.
inline constexpr int kSkinnyRows = 8;     ///< most rows of a product: 4, 8 or 16
inline constexpr int kSkinnyColumns = 2;  ///< of a warp
inline constexpr int kSkinnyWarps = 4, kSkinnyThreads = kSkinnyWarps * kWarpSize;
inline constexpr int kSkinnyBlocks = 4;             ///< of a multiprocessor, at least
inline constexpr int kSkinnyAhead = 4;              ///< packs of each column that a lane waits for at the same time
inline constexpr std::int64_t kSkinnyBytes = 8192;  ///< longest row of x
static_assert(kSkinnyRows * kSkinnyColumns <= kWarpSize, "a lane finishes at most one element");
inline constexpr std::size_t kSkinnyShared =
    (kSkinnyRows + 2) * kSkinnyBytes + kSkinnyWarps * kSkinnyAhead * kSkinnyColumns * kWarpSize * 16;
static_assert(kSkinnyShared <= 99 * 1024, "what blocks of every device may have");

/// Packs of the weights of one warp on their way through shared memory; each lane waits for its own. Asynchronous copies,
/// because loads into registers are moved behind the wait for x by the compiler.
template <class In>
inline constexpr int kSkinnyRing = (kSkinnyAhead * kSkinnyColumns * kWarpSize) * kPack<In>;

/// A warp begins to copy a row of K elements into shared memory.
template <class In>
__device__ void copy_row_async(In* to, const In* row, int K) {
#pragma unroll 1
  for (int k = static_cast<int>(threadIdx.x) % kWarpSize * kPack<In>; k < K; k += kWarpSize * kPack<In>)
    copy_async_16(to + k, row + k);
}

/// The first kRows rows of x (M, K), the last again where there are none; a warp a row.
template <int kRows, class In>
__device__ void copy_rows_async(In* to, const View<const In>& x) {
  const int warp = threadIdx.x / kWarpSize, M = static_cast<int>(x.extent(0)), K = static_cast<int>(x.extent(1));
  for (int m = warp; m < kRows; m += kSkinnyWarps) copy_row_async(to + m * K, &x(std::min(m, M - 1), 0), K);
}

/// In place of a layer norm: the rows of a are there already.
struct NoNorm {};
template <class Norm>
inline constexpr bool kIsNorm = !std::is_same_v<Norm, NoNorm>;
template <int kRows, class Norm>
inline constexpr int kSharedRows = kRows + (kIsNorm<Norm> ? 2 : 0);

/// Layer norm of kRows rows in shared memory, in place; gamma and beta are the two rows behind them. Every block does it for
/// itself, which takes less time than a kernel of its own; the first also writes what the operation is to give.
template <int kRows, class T>
__device__ void norm_rows(T* x, const LayerNormForward<T>& op) {
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize, K = static_cast<int>(op.x.extent(1));
  for (int m = warp; m < kRows; m += kSkinnyWarps) {
    T* const row = x + m * K;
    const bool writes = blockIdx.x == 0 && m < op.x.extent(0);
    const auto [mean, rstd] = layer_norm_of_row<1>(LaneRow<T, kPack<T>, 0>(row, K), K, x + kRows * K, x + (kRows + 1) * K,
                                                   op.eps, [&](int k, const float(&values)[kPack<T>]) {
                                                     store_floats(row + k, values);
                                                     if (writes) store_floats(&op.y(m, k), values);
                                                   });
    if (writes && op.mean && lane == 0) op.mean(m) = mean, op.rstd(m) = rstd;
  }
}

/// A warp computes kSkinnyColumns columns of d, which are rows of b; its lanes share their length. `norm`, if it is one,
/// writes a, whose rows are then made from those of norm.x.
template <class In, class Out, int kRows, class Norm>
__global__ void __launch_bounds__(kSkinnyThreads, kSkinnyBlocks) multiply_few_rows(Product<In, Out> p, Norm norm) {
  constexpr int kCount = kPack<In>, kStep = kWarpSize * kCount;
  const int M = static_cast<int>(p.d.extent(0)), N = static_cast<int>(p.d.extent(1)), K = static_cast<int>(p.a.extent(1));
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize, first = lane * kCount;
  const int left = (static_cast<int>(blockIdx.x) * kSkinnyWarps + warp) * kSkinnyColumns;
  In* const x = dynamic_shared<In>();
  In* const ring = x + kSharedRows<kRows, Norm> * K + warp * kSkinnyRing<In> + first;
  const In* weights[kSkinnyColumns];
#pragma unroll
  for (int c = 0; c < kSkinnyColumns; ++c) weights[c] = &p.b(std::min(left + c, N - 1), 0);  // past the end: the last again
  const auto slot = [&](int step, int c) { return ring + (step % kSkinnyAhead * kSkinnyColumns + c) * kStep; };
  const auto ask = [&](int step) {
    const int k = first + step * kStep;
#pragma unroll
    for (int c = 0; c < kSkinnyColumns; ++c)
      if (k < K) copy_async_16(slot(step, c), weights[c] + k);
    copy_async_commit();
  };
  if constexpr (kIsNorm<Norm>) {
    copy_rows_async<kRows>(x, norm.x);
    if (warp < 2) copy_row_async(x + (kRows + warp) * K, (warp == 0 ? norm.gamma : norm.beta).data(), K);
  } else {
    copy_rows_async<kRows>(x, p.a);
  }
#pragma unroll 1
  for (int step = 0; step < kSkinnyAhead; ++step) ask(step);

  const int row = lane / kSkinnyColumns, column = left + lane % kSkinnyColumns;  // this lane's element of d, if it has one
  const bool has_element = row < M && column < N;
  const Out bias = has_element && p.bias ? p.bias(column) : Out{};
  const Out added = has_element && p.added ? p.added(row, column) : Out{};

  copy_async_wait<kSkinnyAhead - 1>();  // for the first group: x, and the first weights
  __syncthreads();
  if constexpr (kIsNorm<Norm>) {
    norm_rows<kRows>(x, norm);
    __syncthreads();
  }

  float sums[kRows * kSkinnyColumns] = {};
#pragma unroll 1
  for (int step = 0; step * kStep < K; ++step) {
    if (step > 0) copy_async_wait<kSkinnyAhead - 1>();
    if (const int k = first + step * kStep; k < K) {
      float w[kSkinnyColumns][kCount], values[kCount];
#pragma unroll
      for (int c = 0; c < kSkinnyColumns; ++c) unpack(w[c], *reinterpret_cast<const uint4*>(slot(step, c)), In{});
#pragma unroll
      for (int m = 0; m < kRows; ++m) {
        unpack(values, *reinterpret_cast<const uint4*>(x + m * K + k), In{});
#pragma unroll
        for (int i = 0; i < kCount; ++i)
#pragma unroll
          for (int c = 0; c < kSkinnyColumns; ++c) sums[m * kSkinnyColumns + c] += values[i] * w[c][i];
      }
    }
    ask(step + kSkinnyAhead);
  }

  const float sum = sums_over_warp(sums);
  if (!has_element) return;
  const float z = p.alpha * (sum + to_float(bias)) + to_float(added);
  if (p.pre) p.pre(row, column) = from_float<Out>(z);
  p.d(row, column) = from_float<Out>(activate(p.activation, z));
}

/// Whether multiply_skinny() takes a product: few rows, and K contiguous and aligned in both matrices.
template <class In, class Out>
bool is_skinny(const Product<In, Out>& p) {
  const std::int64_t K = p.inner(), bytes = K * static_cast<std::int64_t>(sizeof(In));
  return p.d.numel() > 0 && p.d.extent(0) <= kSkinnyRows && !p.transpose_a && p.transpose_b &&
         packable<kPack<In>>(p.a, p.b) && bytes > 0 && bytes <= kSkinnyBytes;
}

/// A product that is_skinny(), its rows as they are or through a layer norm that writes p.a: norm.x, gamma and beta aligned,
/// too.
template <int kRows = 4, class In, class Out, class Norm = NoNorm>
void multiply_skinny(Stream& stream, const Product<In, Out>& p, const Norm& norm = {}) {
  if constexpr (kRows < kSkinnyRows)
    if (p.d.extent(0) > kRows) return multiply_skinny<2 * kRows>(stream, p, norm);
  const auto elements = kSharedRows<kRows, Norm> * p.inner() + kSkinnyWarps * kSkinnyRing<In>;
  launch(stream, multiply_few_rows<In, Out, kRows, Norm>,
         {dim3(blocks_for(p.d.extent(1), kSkinnyWarps * kSkinnyColumns)), dim3(kSkinnyThreads),
          static_cast<std::size_t>(elements) * sizeof(In), kSkinnyShared},
         p, norm);
}

}  // namespace detrack::cuda
