// Blocked matrix product with a fused epilogue.
#pragma once

#include <algorithm>

#include "detrack/core/instantiate.hpp"
#include "detrack/cpu/math.hpp"
#include "detrack/cpu/micro_kernel.hpp"
#include "detrack/cpu/pack.hpp"
#include "detrack/cpu/team.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// How B (K x N) lies in memory: B(k, n) = b[k ldb + n] (columns, a gradient through a weight), or b[n ldb + k] (rows, a
/// weight as PyTorch stores it).
enum class AccessB { rows, columns };

/// z = alpha (A B + bias) + residual;  pre = z;  c = activation(z).
/// A is M x K, B is K x N; bias (N), residual and pre (M x N) may be null. c may be residual.
template <class T>
struct Product {
  std::int64_t M = 0, N = 0, K = 0;
  const T* a = nullptr;
  std::int64_t lda = 0;
  AccessA access_a = AccessA::rows;
  const T* b = nullptr;
  std::int64_t ldb = 0;
  AccessB access_b = AccessB::rows;
  T alpha = 1;
  const T* bias = nullptr;
  const T* residual = nullptr;
  std::int64_t ldr = 0;
  Activation activation = Activation::identity;
  T* pre = nullptr;
  std::int64_t ldp = 0;
  T* c = nullptr;
  std::int64_t ldc = 0;
};

/// Strips of a transposed A that are packed at a time.
inline constexpr std::int64_t kStrips = 2;

/// Adds a tile of A B, summed over one block of K, to what c holds; the first block brings bias and residual instead,
/// and the last one writes pre and applies the activation. tile(i, j) is the vector at row i and column j of the tile.
template <class T, class Tile>
void finish_tile(const Product<T>& p, const Tile& tile, std::int64_t row, std::int64_t rows, std::int64_t column,
                 std::int64_t columns, bool first, bool last) {
  constexpr std::int64_t L = kLanes<T>;
  with_activation(
      last ? p.activation : Activation::identity, [&](auto kind) __attribute__((always_inline)) {
        for (std::int64_t i = 0; i < rows; ++i) {
          T* c = p.c + (row + i) * p.ldc + column;
          T* pre = last && p.pre ? p.pre + (row + i) * p.ldp + column : nullptr;
          const T* base = !first ? c : p.residual ? p.residual + (row + i) * p.ldr + column : nullptr;
          const T* bias = first && p.bias ? p.bias + column : nullptr;
          for (std::int64_t j = 0; j < columns; j += L) {
            const std::int64_t left = columns - j;
            Vector<T> z = tile(i, j);
            if (left >= L) {
              if (bias) z += load(bias + j);
              z *= p.alpha;
              if (base) z += load(base + j);
              if (pre) store(pre + j, z);
              store(c + j, activate<T, decltype(kind)::value>(z));
            } else {
              if (bias) z += load_some(bias + j, left);
              z *= p.alpha;
              if (base) z += load_some(base + j, left);
              if (pre) store_some(pre + j, z, left);
              store_some(c + j, activate<T, decltype(kind)::value>(z), left);
            }
          }
        }
      });
}

/// How B is cut: blocks of the depth, in each of them panels of columns. It follows from B's shape alone, which is why a
/// packed B serves any A. Depths count factors E: elements, or pairs or quads of them.
template <class E>
struct Panels {
  using T = ValueOf<E>;
  static constexpr std::int64_t kDepth = 2048 / static_cast<std::int64_t>(sizeof(E));  // of a packed panel
  static constexpr std::int64_t kColumnRows = Factor<E>::kColumnRows;

  Panels(std::int64_t N, std::int64_t K) {
    constexpr std::int64_t L = kLanes<T>;
    vectors = (N + L - 1) / L;
    panels = (vectors + kTileVectors - 1) / kTileVectors;
    steps = depth_steps<E>(K);
    depth_blocks = std::max<std::int64_t>((steps + kDepth - 1) / kDepth, 1);
    depth = ((steps + depth_blocks - 1) / depth_blocks + L - 1) / L * L;
  }
  std::int64_t first_vector(std::int64_t panel) const { return panel * vectors / panels; }
  std::int64_t vectors_of(std::int64_t panel) const { return first_vector(panel + 1) - first_vector(panel); }
  std::int64_t steps_of(std::int64_t block) const { return std::clamp<std::int64_t>(steps - block * depth, 0, depth); }

  /// All of B, packed.
  std::int64_t packed_elements() const { return (steps + depth_blocks * kColumnRows) * vectors * kLanes<T>; }
  std::int64_t packed_at(std::int64_t block, std::int64_t panel) const {
    return (block * (depth + kColumnRows) * vectors + (steps_of(block) + kColumnRows) * first_vector(panel)) * kLanes<T>;
  }

