// Attention forward and backward over tiles of queries and keys: scores live in one tile of scratch, never in memory.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "detrack/cpu/math.hpp"
#include "detrack/cpu/micro_kernel.hpp"
#include "detrack/cpu/pack.hpp"
#include "detrack/cpu/team.hpp"
#include "detrack/ops/attention.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// One head's matrix: `rows` tokens of D contiguous elements, `stride` apart.
template <class T>
struct Head {
  T* data;
  std::int64_t stride;
};
template <class T>
Head<T> head_of(const View<T>& view, std::int64_t b, std::int64_t h) {
  return {view.data() + b * view.stride(0) + h * view.stride(2), view.stride(1)};
}

template <class T>
constexpr std::int64_t whole_vectors(std::int64_t count) {
  return (count + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

/// C = or += A B for any number of rows and columns: padded buffers, B's rows ldb apart. Panels of columns outermost, so
/// that one of B stays in the first-level cache.
template <class E, AccessA Access>
void multiply_block(std::int64_t rows, std::int64_t columns, std::int64_t K, const E* a, std::int64_t lda, const E* b,
                    std::int64_t ldb, SumOf<E>* c, std::int64_t ldc, bool add) {
  using T = SumOf<E>;
  const std::int64_t vectors = (columns + kLanes<T> - 1) / kLanes<T>;
  const std::int64_t panels = (vectors + kTileVectors - 1) / kTileVectors;
  for (std::int64_t panel = 0; panel < panels; ++panel) {
    const std::int64_t begin = panel * vectors / panels, end = (panel + 1) * vectors / panels;
    for (std::int64_t i = 0; i < rows; i += kTileRows)
      multiply_rows<E, Access>(std::min<std::int64_t>(kTileRows, rows - i), end - begin, K,
                               Access == AccessA::rows ? a + i * lda : a + i, lda, b + begin * kLanes<T>, ldb,
                               c + i * ldc + begin * kLanes<T>, ldc, add);
  }
}

/// Copies rows of a head, scaled and padded to whole vectors.
template <class T>
void copy_rows(const T* from, std::int64_t stride, std::int64_t rows, std::int64_t D, T scale, T* to, std::int64_t ld) {
  constexpr std::int64_t L = kLanes<T>;
  for (std::int64_t i = 0; i < rows; ++i) {
    std::int64_t d = 0;
    for (; d + L <= D; d += L) store(to + i * ld + d, load(from + i * stride + d) * scale);
    if (d < D) store(to + i * ld + d, load_some(from + i * stride + d, D - d) * scale);
  }
}

/// Rows of scratch, scaled, to a head.
template <class T>
void store_rows(const T* from, std::int64_t ld, std::int64_t rows, std::int64_t D, T scale, T* to, std::int64_t stride) {
  constexpr std::int64_t L = kLanes<T>;
  for (std::int64_t i = 0; i < rows; ++i) {
    std::int64_t d = 0;
    for (; d + L <= D; d += L) store(to + i * stride + d, load(from + i * ld + d) * scale);
    if (d < D) store_some(to + i * stride + d, load(from + i * ld + d) * scale, D - d);
  }
}

/// Tiles. They follow from the shape alone, so neither threads nor the batch change a result.
template <class T>
struct AttentionTiles {
  static constexpr std::int64_t kQueries = 4 * kTileRows;
  static constexpr std::int64_t kForwardKeys = 4 * kTileColumns<T>, kBackwardKeys = 2 * kTileColumns<T>;
  static constexpr std::int64_t kChunkKeys = 2 * kBackwardKeys;  // of one task of the backward
};

/// Sets the scores that a query may not see to -infinity.
template <class T>
void apply_mask(const View<const std::uint8_t>& mask, std::int64_t query, std::int64_t key, std::int64_t queries,
                std::int64_t keys, T* s, std::int64_t ld) {
  for (std::int64_t i = 0; i < queries; ++i)
    for (std::int64_t j = 0; j < keys; ++j)
      if (mask(query + i, key + j) == 0) s[i * ld + j] = -std::numeric_limits<T>::infinity();
}

/// Online softmax of a row of scores [Milakov and Gimelshein 2018]: s becomes exp(s - m), the row's running maximum m and
/// sum are updated, and `y`, the row's weighted sum of values so far, is rescaled to the new maximum.
template <class T>
void online_softmax_row(T* s, std::int64_t keys, T& m, T& sum, T* y, std::int64_t width) {
  constexpr std::int64_t L = kLanes<T>;
  constexpr T kNothing = -std::numeric_limits<T>::infinity();
  const std::int64_t whole = keys / L * L;
  if (whole < keys) store(s + whole, keep_some<T>(load(s + whole), keys - whole, kNothing));
  Vector<T> top = splat(m);
  for (std::int64_t j = 0; j < keys; j += L) top = max<T>(load(s + j), top);
  const T highest = max_lanes<T>(top);
  const T reference = highest == kNothing ? T(0) : highest;  // a row that sees nothing yet keeps weights of 0
  Vector<T> total{};
  for (std::int64_t j = 0; j < keys; j += L) {
    const Vector<T> p = exp<T>(load(s + j) - reference);
    store(s + j, p);
    total += p;
  }
  if (highest != m) {
    const T shrink = exp<T>(splat(m - reference))[0];
    sum *= shrink;
    for (std::int64_t d = 0; d < width; d += L) store(y + d, load(y + d) * shrink);
    m = highest;
  }
  sum += sum_lanes<T>(total);
}

/// The first `width` columns of rows of scratch as factors of a product: pairs are written to the front of each row. (They
/// are made by two vectors at a time; what the last one reads beyond the width becomes pairs that nobody uses.)
template <class E, class T>
const E* as_factors(T* rows_in_scratch, std::int64_t ld, std::int64_t rows, std::int64_t width) {
  if constexpr (std::is_same_v<E, BfloatPair>) {
    constexpr std::int64_t L = kLanes<T>;
    E* const factors = reinterpret_cast<E*>(rows_in_scratch);
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < width; j += 2 * L) {
        const T* const from = rows_in_scratch + i * ld + j;
        store(factors + i * ld + j / 2, pair_neighbours(load(from), load(from + L)));
      }
    return factors;
  } else {
    return rows_in_scratch;
  }
}

/// Forward of the queries [begin, end) of one head [Dao et al. 2022, algorithm 1, queries outermost].
template <class E, class T>
void attend(const AttentionForward<T>& op, std::int64_t b, std::int64_t h, std::int64_t begin, std::int64_t end,
            T* scratch) {
  using Tiles = AttentionTiles<T>;
  const std::int64_t D = op.q.extent(3), Nk = op.k.extent(1), width = whole_vectors<T>(D), depth = depth_steps<E>(D);
  const auto q = head_of(op.q, b, h), k = head_of(op.k, b, h), v = head_of(op.v, b, h);
  const auto y = head_of(op.y, b, h);
  constexpr std::int64_t ld = Tiles::kForwardKeys;
  E* const columns = reinterpret_cast<E*>(scratch);  // k, by panels of kTileColumns keys
  E* const values = columns + (Nk + kTileColumns<T>)*depth;
  T* const queries = reinterpret_cast<T*>(values + depth_steps<E>(Nk) * width);
  T* const scores = queries + Tiles::kQueries * width;
  T* const out = scores + Tiles::kQueries * ld;
  T highest[Tiles::kQueries], sum[Tiles::kQueries];

  for (std::int64_t j = 0; j < Nk; j += kTileColumns<T>)
    pack_rows(k.data + j * k.stride, k.stride, std::min(kTileColumns<T>, Nk - j), D, columns + j * depth, kTileColumns<T>);
  pack_columns(v.data, v.stride, D, Nk, values, width);

  for (std::int64_t i = begin; i < end; i += Tiles::kQueries) {
    const std::int64_t rows = std::min(Tiles::kQueries, end - i);
    copy_rows(q.data + i * q.stride, q.stride, rows, D, static_cast<T>(op.scale), queries, width);
    const E* const factors = as_factors<E>(queries, width, rows, D);
    std::fill_n(highest, rows, -std::numeric_limits<T>::infinity());
    std::fill_n(sum, rows, T(0));
    std::fill_n(out, rows * width, T(0));
    for (std::int64_t j = 0; j < Nk; j += Tiles::kForwardKeys) {
      const std::int64_t keys = std::min(Tiles::kForwardKeys, Nk - j);
      for (std::int64_t n = 0; n < keys; n += kTileColumns<T>)
        multiply_block<E, AccessA::rows>(rows, std::min(kTileColumns<T>, keys - n), depth, factors, width,
                                         columns + (j + n) * depth, kTileColumns<T>, scores + n, ld, false);
      if (op.mask) apply_mask(op.mask, i, j, rows, keys, scores, ld);
      for (std::int64_t r = 0; r < rows; ++r)
        online_softmax_row(scores + r * ld, keys, highest[r], sum[r], out + r * width, width);
      multiply_block<E, AccessA::rows>(rows, D, depth_steps<E>(keys), as_factors<E>(scores, ld, rows, keys), ld,
                                       values + depth_steps<E>(j) * width, width, out, width, true);
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      const bool sees_a_key = highest[r] != -std::numeric_limits<T>::infinity();
      store_rows(out + r * width, width, 1, D, sees_a_key ? T(1) / sum[r] : T(0), y.data + (i + r) * y.stride, y.stride);
      if (op.lse) op.lse(b, h, i + r) = sees_a_key ? highest[r] + std::log(sum[r]) : highest[r];
    }
  }
}

/// Factors are multiplied as E: T itself, or BfloatPair. Softmax and sums are of T.
template <class E, class T>
void run_attention(Team<T>& team, const AttentionForward<T>& op) {
  using Tiles = AttentionTiles<T>;
  const std::int64_t B = op.q.extent(0), Nq = op.q.extent(1), H = op.q.extent(2), D = op.q.extent(3), Nk = op.k.extent(1);
  if (B * Nq * H * D == 0) return;
  const std::int64_t width = whole_vectors<T>(D);
  team.reserve((Nk + kTileColumns<T>)*D + Nk * width + Tiles::kQueries * (2 * width + Tiles::kForwardKeys));
  // Few heads are cut into chunks of queries, each of which packs keys and values again: little beside its products.
  const std::int64_t tiles = (Nq + Tiles::kQueries - 1) / Tiles::kQueries;
  const std::int64_t wanted = std::clamp<std::int64_t>((3 * team.threads() + B * H - 1) / (B * H), 1, tiles);
  const std::int64_t chunk = (tiles + wanted - 1) / wanted * Tiles::kQueries;
  const std::int64_t chunks = team.threads() == 1 ? 1 : (Nq + chunk - 1) / chunk;
  team.parallel(B * H * chunks, op.flops() / 32, [&](std::int64_t task, T* scratch) {
    const std::int64_t part = task % chunks, h = task / chunks % H, b = task / chunks / H;
    const std::int64_t begin = chunks == 1 ? 0 : part * chunk;
    attend<E>(op, b, h, begin, chunks == 1 ? Nq : std::min(begin + chunk, Nq), scratch);
  });
}

/// Turns a row of scores into p = exp(s - lse) and a row of dp into ds = p (dp - delta), which is 0 in the lanes that
/// follow.
template <class T>
void softmax_backward_row(T* s, T* dp, std::int64_t keys, T lse, T delta) {
  constexpr std::int64_t L = kLanes<T>;
  const bool sees_a_key = lse != -std::numeric_limits<T>::infinity();
  for (std::int64_t j = 0; j < keys; j += L) {
    const Vector<T> p = sees_a_key ? exp<T>(load(s + j) - lse) : Vector<T>{};
    store(s + j, p);
    store(dp + j, p * (load(dp + j) - delta));
  }
  const std::int64_t whole = keys / L * L;
  if (whole < keys) store(dp + whole, keep_some<T>(load(dp + whole), keys - whole));
}

/// Rows of scratch as factors of a product over rows: pairs of rows are written to `to`, which may be the rows themselves.
template <class E, class T>
const E* as_factors_down(const T* rows_in_scratch, std::int64_t ld, std::int64_t rows, std::int64_t width, T* to) {
  if constexpr (std::is_same_v<E, BfloatPair>) {
    E* const factors = reinterpret_cast<E*>(to);
    pack_columns(rows_in_scratch, ld, width, rows, factors, ld);
    return factors;
  } else {
    return rows_in_scratch;
  }
}

/// Backward of one head and one chunk of its keys [Dao et al. 2022, algorithm 4]: tiles of keys outermost, whose dk and dv
/// stay in cache. The chunk's share of dq, yet unscaled, goes to `dqueries` (Nq rows of whole vectors). Queries and
/// gradients of y are factors of products over D and over queries, ds of products over queries and over keys.
template <class E, class T>
void attend_backward(const AttentionBackward<T>& op, std::int64_t b, std::int64_t h, std::int64_t chunk, T* scratch,
                     T* dqueries) {
  using Tiles = AttentionTiles<T>;
  constexpr std::int64_t ld = Tiles::kBackwardKeys;
  const std::int64_t Nq = op.q.extent(1), D = op.q.extent(3), width = whole_vectors<T>(D), depth = depth_steps<E>(D);
  const std::int64_t begin = chunk * Tiles::kChunkKeys, end = std::min(begin + Tiles::kChunkKeys, op.k.extent(1));
  const auto q = head_of(op.q, b, h), k = head_of(op.k, b, h), v = head_of(op.v, b, h);
  const auto y = head_of(op.y, b, h), dy = head_of(op.dy, b, h);
  const auto dk = head_of(op.dk, b, h), dv = head_of(op.dv, b, h);
  T* const queries = scratch;  // scaled
  T* const grads = queries + Nq * width;
  T* const delta = grads + Nq * width;
  E* const keys = reinterpret_cast<E*>(delta + whole_vectors<T>(Nq));
  E* const key_columns = keys + ld * width;
  E* const value_columns = key_columns + ld * D;
  T* const dkeys = reinterpret_cast<T*>(value_columns + ld * D);
  T* const dvalues = dkeys + ld * width;
  T* const p = dvalues + ld * width;
  T* const ds = p + Tiles::kQueries * ld;
  T* const ds_down = ds + Tiles::kQueries * ld;
  T* const queries_down = ds_down + Tiles::kQueries * ld;
  T* const grads_down = queries_down + (Nq + 1) * width;

  copy_rows(q.data, q.stride, Nq, D, static_cast<T>(op.scale), queries, width);
  copy_rows(dy.data, dy.stride, Nq, D, T(1), grads, width);
  for (std::int64_t i = 0; i < Nq; ++i) {
    T sum = 0;
    for (std::int64_t d = 0; d < D; ++d) sum += grads[i * width + d] * y.data[i * y.stride + d];
    delta[i] = sum;
  }
  const E* const over_queries = as_factors_down<E>(queries, width, Nq, D, queries_down);
  const E* const over_queries_dy = as_factors_down<E>(grads, width, Nq, D, grads_down);
  const E* const over_d = as_factors<E>(queries, width, Nq, D);
  const E* const over_d_dy = as_factors<E>(grads, width, Nq, D);
  for (std::int64_t j = begin; j < end; j += ld) {
    const std::int64_t count = std::min(ld, end - j);
    pack_columns(k.data + j * k.stride, k.stride, D, count, keys, width);
    for (std::int64_t n = 0; n < count; n += kTileColumns<T>) {
      const std::int64_t columns = std::min(kTileColumns<T>, count - n);
      pack_rows(k.data + (j + n) * k.stride, k.stride, columns, D, key_columns + n * depth, kTileColumns<T>);
      pack_rows(v.data + (j + n) * v.stride, v.stride, columns, D, value_columns + n * depth, kTileColumns<T>);
    }
    for (std::int64_t i = 0; i < Nq; i += Tiles::kQueries) {
      const std::int64_t rows = std::min(Tiles::kQueries, Nq - i), steps = depth_steps<E>(rows), at = depth_steps<E>(i);
      for (std::int64_t n = 0; n < count; n += kTileColumns<T>) {
        const std::int64_t columns = std::min(kTileColumns<T>, count - n);
        multiply_block<E, AccessA::rows>(rows, columns, depth, over_d + i * width, width, key_columns + n * depth,
                                         kTileColumns<T>, p + n, ld, false);
        multiply_block<E, AccessA::rows>(rows, columns, depth, over_d_dy + i * width, width, value_columns + n * depth,
                                         kTileColumns<T>, ds + n, ld, false);
      }
      if (op.mask) apply_mask(op.mask, i, j, rows, count, p, ld);
      for (std::int64_t r = 0; r < rows; ++r)
        softmax_backward_row(p + r * ld, ds + r * ld, count, op.lse(b, h, i + r), delta[i + r]);
      multiply_block<E, AccessA::columns>(count, D, steps, as_factors_down<E>(p, ld, rows, count, p), ld,
                                          over_queries_dy + at * width, width, dvalues, width, i > 0);
      multiply_block<E, AccessA::columns>(count, D, steps, as_factors_down<E>(ds, ld, rows, count, ds_down), ld,
                                          over_queries + at * width, width, dkeys, width, i > 0);
      multiply_block<E, AccessA::rows>(rows, D, depth_steps<E>(count), as_factors<E>(ds, ld, rows, count), ld, keys, width,
                                       dqueries + i * width, width, j > begin);
    }
    if (Nq == 0) std::fill_n(dkeys, 2 * ld * width, T(0));  // dvalues follows
    store_rows(dkeys, width, count, D, T(1), dk.data + j * dk.stride, dk.stride);
    store_rows(dvalues, width, count, D, T(1), dv.data + j * dv.stride, dv.stride);
  }
}

/// A task is a head and a chunk of its keys, because few heads would leave threads without work. The chunks' shares of dq
/// are added in order, whichever thread made them.
template <class E, class T>
void run_attention(Team<T>& team, const AttentionBackward<T>& op) {
  using Tiles = AttentionTiles<T>;
  constexpr std::int64_t ld = Tiles::kBackwardKeys, L = kLanes<T>;
  const std::int64_t B = op.q.extent(0), Nq = op.q.extent(1), H = op.q.extent(2), D = op.q.extent(3);
  const std::int64_t width = whole_vectors<T>(D), share = Nq * width;
  const std::int64_t chunks = (op.k.extent(1) + Tiles::kChunkKeys - 1) / Tiles::kChunkKeys;
  const std::int64_t down = std::is_same_v<E, T> ? 0 : 2 * (Nq + 1) * width + Tiles::kQueries * ld;
  team.reserve(2 * share + whole_vectors<T>(Nq) + 3 * ld * width + 2 * ld * D + 2 * Tiles::kQueries * ld + down,
               B * H * chunks * share);
  const auto finish = [&](std::int64_t head) {
    T* const sum = team.shared() + head * chunks * share;
    for (std::int64_t chunk = 1; chunk < chunks; ++chunk)
      for (std::int64_t i = 0; i < share; i += L) store(sum + i, load(sum + i) + load(sum + chunk * share + i));
    const auto dq = head_of(op.dq, head / H, head % H);
    store_rows(sum, width, Nq, D, static_cast<T>(op.scale), dq.data, dq.stride);
  };
  team.parallel(B * H * chunks, op.flops() / 32, [&](std::int64_t task, T* scratch) {
    attend_backward<E>(op, task / chunks / H, task / chunks % H, task % chunks, scratch, team.shared() + task * share);
    if (chunks == 1) finish(task);  // while it is in this core's cache
  });
  if (chunks > 1)
    team.parallel(B * H, static_cast<double>(B * H * chunks * share / L), [&](std::int64_t head, T*) { finish(head); });
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
