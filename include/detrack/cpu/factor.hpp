// What the register tile multiplies: single elements, or several along the depth packed into one lane.
#pragma once

#include <cstdint>

#include "detrack/cpu/simd.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// A factor of a matrix product: float and double are factors themselves, BfloatPair and ByteQuad pack floats.
template <class E>
struct Factor {
  using Value = E;                       ///< of the matrices
  using Sum = E;                         ///< of the products
  static constexpr int kDepth = 1;       ///< elements in a factor
  static constexpr int kColumnRows = 0;  ///< rows of floats behind a packed panel of B, which say what its columns mean
};

template <class E>
using ValueOf = typename Factor<E>::Value;
template <class E>
using SumOf = typename Factor<E>::Sum;

/// Whether factors are integers, which scales make elements of: of rows of A, and of the columns of a panel of B.
template <class E>
inline constexpr bool kQuantised = Factor<E>::kColumnRows > 0;

/// Factors E that hold `depth` elements.
template <class E>
constexpr std::int64_t depth_steps(std::int64_t depth) {
  return (depth + Factor<E>::kDepth - 1) / Factor<E>::kDepth;
}

DETRACK_INLINE Vector<float> multiply_add(Vector<float> sum, Vector<float> a, Vector<float> b) {
  return sum + a * b;
}
DETRACK_INLINE Vector<double> multiply_add(Vector<double> sum, Vector<double> a, Vector<double> b) {
  return sum + a * b;
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