  std::int64_t steps, vectors, panels, depth_blocks, depth;
};

/// Sizes of the blocks. They follow from the shape, but for how tiles are grouped into tasks, which no result depends on.
/// A group of panels is at most 4 x 512 x 48 floats, 384 KiB of second-level cache. Lost: a depth of 384 (gradients of
/// weights, 448 deep, then touch dw twice: 3072 x 448 x 768 at 48 % of peak instead of 64), of 192 and 256 (2 to 5 %
/// slower), one panel at a time (4 % slower, 10 % where K is 3072), eight at a time (no gain).
/// Threads first share the rows, as far as a packed panel still meets 16 tiles of them: where they take different columns
/// of the same rows at once, 448 x 576 x 192 runs at 189 GFLOP/s in place of 217 (in pairs 262 in place of 393).
/// Where B is packed before, rows are all that tasks pack: a task takes as many panels as stay in the second-level cache,
/// and the threads share the rows down to 4 tiles a task (t256's forward in integers: 6 % faster than four panels at a
/// time).
template <class E>
struct Blocking : Panels<E> {
  using T = ValueOf<E>;
  using Panels<E>::panels, Panels<E>::depth;
  static constexpr std::int64_t kGroup = 4;  // panels packed at a time

  Blocking(const Product<T>& p, int threads, bool packed) : Panels<E>(p.N, p.K) {
    const std::int64_t row_tiles = (p.M + kTileRows - 1) / kTileRows, wanted = threads == 1 ? 1 : 2 * threads;
    const std::int64_t most =
        packed ? std::max(kGroup, kGroup * Panels<E>::kDepth / std::max<std::int64_t>(depth, 1)) : kGroup;
    chunks = std::clamp<std::int64_t>(row_tiles / (packed ? 4 : 16), 1, packed ? wanted : threads);
    group = std::clamp<std::int64_t>(panels * chunks / wanted, 1, most);
    if (p.access_a == AccessA::columns)  // read in place by a single panel, or else copied, and best for many
      group = Factor<E>::kDepth > 1 ? kGroup : std::clamp<std::int64_t>(panels / (2 * wanted), 1, kGroup);
    groups = (panels + group - 1) / group;
    if (groups * chunks < wanted) chunks = std::max(chunks, std::min((wanted + groups - 1) / groups, row_tiles / 4));
    chunk = (row_tiles + chunks - 1) / chunks * kTileRows;
    chunks = (p.M + chunk - 1) / chunk;
    scratch = (packed ? 0 : group * panel_elements()) + strip_elements() + kTileRows * kTileColumns<T>;
  }
  std::int64_t panel_elements() const { return (depth + Panels<E>::kColumnRows) * kTileColumns<T>; }
  std::int64_t strip_elements() const { return kStrips * kTileRows * (depth + kLanes<T>); }

  std::int64_t group, groups, chunk, chunks;
  std::int64_t scratch;  // elements of a thread
};

/// Asks for part `part` of `parts` of the strip of A that comes next.
template <class T>
void prefetch_strip(const Product<T>& p, std::int64_t row, std::int64_t k, std::int64_t depth, std::int64_t part,
                    std::int64_t parts) {
  constexpr std::int64_t kLine = 64 / static_cast<std::int64_t>(sizeof(T));
  constexpr int kSecondLevel = 2;
  if (p.access_a == AccessA::rows) {
    const std::int64_t rows = std::min<std::int64_t>(kTileRows, p.M - row);
    for (std::int64_t i = part * rows / parts; i < (part + 1) * rows / parts; ++i)
      for (std::int64_t j = 0; j < depth; j += kLine) __builtin_prefetch(p.a + (row + i) * p.lda + k + j, 0, kSecondLevel);
  } else {
    for (std::int64_t j = part * depth / parts; j < (part + 1) * depth / parts; ++j)
      __builtin_prefetch(p.a + (k + j) * p.lda + row, 0, kSecondLevel);
  }
}

