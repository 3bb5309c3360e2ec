// How the CPU multiplies matrices.
#pragma once

#include "detrack/cpu/bfloat_pair.hpp"
#include "detrack/cpu/byte_quad.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// How the factors of matrix products are multiplied; those of few rows stay T unless their weight is packed. Sums of
/// products, and everything that is no product, are of T in any case.
enum class Products {
  full,  ///< as T
  /// Rounded to bfloat16 (relative error 2^-9): faster where pairs_pay(), else slower.
  bfloat16,
  /// Those of linear layers, forward, rounded to 8-bit integers: each row of the input in 256 steps from its lowest to its
  /// highest element, each row of the weight in 127 to either side of 0. Faster where the processor multiplies these
  /// (AVX512-VNNI, AVX-VNNI, ARM's dot products), else slower. All others as bfloat16 where pairs_pay(), else as T.
  int8
};

constexpr const char* name_of(Products products) {
  return products == Products::full ? "full" : products == Products::bfloat16 ? "bfloat16" : "int8";
}

/// Whether the processor that is compiled for multiplies so by itself.
constexpr bool multiplies(Products products) {
  return products == Products::full || (products == Products::bfloat16 ? kMultipliesPairs : kMultipliesQuads);
}

/// Whether products in bfloat16 are faster than float's. Intel's processors multiply pairs at half of float's rate outside
/// their tile unit (Emerald Rapids, 2026-11-27).
inline bool pairs_pay() {
#if defined(__x86_64__)
  return kMultipliesPairs && !__builtin_cpu_is("intel");
#else
  return kMultipliesPairs;
#endif
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
