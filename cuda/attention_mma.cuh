// Attention forward of bfloat16 on the tensor cores, head dimensions 32 and 64, and the tiles that its backward shares.
#pragma once

#include "cuda/attention_simt.cuh"

namespace detrack::cuda::attention {

// ---- Tiles of 64 rows of bfloat16 in shared memory ----
//
// A row is kD / 8 chunks of 16 bytes, in an order that its number permutes: the same chunk of eight neighbouring rows, which
// is what one matrix fragment is loaded from, then lies in all 32 banks.

inline constexpr int kTileRows = 64, kMmaThreads = 128, kWarpRows = 16;

template <int kD>
inline constexpr int kTileBytes = kTileRows* kD * 2;

template <int kD>
__device__ unsigned tile_offset(unsigned row, unsigned chunk) {
  constexpr unsigned kChunks = kD / 8;
  return (row * kChunks + (chunk ^ (row / (8 / kChunks) % kChunks))) * 16;
}

/// Starts copying 64 rows; those from `count` on become zeros. A thread copies the same chunk of every 16th or 32nd row:
/// what differs between its copies is the same for all threads.
template <int kD>
__device__ void copy_tile(unsigned char* tile, const bfloat16* rows, std::int64_t stride, int count) {
  constexpr int kChunks = kD / 8, kStep = kMmaThreads / kChunks;
  const int row = threadIdx.x / kChunks, chunk = threadIdx.x % kChunks;
  const bfloat16* const from = rows + row * stride + chunk * 8;
  unsigned char* const to = tile + tile_offset<kD>(row, chunk);
#pragma unroll
  for (int step = 0; step < kTileRows; step += kStep)
    copy_async_16(to + step * kD * 2, from + step * stride, row + step < count);
}

/// Where a lane finds the first of the fragments it loads. That of columns 16 k and on is `^ 32 k` bytes away, that of
/// another eight rows 16 kD bytes: nothing is left to compute in the loops.
template <int kD>
__device__ unsigned left_offset() {  // also of the transposed right operand
  const unsigned lane = threadIdx.x % kWarpSize;
  return tile_offset<kD>(lane % 16, lane / 16);
}
template <int kD>
__device__ unsigned right_offset() {
  const unsigned lane = threadIdx.x % kWarpSize;
  return tile_offset<kD>(lane / 16 * 8 + lane % 8, lane / 8 % 2);
}

/// The left operand of a product: 16 rows, all columns.
template <int kD>
__device__ void load_left(std::uint32_t (&a)[kD / 16][4], const unsigned char* rows) {
#pragma unroll
  for (int k = 0; k < kD / 16; ++k) load_matrices(a[k], rows + (left_offset<kD>() ^ 32 * k));
}

/// Two neighbouring products with one left operand.
__device__ inline void multiply_pair(float (&low)[4], float (&high)[4], const std::uint32_t (&a)[4],
                                     const std::uint32_t (&b)[4]) {
  const std::uint32_t first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
  multiply_accumulate(low, a, first);
  multiply_accumulate(high, a, second);
}

/// products[m] (16 x 8 kN) += a[m] . 8 kN rows of a tile. Products that do not wait for each other are neighbours.
template <int kD, int kM, int kN>
__device__ void multiply_tile_rows(float (&products)[kM][kN][4], const std::uint32_t (&a)[kM][kD / 16][4],
                                   const unsigned char* rows) {
#pragma unroll
  for (int k = 0; k < kD / 16; ++k)
#pragma unroll
    for (int n = 0; n < kN; n += 2) {
      std::uint32_t b[4];
      load_matrices(b, rows + (right_offset<kD>() ^ 32 * k) + 16 * kD * n);
#pragma unroll
      for (int m = 0; m < kM; ++m) multiply_pair(products[m][n], products[m][n + 1], a[m][k], b);
    }
}

/// sums[m] (16 x kD) += weights[m] (16 x 8 kN) times 8 kN rows of a tile. The weights, rounded to bfloat16, are
/// a left operand as they lie in the lanes: a product's elements (g, 2t) are where the next product wants them.
template <int kD, int kM, int kN>
__device__ void multiply_tile_columns(float (&sums)[kM][kD / 8][4], const float (&weights)[kM][kN][4],
                                      const unsigned char* rows) {
#pragma unroll
  for (int j = 0; j < kN; j += 2) {
    std::uint32_t a[kM][4];
#pragma unroll
    for (int m = 0; m < kM; ++m)
#pragma unroll
      for (int part = 0; part < 4; ++part) {
        const float(&two)[4] = weights[m][j + part / 2];
        a[m][part] = pack_bf16(two[part % 2 * 2], two[part % 2 * 2 + 1]);
      }
#pragma unroll
    for (int n = 0; n < kD / 8; n += 2) {
      std::uint32_t b[4];
      load_matrices_transposed(b, rows + (left_offset<kD>() ^ 16 * n) + 16 * kD * j);
#pragma unroll
      for (int m = 0; m < kM; ++m) multiply_pair(sums[m][n], sums[m][n + 1], a[m], b);
    }
  }
}

/// Writes the warp's 16 rows of sums as bfloat16, rows [0, count) of them, times a factor for the lane's rows g and g + 8.
/// They pass through the warp's own 16 rows of `tile`, so that memory sees whole chunks.
template <int kD>
__device__ void store_rows(bfloat16* rows, std::int64_t stride, int count, const float (&sums)[kD / 8][4],
                           const float (&factor)[2], unsigned char* tile) {
  constexpr int kChunks = kD / 8;
  const unsigned lane = threadIdx.x % kWarpSize, own = threadIdx.x / kWarpSize * kWarpRows;
  __syncwarp();  // what was here has been read
#pragma unroll
  for (int n = 0; n < kChunks; ++n)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      *reinterpret_cast<std::uint32_t*>(tile + tile_offset<kD>(own + half * 8 + lane / 4, n) + lane % 4 * 4) =
          pack_bf16(sums[n][2 * half] * factor[half], sums[n][2 * half + 1] * factor[half]);
  __syncwarp();
#pragma unroll
  for (int step = 0; step < kWarpRows * kChunks / kWarpSize; ++step) {
    const unsigned i = lane + step * kWarpSize, row = i / kChunks, chunk = i % kChunks;
    if (static_cast<int>(row) < count)
      *reinterpret_cast<uint4*>(rows + row * stride + chunk * 8) =
          *reinterpret_cast<const uint4*>(tile + tile_offset<kD>(own + row, chunk));
  }
}

// ---- Forward ----
//
// A block of four warps takes 64 kM queries of a pair, a warp 16 kM of them; keys and values pass through shared memory in
// tiles of 64, the next on its way while one is worked on. Scores and probabilities stay in registers. With kM = 2 each
// fragment of keys and values serves two products and shared memory is no longer what limits; it needs twice the queries to
// fill the GPU.

/// One step of the softmax over columns that come in tiles: s become 2^(s factor - largest), and what was summed before must
/// be multiplied by `correction`. factor > 0. The lane holds rows g and g + 8; `sum` is over its own columns.
template <bool kMasked, int kN>
__device__ void softmax_step(float (&s)[kN][4], float factor, float (&largest)[2], float (&sum)[2], float (&correction)[2]) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float now = largest[half];
#pragma unroll
    for (int n = 0; n < kN; ++n) now = fmaxf(now, fmaxf(s[n][2 * half], s[n][2 * half + 1]));
    now = fmaxf(now, __shfl_xor_sync(0xffffffffu, now, 1));
    now = fmaxf(now, __shfl_xor_sync(0xffffffffu, now, 2));
    float base = now * factor;
    if (kMasked && now == -kInfinity) base = 0;  // no key seen yet
    correction[half] = exp2_approx(fmaf(largest[half], factor, -base));
    largest[half] = now;
    sum[half] *= correction[half];
#pragma unroll
    for (int n = 0; n < kN; ++n)
#pragma unroll
      for (int e = 2 * half; e < 2 * half + 2; ++e) {
        s[n][e] = exp2_approx(fmaf(s[n][e], factor, -base));
        sum[half] += s[n][e];
      }
  }
}

