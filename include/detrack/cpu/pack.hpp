// Copies of matrix blocks in the order in which the micro-kernel reads them, padded with zeros to whole vectors.
#pragma once

#include <type_traits>

#include "detrack/cpu/bfloat_pair.hpp"
#include "detrack/cpu/byte_quad.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// The factor of an element, for pairs with the one `next` behind it, if there is one.
template <class E>
DETRACK_INLINE E factor_of(const ValueOf<E>* element, std::int64_t next, bool has_next) {
  if constexpr (std::is_same_v<E, BfloatPair>)
    return pair_of(element[0], has_next ? element[next] : 0.0f);
  else
    return element[0];
}

/// A vector of factors from as many elements in a row as they hold.
template <class E>
DETRACK_INLINE Vector<E> load_factors(const ValueOf<E>* from) {
  if constexpr (std::is_same_v<E, BfloatPair>)
    return pair_neighbours(load(from), load(from + kLanes<float>));
  else
    return load(from);
}

/// to[k ld + n] = from[n ldf + k] for n < columns, k < depth, or pairs of from[n ldf + k] and from[n ldf + k + 1], half as
/// many: rows of `from` become columns, a square of vectors at a time.
/// Asking for the square below early is worth 10 % where weights come from memory; for pack_columns it is worth nothing.
template <class E>
inline void pack_rows(const ValueOf<E>* from, std::int64_t ldf, std::int64_t columns, std::int64_t depth, E* to,
                      std::int64_t ld) {
  using T = ValueOf<E>;
  constexpr std::int64_t L = kLanes<T>, kStep = Factor<E>::kDepth;
  for (std::int64_t n = 0; n < columns; n += L) {
    const T* rows = from + n * ldf;
    const std::int64_t height = columns - n < L ? columns - n : L;
    std::int64_t k = 0;
    Vector<E> block[L];
    if (height == L)
      for (; k + kStep * L <= depth; k += kStep * L) {
        unroll<L>([&](auto i) __attribute__((always_inline)) {
          const T* row = rows + i * ldf + k;
          block[i] = load_factors<E>(row);
          unroll<kStep>([&](auto j) __attribute__((always_inline)) { __builtin_prefetch(row + L * ldf + j * L); });  // below
        });
        transpose<E>(block);
        unroll<L>([&](auto i) __attribute__((always_inline)) { store(to + (k / kStep + i) * ld + n, block[i]); });
      }
    for (; k < depth; k += kStep) {
      E column[L] = {};
      for (std::int64_t i = 0; i < height; ++i) column[i] = factor_of<E>(rows + i * ldf + k, 1, k + 1 < depth);
      std::memcpy(to + k / kStep * ld + n, column, sizeof column);
    }
  }
}

/// to[k ld + n] = from[k ldf + n] for n < columns, k < depth, or pairs of that and from[(k + 1) ldf + n].
template <class E>
inline void pack_columns(const ValueOf<E>* from, std::int64_t ldf, std::int64_t columns, std::int64_t depth, E* to,
                         std::int64_t ld) {
  using T = ValueOf<E>;
  constexpr std::int64_t L = kLanes<T>, kStep = Factor<E>::kDepth;
  for (std::int64_t k = 0; k < depth; k += kStep) {
    const T* const row = from + k * ldf;
    E* const line = to + k / kStep * ld;
    for (std::int64_t n = 0; n < columns; n += L) {
      const std::int64_t left = columns - n;
      const auto get = [&](const T* at) __attribute__((always_inline)) {
        return left >= L ? load(at + n) : load_some(at + n, left);
      };
      if constexpr (kStep == 1)
        store(line + n, get(row));
      else
        store(line + n, pair_lanes(get(row), k + 1 < depth ? get(row + ldf) : Vector<T>{}));
    }
  }
}

/// Depth of the longest column of quads that is packed.
inline constexpr std::int64_t kMostQuads = 512;

/// The same as quads: to[s ld + n] becomes that of from[n ldf + 4 s] to from[n ldf + 4 s + 3], in steps of their own for
/// each n. Behind them come two rows of floats: the columns' steps, and the sums of their rounded elements.
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