/// to[strip][k kTileRows + i] = a[k lda + strip kTileRows + i], or pairs of that and the element below: a transposed A in
/// strips of kTileRows, a few at a time because one alone would use only half of each cache line it fetches.
template <class E>
void pack_strips(const ValueOf<E>* a, std::int64_t lda, std::int64_t rows, std::int64_t depth, E* to) {
  const std::int64_t steps = depth_steps<E>(depth);
  if (std::is_same_v<E, ValueOf<E>> && rows == kStrips * kTileRows) {
    for (std::int64_t k = 0; k < depth; ++k)
      for (std::int64_t strip = 0; strip < kStrips; ++strip)
        std::memcpy(to + (strip * depth + k) * kTileRows, a + k * lda + strip * kTileRows, kTileRows * sizeof(E));
    return;
  }
  for (std::int64_t step = 0; step < steps; ++step) {
    const std::int64_t k = step * Factor<E>::kDepth;
    for (std::int64_t i = 0; i < rows; ++i)
      to[(i / kTileRows * steps + step) * kTileRows + i % kTileRows] = factor_of<E>(a + k * lda + i, lda, k + 1 < depth);
  }
}

/// One panel of B, of one block of the depth. B as quads is a weight: access_b is rows.
template <class E>
void pack_panel(const Product<ValueOf<E>>& p, const Panels<E>& cut, std::int64_t block, std::int64_t panel, E* to) {
  const std::int64_t L = kLanes<ValueOf<E>>, begin = cut.first_vector(panel) * L, ld = cut.vectors_of(panel) * L;
  const std::int64_t k = block * cut.depth * Factor<E>::kDepth, columns = std::min(ld, p.N - begin);
  const std::int64_t depth = std::min(cut.steps_of(block) * Factor<E>::kDepth, p.K - k);
  if constexpr (!kQuantised<E>)
    if (p.access_b == AccessB::columns) return pack_columns(p.b + k * p.ldb + begin, p.ldb, columns, depth, to, ld);
  pack_rows(p.b + begin * p.ldb + k, p.ldb, columns, depth, to, ld);
}

static_assert(Panels<ByteQuad>::kDepth <= kMostQuads);

DETRACK_INSTANTIATE(void pack_panel(const Product<float>&, const Panels<BfloatPair>&, std::int64_t, std::int64_t,
                                    BfloatPair*))
DETRACK_INSTANTIATE(void pack_panel(const Product<float>&, const Panels<ByteQuad>&, std::int64_t, std::int64_t, ByteQuad*))

/// Up to kTileRows rows of A and some of its depth, as the micro-kernel takes them.
template <class E>
struct Strip {
  const E* a;
  std::int64_t lda;
  Quantised meaning[kQuantised<E> ? kTileRows : 1];
};

/// The strip of rows [row, end) at k. Rows of A are read in place, if they are factors. Lost: copying them where they lie a
/// multiple of a page apart and compete for the same sets of the first-level cache (K = 3072: 73 % of peak with the copy, 84
/// % without; eight rows fit its twelve ways).
template <class E>
Strip<E> strip_of_rows(const Product<ValueOf<E>>& p, std::int64_t row, std::int64_t end, std::int64_t k, std::int64_t depth,
                       E* memory, std::int64_t ld) {
  const ValueOf<E>* const from = p.a + row * p.lda + k;
  Strip<E> strip{memory, ld, {}};
  if constexpr (std::is_same_v<E, ValueOf<E>>)
    strip.a = from, strip.lda = p.lda;
  else
    for (std::int64_t i = 0; i < std::min<std::int64_t>(kTileRows, end - row); ++i) {
      if constexpr (kQuantised<E>)
        strip.meaning[i] = quantise_row(from + i * p.lda, depth, memory + i * ld);
      else
        pair_row(from + i * p.lda, depth, memory + i * ld);
    }
  return strip;
}

/// The same of a transposed A: copied kStrips at a time, when the first of them is asked for, or as it lies.
template <class E>
Strip<E> strip_of_columns(const Product<ValueOf<E>>& p, std::int64_t row, std::int64_t end, std::int64_t k,
                          std::int64_t depth, std::int64_t index, bool copy, E* memory) {
  const ValueOf<E>* const from = p.a + k * p.lda + row;
  if constexpr (std::is_same_v<E, ValueOf<E>>)
    if (!copy) return {from, p.lda, {}};
  if (index % kStrips == 0) pack_strips(from, p.lda, std::min<std::int64_t>(kStrips * kTileRows, end - row), depth, memory);
  return {memory + index % kStrips * depth_steps<E>(depth) * kTileRows, kTileRows, {}};
}

