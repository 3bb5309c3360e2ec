// How the CPU multiplies matrices.
#pragma once

#include "detrack/cpu/bfloat_pair.hpp"
#include "detrack/cpu/byte_quad.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// How the factors of matrix products are multiplied; those of few rows stay T unless their weight is packed. Sums of
/// products, and everything that is no product, are of T in any case.
enum class Products {
  full,      ///< as T
  bfloat16,  ///< rounded to bfloat16 (relative error 2^-9): faster where the processor multiplies it (AVX512-BF16), else
             ///< slower
  int8       ///< those of linear layers, forward, rounded to 8-bit integers: inputs in 256 steps between the least and the
        ///< greatest of each row, weights in 127 to either side of 0 in each of theirs. Faster where the processor
        ///< multiplies these (AVX512-VNNI, AVX-VNNI, ARM's dot products), else slower. All others as bfloat16 where that is
        ///< faster, or as T
};

constexpr const char* name_of(Products products) {
  return products == Products::full ? "full" : products == Products::bfloat16 ? "bfloat16" : "int8";
}

/// Whether the processor that is compiled for multiplies so by itself.
constexpr bool multiplies(Products products) {
  return products == Products::full || (products == Products::bfloat16 ? kMultipliesPairs : kMultipliesQuads);
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
