// Factors of a matrix product in bfloat16, two along the depth at a time, with sums in float.
#pragma once

#include "detrack/core/dtype.hpp"
#include "detrack/cpu/factor.hpp"
#include "detrack/cpu/simd.hpp"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#elif defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
#include <arm_neon.h>
#endif

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// Elements k (low half) and k + 1 of a row of A or a column of B, rounded to bfloat16.
struct BfloatPair {
  std::uint32_t bits;
};
template <>
struct SimdOf<BfloatPair> {
  using Vector = std::uint32_t __attribute__((vector_size(kVectorBytes)));
};
template <>
struct Factor<BfloatPair> {
  using Value = float;
  using Sum = float;
  static constexpr int kDepth = 2, kColumnRows = 0;
};

/// Whether the processor that is compiled for multiplies pairs. If not, it is done in four operations, slower than float.
#if defined(__AVX512BF16__) || defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
inline constexpr bool kMultipliesPairs = true;
#else
inline constexpr bool kMultipliesPairs = false;
#endif

DETRACK_INLINE Vector<BfloatPair> splat(BfloatPair x) {
  return Vector<BfloatPair>{} + x.bits;
}

namespace emulated {  // also what the tests hold the processor's instructions against

/// sum + both products of each pair.
DETRACK_INLINE Vector<float> multiply_add(Vector<float> sum, Vector<BfloatPair> a, Vector<BfloatPair> b) {
  constexpr std::uint32_t kSecond = 0xffff0000u;
  sum += reinterpret_cast<Vector<float>>(a & kSecond) * reinterpret_cast<Vector<float>>(b & kSecond);
  return sum + reinterpret_cast<Vector<float>>(a << 16) * reinterpret_cast<Vector<float>>(b << 16);
}

/// Floats rounded to bfloat16 as core/dtype.hpp does, each in the upper half of its lane.
DETRACK_INLINE Vector<BfloatPair> round_to_upper_half(Vector<float> x) {
  const auto u = reinterpret_cast<Vector<BfloatPair>>(x);
  const Vector<BfloatPair> rounded = u + 0x7fffu + ((u >> 16) & 1u);
  return ((u & 0x7fffffffu) > 0x7f800000u ? u | 0x00400000u : rounded) & 0xffff0000u;
}

/// Lane i becomes the pair of first[i] and second[i].
DETRACK_INLINE Vector<BfloatPair> pair_lanes(Vector<float> first, Vector<float> second) {
  return (round_to_upper_half(first) >> 16) | round_to_upper_half(second);
}

/// Lane i becomes the pair of elements 2 i and 2 i + 1 of the vectors' lanes in a row.
DETRACK_INLINE Vector<BfloatPair> pair_neighbours(Vector<float> low, Vector<float> high) {
  return [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
    return pair_lanes(__builtin_shufflevector(low, high, (2 * I)...), __builtin_shufflevector(low, high, (2 * I + 1)...));
  }
  (std::make_integer_sequence<int, kLanes<float>>{});
}

}  // namespace emulated

#if defined(__AVX512BF16__)
DETRACK_INLINE Vector<float> multiply_add(Vector<float> sum, Vector<BfloatPair> a, Vector<BfloatPair> b) {
  return reinterpret_cast<Vector<float>>(
      _mm512_dpbf16_ps(reinterpret_cast<__m512>(sum), reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b)));
}
DETRACK_INLINE Vector<BfloatPair> pair_neighbours(Vector<float> low, Vector<float> high) {
  return reinterpret_cast<Vector<BfloatPair>>(
      _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(high), reinterpret_cast<__m512>(low)));
}
#elif defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
DETRACK_INLINE Vector<float> multiply_add(Vector<float> sum, Vector<BfloatPair> a, Vector<BfloatPair> b) {
  return reinterpret_cast<Vector<float>>(vbfdotq_f32(
      reinterpret_cast<float32x4_t>(sum), reinterpret_cast<bfloat16x8_t>(a), reinterpret_cast<bfloat16x8_t>(b)));
}
using emulated::pair_neighbours;
#else
using emulated::multiply_add;
using emulated::pair_neighbours;
#endif
using emulated::pair_lanes;

inline BfloatPair pair_of(float first, float second) {
  return {bfloat16(first).bits | static_cast<std::uint32_t>(bfloat16(second).bits) << 16};
}

/// to[s] becomes the pair of from[2 s] and from[2 s + 1], for `depth` elements; a missing last one is 0.
inline void pair_row(const float* from, std::int64_t depth, BfloatPair* to) {
  constexpr std::int64_t L = kLanes<float>;
  std::int64_t k = 0;
  for (; k + 2 * L <= depth; k += 2 * L) store(to + k / 2, pair_neighbours(load(from + k), load(from + k + L)));
  for (; k < depth; k += 2) to[k / 2] = pair_of(from[k], k + 1 < depth ? from[k + 1] : 0.0f);
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