/// tile(i, j) for finish_tile: the sums of products, or what sums of integers stand for.
template <class E>
auto sums_of_tile(const SumOf<E>* tile, std::int64_t ld, const Strip<E>& strip, const E* behind_panel) {
  if constexpr (kQuantised<E>) {
    // Of (s q + o) (step p), summed over the depth: s step sum(q p) + o step sum(p).
    const float* const steps = reinterpret_cast<const float*>(behind_panel);
    return [ =, &strip ](std::int64_t i, std::int64_t j) __attribute__((always_inline)) {
      const Quantised row = strip.meaning[i];
      return __builtin_convertvector(load(tile + i * ld + j), Vector<float>) * (row.scale * load(steps + j)) +
             row.offset * load(steps + ld + j);
    };
  } else {
    return [=](std::int64_t i, std::int64_t j) __attribute__((always_inline)) {
      return load(tile + i * ld + j);
    };
  }
}

/// One task: a group of column panels times a chunk of rows. For each block of K the panels of B, if they are not packed
/// yet, are packed into this thread's scratch, where they stay in the second-level cache, and every strip of kTileRows rows
/// of A, which stays in the first-level cache, meets all of them.
template <class E>
void multiply_group(const Product<ValueOf<E>>& p, const E* packed, const Blocking<E>& blocking, std::int64_t group,
                    std::int64_t chunk, ValueOf<E>* scratch) {
  constexpr std::int64_t L = kLanes<ValueOf<E>>;
  const std::int64_t panel_begin = group * blocking.group;
  const std::int64_t panels = std::min(blocking.group, blocking.panels - panel_begin);
  const std::int64_t row_begin = chunk * blocking.chunk, row_end = std::min(row_begin + blocking.chunk, p.M);
  E* const own = reinterpret_cast<E*>(scratch);
  E* const rows_of_a = own + (packed ? 0 : blocking.group * blocking.panel_elements());
  SumOf<E>* const tile = reinterpret_cast<SumOf<E>*>(rows_of_a + blocking.strip_elements());

  for (std::int64_t block = 0; block < blocking.depth_blocks; ++block) {
    const std::int64_t steps = blocking.steps_of(block), k = block * blocking.depth * Factor<E>::kDepth;
    const std::int64_t depth = std::min(steps * Factor<E>::kDepth, p.K - k);
    if (!packed)
      for (std::int64_t i = 0; i < panels; ++i)
        pack_panel(p, blocking, block, panel_begin + i, own + i * blocking.panel_elements());
    for (std::int64_t row = row_begin; row < row_end; row += kTileRows) {
      const std::int64_t rows = std::min<std::int64_t>(kTileRows, row_end - row);
      const auto meet_panels = [&]<AccessA Access>(std::integral_constant<AccessA, Access>, const Strip<E>& strip) {
        for (std::int64_t i = 0; i < panels; ++i) {
          const std::int64_t vectors = blocking.vectors_of(panel_begin + i), ld = vectors * L;
          const std::int64_t begin = blocking.first_vector(panel_begin + i) * L;
          const E* const panel =
              packed ? packed + blocking.packed_at(block, panel_begin + i) : own + i * blocking.panel_elements();
          if (row + kTileRows < row_end) prefetch_strip(p, row + kTileRows, k, depth, i, panels);
          multiply_rows<E, Access>(rows, vectors, steps, strip.a, strip.lda, panel, ld, tile, ld, false);
          finish_tile(p, sums_of_tile(tile, ld, strip, panel + steps * ld), row, rows, begin, std::min(ld, p.N - begin),
                      block == 0, block + 1 == blocking.depth_blocks);
        }
      };
      if constexpr (!kQuantised<E>)
        if (p.access_a == AccessA::columns) {
          meet_panels(std::integral_constant<AccessA, AccessA::columns>{},
                      strip_of_columns<E>(p, row, row_end, k, depth, (row - row_begin) / kTileRows, panels > 1, rows_of_a));
          continue;
        }
      meet_panels(std::integral_constant<AccessA, AccessA::rows>{},
                  strip_of_rows<E>(p, row, row_end, k, depth, rows_of_a, blocking.depth));
    }
  }
}

/// Factors are multiplied as E: T itself, BfloatPair, or ByteQuad. `packed` is B as PackedWeights has packed it; then p.b is
/// not read.
template <class E, class T>
void multiply(Team<T>& team, const Product<T>& p, const E* packed = nullptr) {
  if (p.M == 0 || p.N == 0) return;
  const Blocking<E> blocking(p, team.threads(), packed != nullptr);
  team.reserve(blocking.scratch);
  const double work =
      static_cast<double>(p.M) * static_cast<double>(depth_steps<E>(p.K)) * static_cast<double>(blocking.vectors);
  team.parallel(blocking.groups * blocking.chunks, work, [&](std::int64_t task, T* scratch) {
    multiply_group<E>(p, packed, blocking, task / blocking.chunks, task % blocking.chunks, scratch);
  });
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
