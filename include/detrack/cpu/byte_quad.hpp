// Factors of a matrix product as 8-bit integers, four along the depth at a time, with sums in 32-bit integers.
#pragma once

#include <algorithm>
#include <limits>

#include "detrack/cpu/factor.hpp"
#include "detrack/cpu/simd.hpp"

#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#include <immintrin.h>
#elif defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#endif

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// Elements k (lowest byte) to k + 3 of a row of A or a column of B, rounded to integers. Those of B are signed, those of A
/// as the processor wants them.
struct ByteQuad {
  std::uint32_t bits;
};
template <>
struct SimdOf<ByteQuad> {
  using Vector = std::uint32_t __attribute__((vector_size(kVectorBytes)));
};
template <>
struct SimdOf<std::int32_t> {
  using Vector = std::int32_t __attribute__((vector_size(kVectorBytes)));
};
template <>
struct Factor<ByteQuad> {
  using Value = float;
  using Sum = std::int32_t;
  static constexpr int kDepth = 4, kColumnRows = 2;  // a column's step, and the sum of its rounded elements
};

/// Whether the processor that is compiled for multiplies quads, and what it takes of A. If it does not, it is done in a
/// dozen operations, slower than float.
#if defined(__AVX512VNNI__) || (defined(__AVXVNNI__) && !defined(__AVX512F__))
inline constexpr bool kMultipliesQuads = true, kSignedRows = false;
#elif defined(__ARM_FEATURE_DOTPROD)
inline constexpr bool kMultipliesQuads = true, kSignedRows = true;
#else
inline constexpr bool kMultipliesQuads = false, kSignedRows = true;
#endif

DETRACK_INLINE Vector<ByteQuad> splat(ByteQuad x) {
  return Vector<ByteQuad>{} + x.bits;
}

namespace emulated {  // also what the tests hold the processor's instructions against

/// sum + the four products of each quad.
DETRACK_INLINE Vector<std::int32_t> multiply_add(Vector<std::int32_t> sum, Vector<ByteQuad> a, Vector<ByteQuad> b) {
  unroll<4>([&](auto i) __attribute__((always_inline)) {
    const Vector<ByteQuad> x = a << (24 - 8 * i), y = b << (24 - 8 * i);
    const auto row =
        kSignedRows ? reinterpret_cast<Vector<std::int32_t>>(x) >> 24 : reinterpret_cast<Vector<std::int32_t>>(x >> 24);
    sum += row * (reinterpret_cast<Vector<std::int32_t>>(y) >> 24);
  });
  return sum;
}

}  // namespace emulated

#if defined(__AVX512VNNI__)
DETRACK_INLINE Vector<std::int32_t> multiply_add(Vector<std::int32_t> sum, Vector<ByteQuad> a, Vector<ByteQuad> b) {
  return reinterpret_cast<Vector<std::int32_t>>(
      _mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
}
#elif defined(__AVXVNNI__) && !defined(__AVX512F__)
DETRACK_INLINE Vector<std::int32_t> multiply_add(Vector<std::int32_t> sum, Vector<ByteQuad> a, Vector<ByteQuad> b) {
  return reinterpret_cast<Vector<std::int32_t>>(
      _mm256_dpbusd_avx_epi32(reinterpret_cast<__m256i>(sum), reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
}
#elif defined(__ARM_FEATURE_DOTPROD)
DETRACK_INLINE Vector<std::int32_t> multiply_add(Vector<std::int32_t> sum, Vector<ByteQuad> a, Vector<ByteQuad> b) {
  return reinterpret_cast<Vector<std::int32_t>>(
      vdotq_s32(reinterpret_cast<int32x4_t>(sum), reinterpret_cast<int8x16_t>(a), reinterpret_cast<int8x16_t>(b)));
}
#else
using emulated::multiply_add;
#endif

/// What the integers q of a row stand for: elements scale q + offset.
struct Quantised {
  float scale, offset;
};

namespace detail {

/// A row's elements, a vector from k on at a time; those behind the last one are `other`.
struct PaddedRow {
  const float* from;
  std::int64_t depth;
  float other;

  DETRACK_INLINE Vector<float> operator()(std::int64_t k) const {
    const std::int64_t left = depth - k;
    return left >= kLanes<float> ? load(from + k) : keep_some(load_some(from + k, left), left, other);
  }
};

/// The lowest and the highest element; NaN both where one is not finite or they are further apart than a float holds.
struct Range {
  float low, high;
};
DETRACK_INLINE Range range_of(const PaddedRow& x) {
  if (x.depth == 0) return {0, 0};
  Vector<float> low = x(0), high = low, differences{};
  for (std::int64_t k = 0; k < x.depth; k += kLanes<float>) {
    const Vector<float> v = x(k);
    low = min<float>(v, low), high = max<float>(v, high);
    differences += v - v;
  }
  const Range range{-max_lanes<float>(-low), max_lanes<float>(high)};
  if (range.high - range.low + sum_lanes<float>(differences) < std::numeric_limits<float>::infinity()) return range;
  return {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::quiet_NaN()};
}

/// bytes[k] = x(k) in steps of `scale` from `low` on, rounded, less `zero`: whole vectors of bytes.
DETRACK_INLINE void round_to_bytes(const PaddedRow& x, float low, float scale, std::int32_t zero, ByteQuad* to) {
  using Bytes = std::int8_t __attribute__((vector_size(kLanes<float>)));
  const float steps = 1 / scale;
  for (std::int64_t k = 0; k < x.depth; k += kLanes<float>) {
    const auto q = __builtin_convertvector((x(k) - low) * steps + 0.5f, Vector<std::int32_t>) - zero;
    const Bytes bytes = __builtin_convertvector(q, Bytes);
    std::memcpy(reinterpret_cast<std::int8_t*>(to) + k, &bytes, sizeof bytes);
  }
}

/// Elements closer together than this are one: a step's inverse must be a float, too.
inline constexpr float kSmallestRange = 1e-35f;

}  // namespace detail

/// A row of A, of `depth` elements, in 256 steps from the lowest to the highest one. `to` has room for whole vectors of
/// bytes; what stands behind the last element means nothing. A row that is not finite stands for NaN.
inline Quantised quantise_row(const float* from, std::int64_t depth, ByteQuad* to) {
  const detail::PaddedRow x{from, depth, depth > 0 ? from[0] : 0};
  const auto [low, high] = detail::range_of(x);
  if (!(high - low > detail::kSmallestRange)) {
    std::fill_n(to, depth_steps<ByteQuad>(depth), ByteQuad{0});
    return {0, low};
  }
  constexpr int kZero = kSignedRows ? 128 : 0;
  const float scale = (high - low) / 255;
  detail::round_to_bytes(x, low, scale, kZero, to);
  return {scale, low + kZero * scale};
}

/// A column of B, contiguous here, in 127 steps to either side of 0; behind the last element stand zeros. Returns the size
/// of a step: 0 where all is nothing, NaN where the column is not finite or reaches further than half of what a float holds.
inline float quantise_column(const float* from, std::int64_t depth, ByteQuad* to) {
  const detail::PaddedRow x{from, depth, 0};
  const auto [low, high] = detail::range_of(x);
  const float top = std::max(-low, high);  // NaN where both are
  if (top > detail::kSmallestRange && top <= std::numeric_limits<float>::max() / 2) {
    detail::round_to_bytes(x, -top, top / 127, 127, to);
    return top / 127;
  }
  std::fill_n(to, depth_steps<ByteQuad>(depth), ByteQuad{0});
  return top <= detail::kSmallestRange ? 0 : std::numeric_limits<float>::quiet_NaN();
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
