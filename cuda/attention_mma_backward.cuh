// Attention backward of bfloat16 on the tensor cores, head dimensions 32 and 64.
#pragma once

#include "cuda/attention_mma.cuh"

namespace detrack::cuda::attention {

// The two passes of attention_backward_kernel (attention_simt.cuh says which product is which), with the forward's tiles: a
// block owns 64 rows, 16 a warp, whose operands stay in registers as fragments. Scores are recomputed kSlice other rows at a
// time, which keeps the kernels below the registers at which three blocks fit a multiprocessor.

inline constexpr int kSlice = 32;

/// What kSlice other rows, the first of which is `theirs`, add to the gradients of the warp's rows, the first of which is
/// `mine`. `queries` are the stats of the other rows, or of rows g and g + 8 of the lane's own.
template <int kD, bool kOfKeys, bool kHidden, bool kMasked>
__device__ __forceinline__ void add_slice(const AttentionBackward<bfloat16>& op, const std::uint32_t (&own1)[1][kD / 16][4],
                                          const std::uint32_t (&own2)[1][kD / 16][4], const unsigned char* other1,
                                          const unsigned char* other2, const QueryStats* queries, int mine, int theirs,
                                          float factor, float (&gradient1)[1][kD / 8][4], float (&gradient2)[1][kD / 8][4]) {
  const int lane = threadIdx.x % kWarpSize;
  float s[1][kSlice / 8][4] = {}, dp[1][kSlice / 8][4] = {};
  multiply_tile_rows<kD>(s, own1, other1);
  multiply_tile_rows<kD>(dp, own2, other2);
#pragma unroll
  for (int n = 0; n < kSlice / 8; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int row = lane / 4 + e / 2 * 8, column = n * 8 + lane % 4 * 2 + e % 2;
      const QueryStats query = queries[kOfKeys ? column : e / 2];
      float probability = exp2_approx(fmaf(s[0][n][e], factor, -query.lse));
      if constexpr (kHidden)
        if (kOfKeys ? hidden<kMasked>(op, theirs + column, mine + row) : hidden<kMasked>(op, mine + row, theirs + column))
          probability = 0;
      s[0][n][e] = probability;
      dp[0][n][e] = probability * (dp[0][n][e] - query.delta);
    }
  if constexpr (kOfKeys) multiply_tile_columns<kD>(gradient2, s, other2);
  multiply_tile_columns<kD>(gradient1, dp, other1);
}

template <int kD, bool kOfKeys, bool kMasked>
__global__ void __launch_bounds__(kMmaThreads, kMasked ? 2 : 3)
    attention_mma_backward_kernel(AttentionBackward<bfloat16> op, const QueryStats* stats, int padded) {
  constexpr int kStatsBytes = kOfKeys ? kStatsTile * static_cast<int>(sizeof(QueryStats)) : 0;
  constexpr int kStageBytes = 2 * kTileBytes<kD> + kStatsBytes;
  static_assert(kStatsTile == kTileRows);
  unsigned char* const shared = dynamic_shared<unsigned char>();
  const auto& own1_view = kOfKeys ? op.k : op.q;
  const auto& own2_view = kOfKeys ? op.v : op.dy;
  const auto& other1_view = kOfKeys ? op.q : op.k;
  const auto& other2_view = kOfKeys ? op.dy : op.v;
  const int owned = tokens(own1_view), others = tokens(other1_view);
  const auto [pair, first] = place_of_block(owned, kTileRows);
  const int warp_row = threadIdx.x / kWarpSize * kWarpRows;
  const bfloat16* const rows1 = rows_of(other1_view, pair);
  const bfloat16* const rows2 = rows_of(other2_view, pair);
  stats += static_cast<std::int64_t>(pair) * padded;
  const auto copy_stage = [&](int other) {
    unsigned char* const stage = shared + other / kTileRows % 2 * kStageBytes;
    copy_tile<kD>(stage, rows1 + other * other1_view.stride(1), other1_view.stride(1), others - other);
    copy_tile<kD>(stage + kTileBytes<kD>, rows2 + other * other2_view.stride(1), other2_view.stride(1), others - other);
    if constexpr (kOfKeys)
      if (threadIdx.x < kStatsBytes / 16)
        copy_async_16(stage + 2 * kTileBytes<kD> + threadIdx.x * 16, stats + other + threadIdx.x * 2);
    copy_async_commit();
  };

  // The owned rows pass through the second stage.
  std::uint32_t own1[1][kD / 16][4], own2[1][kD / 16][4];
  unsigned char* const passage = shared + kStageBytes;
  copy_tile<kD>(passage, rows_of(own1_view, pair) + first * own1_view.stride(1), own1_view.stride(1), owned - first);
  copy_tile<kD>(passage + kTileBytes<kD>, rows_of(own2_view, pair) + first * own2_view.stride(1), own2_view.stride(1),
                owned - first);
  copy_stage(0);
  copy_async_wait<0>();
  __syncthreads();
  load_left<kD>(own1[0], passage + warp_row * kD * 2);
  load_left<kD>(own2[0], passage + kTileBytes<kD> + warp_row * kD * 2);
  __syncthreads();  // the second stage is free

  QueryStats own_query[2] = {};
  if constexpr (!kOfKeys) {
#pragma unroll
    for (int half = 0; half < 2; ++half) own_query[half] = stats[first + warp_row + threadIdx.x % kWarpSize / 4 + half * 8];
  }
  const auto scale = static_cast<float>(op.scale);
  float gradient1[1][kD / 8][4] = {}, gradient2[1][kD / 8][4] = {};
  const bool working = first + warp_row < owned;
  for (int other = 0; other < others; other += kTileRows) {
    if (other + kTileRows < others) copy_stage(other + kTileRows);
    const unsigned char* const stage = shared + other / kTileRows % 2 * kStageBytes;
#pragma unroll 1
    for (int slice = 0; slice < kTileRows; slice += kSlice) {
      if (!working || other + slice >= others) break;
      const unsigned char* const other1 = stage + slice * kD * 2;
      const unsigned char* const other2 = other1 + kTileBytes<kD>;
      const QueryStats* queries = own_query;
      if constexpr (kOfKeys) queries = reinterpret_cast<const QueryStats*>(stage + 2 * kTileBytes<kD>) + slice;
      const int mine = first + warp_row, theirs = other + slice;
      // Queries past the end have no probability anyway.
      if (kMasked || (!kOfKeys && theirs + kSlice > others))
        add_slice<kD, kOfKeys, true, kMasked>(op, own1, own2, other1, other2, queries, mine, theirs, scale * kLog2E,
                                              gradient1, gradient2);
      else
        add_slice<kD, kOfKeys, false, false>(op, own1, own2, other1, other2, queries, mine, theirs, scale * kLog2E,
                                             gradient1, gradient2);
    }
    copy_async_wait<0>();
    __syncthreads();  // the next stage has come, this one has been read
  }

  if (!working) return;
  const auto& out1 = kOfKeys ? op.dk : op.dq;
  const int row = first + warp_row;
  store_rows<kD>(rows_of(out1, pair) + row * out1.stride(1), out1.stride(1), owned - row, gradient1[0], {scale, scale},
                 shared);
  if constexpr (kOfKeys)
    store_rows<kD>(rows_of(op.dv, pair) + row * op.dv.stride(1), op.dv.stride(1), owned - row, gradient2[0], {1, 1}, shared);
}

template <int kD>
void run_mma(Stream& stream, const AttentionBackward<bfloat16>& op) {
  constexpr std::size_t kTiles = 4 * kTileBytes<kD>;
  const std::int64_t pairs = op.q.extent(0) * op.q.extent(2), Nq = op.q.extent(1), Nk = op.k.extent(1);
  const QueryStats* const stats = query_stats(stream, op);
  const auto start = [&](auto* kernel, std::int64_t rows, std::size_t shared) {
    const auto blocks = static_cast<unsigned>(pairs * tiles_for(rows, kTileRows));
    launch(stream, kernel, {dim3(blocks), dim3(kMmaThreads), shared}, op, stats, padded_queries(Nq));
  };
  start(op.mask ? attention_mma_backward_kernel<kD, true, true> : attention_mma_backward_kernel<kD, true, false>, Nk,
        kTiles + 2 * kStatsTile * sizeof(QueryStats));
  start(op.mask ? attention_mma_backward_kernel<kD, false, true> : attention_mma_backward_kernel<kD, false, false>, Nq,
        kTiles);
}

}  // namespace detrack::cuda::attention