/// One tile of keys and values for the warp's queries, the first of which is `query`. `key` counts only where some keys may
/// be hidden: past the end, or by a mask.
template <int kD, bool kHidden, bool kMasked, int kM>
__device__ __forceinline__ void attend(const AttentionForward<bfloat16>& op, const std::uint32_t (&q)[kM][kD / 16][4],
                                       const unsigned char* keys, const unsigned char* values, int query, int key,
                                       float factor, float (&largest)[kM][2], float (&sum)[kM][2],
                                       float (&y)[kM][kD / 8][4]) {
  const int lane = threadIdx.x % kWarpSize;
  float s[kM][kTileRows / 8][4] = {};
  multiply_tile_rows<kD>(s, q, keys);
  if constexpr (kHidden) {
#pragma unroll
    for (int m = 0; m < kM; ++m)
#pragma unroll
      for (int n = 0; n < kTileRows / 8; ++n)
#pragma unroll
        for (int e = 0; e < 4; ++e)
          if (hidden<kMasked>(op, query + m * kTileRows + lane / 4 + e / 2 * 8, key + n * 8 + lane % 4 * 2 + e % 2))
            s[m][n][e] = -kInfinity;
  }
#pragma unroll
  for (int m = 0; m < kM; ++m) {
    float correction[2];
    softmax_step<kMasked>(s[m], factor, largest[m], sum[m], correction);
#pragma unroll
    for (int n = 0; n < kD / 8; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) y[m][n][e] *= correction[e / 2];
  }
  multiply_tile_columns<kD>(y, s, values);
}

