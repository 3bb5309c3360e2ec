// Copies of matrix blocks in the order in which the micro-kernel reads them, padded with zeros to whole vectors.
#pragma once

#include "detrack/cpu/bfloat_pair.hpp"
#include "detrack/cpu/byte_quad.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// to[k ld + n] = from[n ldf + k] for n < columns, k < depth: rows of `from` become columns, a square of vectors at a time.
/// Asking for the square below early is worth 10 % where weights come from memory; for pack_columns it is worth nothing.
template <class T>
inline void pack_rows(const T* from, std::int64_t ldf, std::int64_t columns, std::int64_t depth, T* to, std::int64_t ld) {
  constexpr std::int64_t L = kLanes<T>;
  for (std::int64_t n = 0; n < columns; n += L) {
    const T* rows = from + n * ldf;
    const std::int64_t height = columns - n < L ? columns - n : L;
    std::int64_t k = 0;
    Vector<T> block[L];
    if (height == L)
      for (; k + L <= depth; k += L) {
        unroll<L>([&](auto i) __attribute__((always_inline)) {
          block[i] = load(rows + i * ldf + k);
          __builtin_prefetch(rows + (i + L) * ldf + k);  // the next square below
        });
        transpose<T>(block);
        unroll<L>([&](auto i) __attribute__((always_inline)) { store(to + (k + i) * ld + n, block[i]); });
      }
    for (; k < depth; ++k) {
      Vector<T> column{};
      for (std::int64_t i = 0; i < height; ++i) column[i] = rows[i * ldf + k];
      store(to + k * ld + n, column);
    }
  }
}

/// to[k ld + n] = from[k ldf + n] for n < columns, k < depth.
template <class T>
inline void pack_columns(const T* from, std::int64_t ldf, std::int64_t columns, std::int64_t depth, T* to, std::int64_t ld) {
  constexpr std::int64_t L = kLanes<T>;
  for (std::int64_t k = 0; k < depth; ++k) {
    const T* row = from + k * ldf;
    std::int64_t n = 0;
    for (; n + L <= columns; n += L) store(to + k * ld + n, load(row + n));
    if (n < columns) store(to + k * ld + n, load_some(row + n, columns - n));
  }
}

/// The same in pairs: to[s ld + n] becomes the pair of from[n ldf + 2 s] and from[n ldf + 2 s + 1]; a missing last one is 0.
inline void pack_rows(const float* from, std::int64_t ldf, std::int64_t columns, std::int64_t depth, BfloatPair* to,
                      std::int64_t ld) {
  constexpr std::int64_t L = kLanes<float>;
  for (std::int64_t n = 0; n < columns; n += L) {
    const float* rows = from + n * ldf;
    const std::int64_t height = columns - n < L ? columns - n : L;
    std::int64_t k = 0;
    Vector<BfloatPair> block[L];
    if (height == L)
      for (; k + 2 * L <= depth; k += 2 * L) {
        unroll<L>([&](auto i) __attribute__((always_inline)) {
          const float* row = rows + i * ldf + k;
          block[i] = pair_neighbours(load(row), load(row + L));
          __builtin_prefetch(row + L * ldf);  // the next block below
          __builtin_prefetch(row + L * ldf + L);
        });
        transpose<BfloatPair>(block);
        unroll<L>([&](auto i) __attribute__((always_inline)) { store(to + (k / 2 + i) * ld + n, block[i]); });
      }
    for (; k < depth; k += 2) {
      Vector<BfloatPair> column{};
      for (std::int64_t i = 0; i < height; ++i) {
        const float* row = rows + i * ldf + k;
        column[i] = pair_of(row[0], k + 1 < depth ? row[1] : 0.0f).bits;
      }
      store(to + k / 2 * ld + n, column);
    }
  }
}

/// to[s ld + n] becomes the pair of from[2 s ldf + n] and from[(2 s + 1) ldf + n]; a missing last row is 0.
inline void pack_columns(const float* from, std::int64_t ldf, std::int64_t columns, std::int64_t depth, BfloatPair* to,
                         std::int64_t ld) {
  constexpr std::int64_t L = kLanes<float>;
  for (std::int64_t k = 0; k < depth; k += 2) {
    const float* row = from + k * ldf;
    const bool both = k + 1 < depth;
    for (std::int64_t n = 0; n < columns; n += L) {
      const std::int64_t left = columns - n;
      const auto get = [&](const float* at) { return left >= L ? load(at) : load_some(at, left); };
      store(to + k / 2 * ld + n, pair_lanes(get(row + n), both ? get(row + ldf + n) : Vector<float>{}));
    }
  }
}

/// The same as quads: to[s ld + n] becomes that of from[n ldf + 4 s] to from[n ldf + 4 s + 3], in steps of their own for
/// each n. Behind them come two rows of floats: the columns' steps, and the sums of their rounded elements. At most
/// kMostQuads of depth.
inline constexpr std::int64_t kMostQuads = 512;
inline void pack_rows(const float* from, std::int64_t ldf, std::int64_t columns, std::int64_t depth, ByteQuad* to,
                      std::int64_t ld) {
  const std::int64_t quads = depth_steps<ByteQuad>(depth);
  ByteQuad column[kMostQuads];
  for (std::int64_t n = 0; n < ld; ++n) {
    float step = 0;
    std::int32_t sum = 0;
    if (n < columns)
      step = quantise_column(from + n * ldf, depth, column);
    else
      std::fill_n(column, quads, ByteQuad{0});
    for (std::int64_t s = 0; s < quads; ++s) {
      to[s * ld + n] = column[s];
      for (int shift = 0; shift < 32; shift += 8) sum += static_cast<std::int8_t>(column[s].bits >> shift & 0xffu);
    }
    const float of_column[] = {step, step * static_cast<float>(sum)};
    for (int i = 0; i < 2; ++i) std::memcpy(to + (quads + i) * ld + n, &of_column[i], sizeof(float));
  }
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
