// Vector width, register tile, and the name of the namespace that keeps differently compiled translation units apart.
#pragma once

#if defined(__AVX512F__)
#define DETRACK_CPU_VECTOR_BYTES 64
#elif defined(__AVX__)
#define DETRACK_CPU_VECTOR_BYTES 32
#else
#define DETRACK_CPU_VECTOR_BYTES 16
#endif

#define DETRACK_CPU_PASTE2(a, b, c, d, e) a##b##c##d##e
#define DETRACK_CPU_PASTE(a, b, c, d, e) DETRACK_CPU_PASTE2(a, b, c, d, e)
#if defined(__FMA__)
#define DETRACK_CPU_FMA _fma
#else
#define DETRACK_CPU_FMA
#endif
#if defined(__AVX512BF16__) || defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
#define DETRACK_CPU_BF16 _bf16
#else
#define DETRACK_CPU_BF16
#endif
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__) || defined(__ARM_FEATURE_DOTPROD)
#define DETRACK_CPU_DOT _dot
#else
#define DETRACK_CPU_DOT
#endif

/// Everything in cpu/ lives in detrack::cpu::<this>: two translation units compiled with different flags then hold
/// different functions, and the linker cannot give one of them the other's instructions.
#define DETRACK_CPU_ISA DETRACK_CPU_PASTE(simd, DETRACK_CPU_VECTOR_BYTES, DETRACK_CPU_FMA, DETRACK_CPU_BF16, DETRACK_CPU_DOT)

#define DETRACK_INLINE inline __attribute__((always_inline))

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

inline constexpr int kVectorBytes = DETRACK_CPU_VECTOR_BYTES;

/// The register tile of the micro-kernel: kTileRows x kTileVectors accumulators, which with kTileVectors vectors of B
/// and a broadcast of A must fit the 32 (AVX-512, ARM) or 16 vector registers.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int kTileRows = 8, kTileVectors = 3;
#elif defined(__AVX__)
inline constexpr int kTileRows = 6, kTileVectors = 2;
#else
inline constexpr int kTileRows = 4, kTileVectors = 2;
#endif

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