template <int kD, int kM, bool kMasked>
__global__ void __launch_bounds__(kMmaThreads, kM == 1 && !kMasked ? 3 : 2)
    attention_mma_kernel(AttentionForward<bfloat16> op) {
  constexpr int kQueries = kTileRows * kM, kStageBytes = 2 * kTileBytes<kD>;
  unsigned char* const shared = dynamic_shared<unsigned char>();
  const int Nq = tokens(op.q), Nk = tokens(op.k);
  const auto [pair, first] = place_of_block(Nq, kQueries);
  const int lane = threadIdx.x % kWarpSize, warp_row = threadIdx.x / kWarpSize * kWarpRows;
  const bfloat16* const queries = rows_of(op.q, pair);
  const bfloat16* const keys = rows_of(op.k, pair);
  const bfloat16* const values = rows_of(op.v, pair);
  const auto copy_stage = [&](int key) {
    unsigned char* const stage = shared + key / kTileRows % 2 * kStageBytes;
    copy_tile<kD>(stage, keys + key * op.k.stride(1), op.k.stride(1), Nk - key);
    copy_tile<kD>(stage + kTileBytes<kD>, values + key * op.v.stride(1), op.v.stride(1), Nk - key);
    copy_async_commit();
  };

  // The queries pass through the second stage. A warp's rows are at `warp_row` of kM tiles.
  std::uint32_t q[kM][kD / 16][4];
#pragma unroll
  for (int m = 0; m < kM; ++m) {
    const int row = first + m * kTileRows;
    copy_tile<kD>(shared + kStageBytes + m * kTileBytes<kD>, queries + row * op.q.stride(1), op.q.stride(1), Nq - row);
  }
  copy_stage(0);
  copy_async_wait<0>();
  __syncthreads();
#pragma unroll
  for (int m = 0; m < kM; ++m) load_left<kD>(q[m], shared + kStageBytes + m * kTileBytes<kD> + warp_row * kD * 2);
  __syncthreads();  // the second stage is free

  // The scale is part of the exponent's factor, which must be positive: the queries take the sign.
  const float factor = fmaxf(fabsf(static_cast<float>(op.scale)) * kLog2E, std::numeric_limits<float>::min());
  const std::uint32_t sign = op.scale < 0 ? 0x80008000u : 0u;
  float largest[kM][2], sum[kM][2] = {}, y[kM][kD / 8][4] = {};
#pragma unroll
  for (int m = 0; m < kM; ++m) {
    largest[m][0] = largest[m][1] = -kInfinity;
#pragma unroll
    for (int k = 0; k < kD / 16; ++k)
#pragma unroll
      for (int part = 0; part < 4; ++part) q[m][k][part] ^= sign;
  }

  const bool working = first + warp_row < Nq;  // the first of the warp's rows exists
  for (int key = 0; key < Nk; key += kTileRows) {
    if (key + kTileRows < Nk) copy_stage(key + kTileRows);
    if (working) {
      const unsigned char* const stage = shared + key / kTileRows % 2 * kStageBytes;
      const unsigned char* const value = stage + kTileBytes<kD>;
      if (kMasked || key + kTileRows > Nk)
        attend<kD, true, kMasked>(op, q, stage, value, first + warp_row, key, factor, largest, sum, y);
      else
        attend<kD, false, false>(op, q, stage, value, first + warp_row, key, factor, largest, sum, y);
    }
    copy_async_wait<0>();
    __syncthreads();  // the next stage has come, this one has been read
  }

  if (!working) return;
  bfloat16* const out = rows_of(op.y, pair);
#pragma unroll
  for (int m = 0; m < kM; ++m) {
    const int row = first + m * kTileRows + warp_row;
    float inverse[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float total = sum[m][half];
      total += __shfl_xor_sync(0xffffffffu, total, 1);
      total += __shfl_xor_sync(0xffffffffu, total, 2);
      inverse[half] = total > 0 ? 1 / total : 0.0f;
      const int i = row + half * 8 + lane / 4;
      if (op.lse && i < Nq && lane % 4 == 0)
        op.lse(pair / op.q.extent(2), pair % op.q.extent(2), i) =
            total > 0 ? (largest[m][half] * factor + log2f(total)) * kLn2 : -kInfinity;
    }
    store_rows<kD>(out + row * op.y.stride(1), op.y.stride(1), Nq - row, y[m], inverse, shared);
  }
}

template <int kD>
void run_mma(Stream& stream, const AttentionForward<bfloat16>& op) {
  const std::int64_t pairs = op.q.extent(0) * op.q.extent(2), Nq = op.q.extent(1);
  const auto start = [&](auto* kernel, std::int64_t blocks) {
    launch(stream, kernel, {dim3(static_cast<unsigned>(blocks)), dim3(kMmaThreads), 4 * kTileBytes<kD>}, op);
  };
  const std::int64_t blocks = pairs * tiles_for(Nq, kTileRows), wide_blocks = pairs * tiles_for(Nq, 2 * kTileRows);
  if (op.mask)  // and no registers are left for twice the queries
    start(attention_mma_kernel<kD, 1, true>, blocks);
  else if (Nq > kTileRows && wide_blocks >= 2 * stream.multiprocessors())  // all of the GPU has two blocks
    start(attention_mma_kernel<kD, 2, false>, wide_blocks);
  else
    start(attention_mma_kernel<kD, 1, false>, blocks);
}

}  // namespace detrack::cuda::attention
