// Attention on the ordinary cores: any element type, head dimensions up to 128, any strides. Nothing of size Nq x Nk is
// kept.
#pragma once

#include <cmath>
#include <limits>

#include "cuda/launch.cuh"
#include "cuda/reduce.cuh"
#include "cuda/scalar.cuh"
#include "detrack/ops/attention.hpp"

namespace detrack::cuda::attention {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline constexpr float kLog2E = 1.44269504f, kLn2 = 0.693147181f;  ///< exponentials are powers of 2

inline constexpr int kMaxHead = 128;

/// Numbers of tokens, blocks and of (batch, head) pairs are ints in kernels: registers are what they are short of. Offsets
/// are not.
template <class X>
__device__ int tokens(const View<X>& view) {
  return static_cast<int>(view.extent(1));
}

/// The rows of one pair of a view (B, N, H, D); they are stride(1) apart.
template <class X>
__device__ X* rows_of(const View<X>& view, int pair) {
  const int H = static_cast<int>(view.extent(2));
  return view.data() + pair / H * view.stride(0) + pair % H * view.stride(2);
}

/// The pair of a block, and the first row of its tile.
struct Place {
  int pair, first;
};
__device__ inline Place place_of_block(int rows, int per_tile) {
  const int tiles = (rows + per_tile - 1) / per_tile, block = static_cast<int>(blockIdx.x);
  return {block / tiles, block % tiles * per_tile};
}

/// Whether key j does not count for query i, either of which may be past the end. Without branches: the bytes of a mask are
/// all asked for before the first is needed.
template <bool kMasked, class Op>
__device__ bool hidden(const Op& op, int i, int j) {
  const int Nq = tokens(op.q), Nk = tokens(op.k);
  if constexpr (kMasked) return (j >= Nk) | (op.mask(std::min(i, Nq - 1), std::min(j, Nk - 1)) == 0);
  return j >= Nk;
}

inline std::int64_t tiles_for(std::int64_t rows, std::int64_t per_tile) {
  return (rows + per_tile - 1) / per_tile;
}

/// What the backward needs of a query: log2 sum exp of its scores, and delta = sum of dy y. The first is +infinity for a
/// query that saw nothing or is past the end, which makes all of its probabilities zero.
struct alignas(8) QueryStats {
  float lse, delta;
};
inline constexpr int kStatsTile = 64;  ///< queries of a pair are padded to a multiple

/// Eight lanes a query.
template <class T, int kCount>
__global__ void attention_query_stats_kernel(View<const T> y, View<const T> dy, View<const float> lse, int padded,
                                             QueryStats* stats) {
  const std::int64_t row = (static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / 8;
  const int pair = static_cast<int>(row / padded), i = static_cast<int>(row % padded), lane = threadIdx.x % 8;
  const std::int64_t H = y.extent(2), D = y.extent(3);
  const bool present = i < tokens(y);
  float delta = 0;
  if (present) {
    const T* const a = rows_of(y, pair) + i * y.stride(1);
    const T* const b = rows_of(dy, pair) + i * dy.stride(1);
    for (std::int64_t d = lane * kCount; d < D; d += 8 * kCount) {
      float left[kCount], right[kCount];
      load_floats(left, a + d);
      load_floats(right, b + d);
#pragma unroll
      for (int k = 0; k < kCount; ++k) delta += left[k] * right[k];
    }
  }
#pragma unroll
  for (int mask = 4; mask > 0; mask /= 2) delta += __shfl_xor_sync(0xffffffffu, delta, mask);
  if (lane != 0) return;
  const float natural = present ? lse(pair / H, pair % H, i) : -kInfinity;
  stats[row] = {natural == -kInfinity ? kInfinity : natural * kLog2E, delta};
}

/// Queries of a pair with their padding: at least one tile, so that kernels may fetch the first one's before they look.
inline int padded_queries(std::int64_t Nq) {
  return static_cast<int>(std::max<std::int64_t>(tiles_for(Nq, kStatsTile), 1)) * kStatsTile;
}

/// (B H, padded_queries(Nq)) in the stream's scratch memory.
template <class T>
QueryStats* query_stats(Stream& stream, const AttentionBackward<T>& op) {
  constexpr int kBlock = 256;
  const int padded = padded_queries(op.q.extent(1));
  const std::int64_t rows = op.q.extent(0) * op.q.extent(2) * padded;
  auto* const stats = static_cast<QueryStats*>(stream.scratch(static_cast<std::size_t>(rows) * sizeof(QueryStats)));
  const bool packed = packable<kPack<T>>(op.y, op.dy);
  launch(stream, packed ? attention_query_stats_kernel<T, kPack<T>> : attention_query_stats_kernel<T, 1>,
         {dim3(blocks_for(rows, kBlock / 8)), dim3(kBlock)}, op.y, op.dy, op.lse, padded, stats);
  return stats;
}

// ---- Tiles of floats in shared memory ----
//
// A block is 16 x 16 threads. The 16 threads of a row (half a warp) own a strip of rows of one operand; within a product of
// rows each takes every 16th row of the other operand, within a product with columns a sixteenth of the columns. Rows are
// four floats longer than they need be: 16-byte reads of eight neighbouring rows then touch all banks once.

inline constexpr int kThreads = 256, kSide = 16;

template <int kD>
inline constexpr int kRowFloats = kD + 4;

/// Rows [0, kRows) of T as floats times `factor`, zeros beyond `count` rows and D columns.
template <int kRows, int kD, class T>
__device__ void load_tile(float* tile, const T* rows, std::int64_t stride, int count, int D, float factor = 1) {
  for (int i = threadIdx.x; i < kRows * kD; i += kThreads) {
    const int row = i / kD, d = i % kD;
    tile[row * kRowFloats<kD> + d] = row < count && d < D ? to_float(rows[row * stride + d]) * factor : 0.0f;
  }
}

/// products[m][n] += row m of a . row 16 n of b
template <int kD, int kM, int kN>
__device__ void multiply_rows(float (&products)[kM][kN], const float* a, const float* b) {
#pragma unroll 2
  for (int d = 0; d < kD; d += 4) {
    float left[kM][4], right[kN][4];
#pragma unroll
    for (int m = 0; m < kM; ++m) load_floats(left[m], a + m * kRowFloats<kD> + d);
#pragma unroll
    for (int n = 0; n < kN; ++n) load_floats(right[n], b + n * kSide * kRowFloats<kD> + d);
#pragma unroll
    for (int m = 0; m < kM; ++m)
#pragma unroll
      for (int n = 0; n < kN; ++n)
#pragma unroll
        for (int k = 0; k < 4; ++k) products[m][n] += left[m][k] * right[n][k];
  }
}

/// A thread's columns of a row of kD: kWidth neighbours, and so on every 16 kWidth.
template <int kD>
struct Columns {
  static constexpr int kCount = kD / kSide, kWidth = kCount < 4 ? kCount : 4;
  __device__ static int at(int index, int column) {
    return index / kWidth * kWidth * kSide + column * kWidth + index % kWidth;
  }
};

/// sums[m] += sum over j < kJ of weights[m][j] times row j of b, in this thread's columns
template <int kD, int kJ, int kM>
__device__ void multiply_columns(float (&sums)[kM][Columns<kD>::kCount], const float* weights, const float* b, int column) {
  constexpr int kWidth = Columns<kD>::kWidth;
#pragma unroll 1
  for (int j = 0; j < kJ; j += 4) {
    float left[kM][4];
#pragma unroll
    for (int m = 0; m < kM; ++m) load_floats(left[m], weights + m * kRowFloats<kJ> + j);
#pragma unroll
    for (int k = 0; k < 4; ++k)
#pragma unroll
      for (int c = 0; c < Columns<kD>::kCount; c += kWidth) {
        float right[kWidth];
        load_floats(right, b + (j + k) * kRowFloats<kD> + Columns<kD>::at(c, column));
#pragma unroll
        for (int m = 0; m < kM; ++m)
#pragma unroll
          for (int w = 0; w < kWidth; ++w) sums[m][c + w] += left[m][k] * right[w];
      }
  }
}

/// Over the 16 threads of a row.
template <class F>
__device__ float reduce_side(float x, F f) {
#pragma unroll
  for (int mask = kSide / 2; mask > 0; mask /= 2) x = f(x, __shfl_xor_sync(0xffffffffu, x, mask));
  return x;
}

/// A softmax over keys as they come: what has been summed of scores relative to the largest so far becomes relative to the
/// largest with the new ones, `now`. Returns what the new scores are to be taken relative to.
template <int kCount>
__device__ float rescale(float now, float& largest, float& sum, float (&y)[kCount]) {
  const float base = now == -kInfinity ? 0.0f : now;  // no key seen yet
  const float correction = exp2_approx(largest - base);
  largest = now;
  sum *= correction;
#pragma unroll
  for (float& x : y) x *= correction;
  return base;
}

// ---- Forward: a block per pair and 64 queries, keys in tiles, softmax as they come ----

template <int kD>
struct ForwardTiles {
  static constexpr int kQueries = 64, kKeys = kD > 64 ? 32 : 64;  // all of it within the 99 KB of compute capability 8.9
  static constexpr int kFloats = (kQueries + 2 * kKeys) * kRowFloats<kD> + kQueries * kRowFloats<kKeys>;
};

template <class T, int kD>
__global__ void __launch_bounds__(kThreads, 2) attention_kernel(AttentionForward<T> op) {
  constexpr int kQueries = ForwardTiles<kD>::kQueries, kKeys = ForwardTiles<kD>::kKeys;
  constexpr int kM = kQueries / kSide, kN = kKeys / kSide;
  float* const q = dynamic_shared<float>();
  float* const k = q + kQueries * kRowFloats<kD>;
  float* const v = k + kKeys * kRowFloats<kD>;
  float* const p = v + kKeys * kRowFloats<kD>;

  const int Nq = tokens(op.q), Nk = tokens(op.k);
  const auto [pair, first] = place_of_block(Nq, kQueries);
  const int D = static_cast<int>(op.q.extent(3)), column = threadIdx.x % kSide, row = threadIdx.x / kSide * kM;
  const T* const keys = rows_of(op.k, pair);
  const T* const values = rows_of(op.v, pair);
  load_tile<kQueries, kD>(q, rows_of(op.q, pair) + first * op.q.stride(1), op.q.stride(1), Nq - first, D,
                          static_cast<float>(op.scale) * kLog2E);

  float largest[kM], sum[kM] = {}, y[kM][Columns<kD>::kCount] = {};
#pragma unroll
  for (float& x : largest) x = -kInfinity;
  for (int key = 0; key < Nk; key += kKeys) {
    __syncthreads();  // the tiles of before have been read
    load_tile<kKeys, kD>(k, keys + key * op.k.stride(1), op.k.stride(1), Nk - key, D);
    load_tile<kKeys, kD>(v, values + key * op.v.stride(1), op.v.stride(1), Nk - key, D);
    __syncthreads();

    float s[kM][kN] = {};
    multiply_rows<kD>(s, q + row * kRowFloats<kD>, k + column * kRowFloats<kD>);
#pragma unroll
    for (int m = 0; m < kM; ++m) {
      const int i = first + row + m;
      float now = largest[m];
#pragma unroll
      for (int n = 0; n < kN; ++n) {
        const int j = key + column + n * kSide;
        if (op.mask ? hidden<true>(op, i, j) : hidden<false>(op, i, j)) s[m][n] = -kInfinity;
        now = fmaxf(now, s[m][n]);
      }
      now = reduce_side(now, Largest{});
      const float base = rescale(now, largest[m], sum[m], y[m]);
#pragma unroll
      for (int n = 0; n < kN; ++n) {
        const float probability = exp2_approx(s[m][n] - base);
        sum[m] += probability;
        p[(row + m) * kRowFloats<kKeys> + column + n * kSide] = probability;
      }
    }
    __syncwarp();  // a strip of p stays within its half of a warp
    multiply_columns<kD, kKeys>(y, p + row * kRowFloats<kKeys>, v, column);
  }

  T* const out = rows_of(op.y, pair);
#pragma unroll
  for (int m = 0; m < kM; ++m) {
    const float total = reduce_side(sum[m], Sum{}), inverse = total > 0 ? 1 / total : 0.0f;
    const int i = first + row + m;
    if (i >= Nq) continue;
#pragma unroll
    for (int c = 0; c < Columns<kD>::kCount; ++c) {
      const int d = Columns<kD>::at(c, column);
      if (d < D) out[i * op.y.stride(1) + d] = from_float<T>(y[m][c] * inverse);
    }
    if (op.lse && column == 0)
      op.lse(pair / op.q.extent(2), pair % op.q.extent(2), i) = total > 0 ? (largest[m] + log2f(total)) * kLn2 : -kInfinity;
  }
}

// ---- Backward: one kernel for dk and dv, one for dq, no atomics ----
//
// Both own a tile of rows (keys, or queries) and walk over the other rows (queries, or keys):
//     s = own1 . other1,  dp = own2 . other2,  p = 2^(s - lse),  ds = p (dp - delta)
//     gradient of own1 = scale sum of ds other1,  gradient of own2 = sum of p other2 (of keys only)
// where keys have own1, own2 = k, v and other1, other2 = q, dy, and queries have it the other way round.

template <int kD>
struct BackwardTiles {
  static constexpr int kOwn = kD > 64 ? 32 : 64, kOther = 32;
  static constexpr int kFloats = 2 * (kOwn + kOther) * kRowFloats<kD> + 2 * kOwn * kRowFloats<kOther>;
};

template <class T, int kD, bool kOfKeys>
__global__ void __launch_bounds__(kThreads, 2)
    attention_backward_kernel(AttentionBackward<T> op, const QueryStats* stats, int padded) {
  constexpr int kOwn = BackwardTiles<kD>::kOwn, kOther = BackwardTiles<kD>::kOther;
  constexpr int kM = kOwn / kSide, kN = kOther / kSide;
  float* const own1 = dynamic_shared<float>();
  float* const own2 = own1 + kOwn * kRowFloats<kD>;
  float* const other1 = own2 + kOwn * kRowFloats<kD>;
  float* const other2 = other1 + kOther * kRowFloats<kD>;
  float* const p = other2 + kOther * kRowFloats<kD>;
  float* const ds = p + kOwn * kRowFloats<kOther>;

  const auto& own1_view = kOfKeys ? op.k : op.q;
  const auto& own2_view = kOfKeys ? op.v : op.dy;
  const auto& other1_view = kOfKeys ? op.q : op.k;
  const auto& other2_view = kOfKeys ? op.dy : op.v;
  const int owned = tokens(own1_view), others = tokens(other1_view);
  const auto [pair, first] = place_of_block(owned, kOwn);
  const int D = static_cast<int>(op.q.extent(3)), column = threadIdx.x % kSide, row = threadIdx.x / kSide * kM;
  const T* const rows1 = rows_of(other1_view, pair);
  const T* const rows2 = rows_of(other2_view, pair);
  const auto scale = static_cast<float>(op.scale);
  stats += static_cast<std::int64_t>(pair) * padded;
  load_tile<kOwn, kD>(own1, rows_of(own1_view, pair) + first * own1_view.stride(1), own1_view.stride(1), owned - first, D);
  load_tile<kOwn, kD>(own2, rows_of(own2_view, pair) + first * own2_view.stride(1), own2_view.stride(1), owned - first, D);

  float gradient1[kM][Columns<kD>::kCount] = {}, gradient2[kM][Columns<kD>::kCount] = {};
  for (int other = 0; other < others; other += kOther) {
    __syncthreads();  // the tiles of before have been read
    load_tile<kOther, kD>(other1, rows1 + other * other1_view.stride(1), other1_view.stride(1), others - other, D);
    load_tile<kOther, kD>(other2, rows2 + other * other2_view.stride(1), other2_view.stride(1), others - other, D);
    __syncthreads();

    float s[kM][kN] = {}, dp[kM][kN] = {};
    multiply_rows<kD>(s, own1 + row * kRowFloats<kD>, other1 + column * kRowFloats<kD>);
    multiply_rows<kD>(dp, own2 + row * kRowFloats<kD>, other2 + column * kRowFloats<kD>);
#pragma unroll
    for (int m = 0; m < kM; ++m)
#pragma unroll
      for (int n = 0; n < kN; ++n) {
        const int mine = first + row + m, theirs = other + column + n * kSide;
        const int i = kOfKeys ? theirs : mine, j = kOfKeys ? mine : theirs;
        const QueryStats query = stats[i];  // padded: past the end, p is zero
        const bool unseen = op.mask ? hidden<true>(op, i, j) : hidden<false>(op, i, j);
        const float probability = unseen ? 0.0f : exp2_approx(s[m][n] * (scale * kLog2E) - query.lse);
        const int at = (row + m) * kRowFloats<kOther> + column + n * kSide;
        if constexpr (kOfKeys) p[at] = probability;
        ds[at] = probability * (dp[m][n] - query.delta);
      }
    __syncwarp();  // strips of p and ds stay within their half of a warp
    multiply_columns<kD, kOther>(gradient1, ds + row * kRowFloats<kOther>, other1, column);
    if constexpr (kOfKeys) multiply_columns<kD, kOther>(gradient2, p + row * kRowFloats<kOther>, other2, column);
  }

  const auto& out1 = kOfKeys ? op.dk : op.dq;
  T* const to1 = rows_of(out1, pair);
  T* const to2 = rows_of(op.dv, pair);
#pragma unroll
  for (int m = 0; m < kM; ++m) {
    const int mine = first + row + m;
    if (mine >= owned) continue;
#pragma unroll
    for (int c = 0; c < Columns<kD>::kCount; ++c) {
      const int d = Columns<kD>::at(c, column);
      if (d >= D) continue;
      to1[mine * out1.stride(1) + d] = from_float<T>(scale * gradient1[m][c]);
      if constexpr (kOfKeys) to2[mine * op.dv.stride(1) + d] = from_float<T>(gradient2[m][c]);
    }
  }
}

// ---- Launches ----

template <int kD, class T>
void run_simt(Stream& stream, const AttentionForward<T>& op) {
  using Tiles = ForwardTiles<kD>;
  const std::int64_t blocks = op.q.extent(0) * op.q.extent(2) * tiles_for(op.q.extent(1), Tiles::kQueries);
  launch(stream, attention_kernel<T, kD>,
         {dim3(static_cast<unsigned>(blocks)), dim3(kThreads), Tiles::kFloats * sizeof(float)}, op);
}

template <int kD, class T>
void run_simt(Stream& stream, const AttentionBackward<T>& op) {
  using Tiles = BackwardTiles<kD>;
  const std::int64_t pairs = op.q.extent(0) * op.q.extent(2), Nq = op.q.extent(1), Nk = op.k.extent(1);
  const QueryStats* const stats = query_stats(stream, op);
  const auto start = [&](auto* kernel, std::int64_t rows) {
    const auto blocks = static_cast<unsigned>(pairs * tiles_for(rows, Tiles::kOwn));
    launch(stream, kernel, {dim3(blocks), dim3(kThreads), Tiles::kFloats * sizeof(float)}, op, stats, padded_queries(Nq));
  };
  start(attention_backward_kernel<T, kD, true>, Nk);
  start(attention_backward_kernel<T, kD, false>, Nq);
}

/// The head dimension is padded to 32, 64 or 128.
template <class Op>
void run_simt_any_head(Stream& stream, const Op& op) {
  const std::int64_t D = op.q.extent(3);
  if (D <= 32)
    run_simt<32>(stream, op);
  else if (D <= 64)
    run_simt<64>(stream, op);
  else
    run_simt<128>(stream, op);
}

}  // namespace detrack::cuda::attention
