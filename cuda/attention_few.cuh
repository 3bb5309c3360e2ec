// Attention of a few queries to many keys: bound by reading the keys and values, and by latency, not by arithmetic.
#pragma once

#include "cuda/attention_simt.cuh"

namespace detrack::cuda::attention {

// A block takes kQueries of a pair and splits the keys over its warps, and within a warp over groups of lanes: a group reads
// one key, 16 bytes a lane. Each group keeps an online softmax of its own; they are merged at the end, always in the same
// order. A thread asks for all keys and values of a round before it uses the first, which hides the memory's latency.
inline constexpr int kFewWarps = 8, kFewThreads = kFewWarps * kWarpSize;

template <class T, int kD, int kQueries, bool kMasked>
__global__ void __launch_bounds__(kFewThreads, 2) attention_few_kernel(AttentionForward<T> op) {
  constexpr int kCount = kPack<T>, kLanes = kD / kCount, kGroups = kWarpSize / kLanes;
  constexpr int kRound = kQueries == 1 ? 8 : 16 / kCount;  // keys of a group in flight: as 128 registers allow
  constexpr int kStep = kFewWarps * kGroups;               // keys that the block reads at once
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize, d = lane % kLanes * kCount;
  const int Nq = tokens(op.q), Nk = tokens(op.k);
  const auto [pair, first] = place_of_block(Nq, kQueries);

  float q[kQueries][kCount], y[kQueries][kCount] = {}, largest[kQueries], sum[kQueries] = {};
#pragma unroll
  for (int m = 0; m < kQueries; ++m) {
    largest[m] = -kInfinity;
    const int i = std::min(first + m, Nq - 1);  // an absent query repeats the last
    load_floats(q[m], rows_of(op.q, pair) + i * op.q.stride(1) + d);
#pragma unroll
    for (float& x : q[m]) x *= static_cast<float>(op.scale) * kLog2E;
  }

  // All warps go through the same rounds, and where the keys have ended read zeros.
  int j = warp * kGroups + lane / kLanes;
  const T* keys = rows_of(op.k, pair) + j * op.k.stride(1) + d;
  const T* values = rows_of(op.v, pair) + j * op.v.stride(1) + d;
  const std::int64_t key_step = kStep * op.k.stride(1), value_step = kStep * op.v.stride(1);
  for (int round = 0; round < Nk; round += kRound * kStep, j += kRound * kStep) {
    uint4 key[kRound], value[kRound];
#pragma unroll
    for (int u = 0; u < kRound; ++u) {
      const bool present = j + u * kStep < Nk;
      key[u] = present ? *reinterpret_cast<const uint4*>(keys + u * key_step) : uint4{};
      value[u] = present ? *reinterpret_cast<const uint4*>(values + u * value_step) : uint4{};
    }
    keys += kRound * key_step, values += kRound * value_step;
    float s[kQueries][kRound];
#pragma unroll
    for (int u = 0; u < kRound; ++u) {
      float x[kCount];
      unpack(x, key[u], T{});
#pragma unroll
      for (int m = 0; m < kQueries; ++m) {
        float dot = 0;
#pragma unroll
        for (int c = 0; c < kCount; ++c) dot += q[m][c] * x[c];
#pragma unroll
        for (int mask = kLanes / 2; mask > 0; mask /= 2) dot += __shfl_xor_sync(0xffffffffu, dot, mask);
        s[m][u] = hidden<kMasked>(op, first + m, j + u * kStep) ? -kInfinity : dot;
      }
    }
#pragma unroll
    for (int m = 0; m < kQueries; ++m) {
      float now = largest[m];
#pragma unroll
      for (int u = 0; u < kRound; ++u) now = fmaxf(now, s[m][u]);
      const float base = rescale(now, largest[m], sum[m], y[m]);
#pragma unroll
      for (int u = 0; u < kRound; ++u) {
        s[m][u] = exp2_approx(s[m][u] - base);
        sum[m] += s[m][u];
      }
    }
#pragma unroll
    for (int u = 0; u < kRound; ++u) {
      float x[kCount];
      unpack(x, value[u], T{});
#pragma unroll
      for (int c = 0; c < kCount; ++c)
#pragma unroll
        for (int m = 0; m < kQueries; ++m) y[m][c] += s[m][u] * x[c];
    }
  }

  // The groups of a warp, then the warps of the block.
  alignas(32) __shared__ float warp_y[kFewWarps][kQueries][kD];
  __shared__ float warp_largest[kFewWarps][kQueries], warp_sum[kFewWarps][kQueries];
#pragma unroll
  for (int m = 0; m < kQueries; ++m) {
#pragma unroll
    for (int mask = kLanes; mask < kWarpSize; mask *= 2) {
      const float other = __shfl_xor_sync(0xffffffffu, largest[m], mask), now = fmaxf(largest[m], other);
      const float base = now == -kInfinity ? 0.0f : now;
      const float mine = exp2_approx(largest[m] - base), theirs = exp2_approx(other - base);
      largest[m] = now;
      sum[m] = sum[m] * mine + __shfl_xor_sync(0xffffffffu, sum[m], mask) * theirs;
#pragma unroll
      for (float& x : y[m]) x = x * mine + __shfl_xor_sync(0xffffffffu, x, mask) * theirs;
    }
    if (lane < kLanes) store_floats(&warp_y[warp][m][d], y[m]);
    if (lane == 0) warp_largest[warp][m] = largest[m], warp_sum[warp][m] = sum[m];
  }
  __syncthreads();
  const int m = threadIdx.x / kD, column = threadIdx.x % kD;
  if (m >= kQueries || first + m >= Nq) return;
  float all = -kInfinity, total = 0, result = 0;
#pragma unroll
  for (int w = 0; w < kFewWarps; ++w) all = fmaxf(all, warp_largest[w][m]);
  const float base = all == -kInfinity ? 0.0f : all;
#pragma unroll
  for (int w = 0; w < kFewWarps; ++w) {
    const float weight = exp2_approx(warp_largest[w][m] - base);
    total += weight * warp_sum[w][m];
    result += weight * warp_y[w][m][column];
  }
  const int i = first + m;
  rows_of(op.y, pair)[i * op.y.stride(1) + column] = from_float<T>(total > 0 ? result / total : 0.0f);
  if (op.lse && column == 0)
    op.lse(pair / op.q.extent(2), pair % op.q.extent(2), i) = total > 0 ? (all + log2f(total)) * kLn2 : -kInfinity;
}

template <int kD, class T>
void run_few(Stream& stream, const AttentionForward<T>& op) {
  const std::int64_t pairs = op.q.extent(0) * op.q.extent(2), Nq = op.q.extent(1);
  const auto start = [&](auto* kernel, int queries) {
    const auto blocks = static_cast<unsigned>(pairs * tiles_for(Nq, queries));
    launch(stream, kernel, {dim3(blocks), dim3(kFewThreads)}, op);
  };
  // A block for each query while all of them run at once, two a multiprocessor; else four share what is read.
  if (op.mask)
    start(attention_few_kernel<T, kD, 4, true>, 4);
  else if (pairs * Nq <= 2 * stream.multiprocessors())
    start(attention_few_kernel<T, kD, 1, false>, 1);
  else
    start(attention_few_kernel<T, kD, 4, false>, 4);
}

}  // namespace detrack::cuda::attention
