// Vectorised exponential, square root, GELU and the other activations. NaN in, NaN out.
#pragma once

#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

#include "detrack/cpu/simd.hpp"
#include "detrack/ops/activation.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// What exponentials need to know about a floating-point format.
template <class T>
struct ExpTraits;
template <>
struct ExpTraits<float> {
  static constexpr int kFractionBits = 23, kBias = 127;
  static constexpr float kLowest = -88.0f, kHighest = 88.3f;                 // 2^-127, which reads as 0, and 2^127
  static constexpr float kLn2High = 0x1.63p-1f, kLn2Low = -0x1.bd0106p-13f;  // n * kLn2High is exact
  /// (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2: relative error of e^r 3e-9.
  static constexpr float kExp[] = {0x1.fffffcp-2f, 0x1.55548ap-3f, 0x1.555916p-5f, 0x1.123fc6p-7f, 0x1.6a1a72p-10f};
};
template <>
struct ExpTraits<double> {
  static constexpr int kFractionBits = 52, kBias = 1023;
  static constexpr double kLowest = -709.1, kHighest = 709.4;
  static constexpr double kLn2High = 0x1.62e42feep-1, kLn2Low = 0x1.a39ef35793c76p-33;
  /// Taylor's series: the first term left out is 5e-18.
  static constexpr double kExp[] = {1. / 2,     1. / 6,      1. / 24,      1. / 120,      1. / 720,       1. / 5040,
                                    1. / 40320, 1. / 362880, 1. / 3628800, 1. / 39916800, 1. / 479001600, 1. / 6227020800.};
};

/// Polynomial with the given coefficients, lowest first (Horner, unrolled by hand: at -O2 the compiler would loop).
template <class T, std::size_t N>
DETRACK_INLINE Vector<T> polynomial(const T (&coefficients)[N], Vector<T> x) {
  Vector<T> y = splat(coefficients[N - 1]);
  unroll<static_cast<int>(N) - 1>([&](auto i) __attribute__((always_inline)) { y = y * x + coefficients[N - 2 - i]; });
  return y;
}

/// n rounded to an integer, and 2^n: n must lie within the exponents' range. Adding 1.5 x 2^fraction bits leaves the
/// rounded integer in the low bits.
template <class T>
struct RoundedPower {
  Vector<T> n, power;
};
template <class T>
DETRACK_INLINE RoundedPower<T> rounded_power(Vector<T> n) {
  using E = ExpTraits<T>;
  constexpr T shift = static_cast<T>(3ull << (E::kFractionBits - 1));
  const Vector<T> shifted = n + shift;
  const Vector<T> zero_point = splat(shift);
  const Bits<T> exponent = std::bit_cast<Bits<T>>(shifted) - std::bit_cast<Bits<T>>(zero_point) + E::kBias;
  const Bits<T> bits = exponent << E::kFractionBits;
  return {shifted - shift, std::bit_cast<Vector<T>>(bits)};
}

/// e^x to about an ulp; what is below the smallest normal number is 0, and from e^kHighest on it saturates.
template <class T>
DETRACK_INLINE Vector<T> exp(Vector<T> x) {
  using E = ExpTraits<T>;
  x = E::kLowest > x ? splat(E::kLowest) : x;
  x = E::kHighest < x ? splat(E::kHighest) : x;
  const auto [n, power] = rounded_power<T>(x * static_cast<T>(std::numbers::log2e));
  const Vector<T> r = (x - n * E::kLn2High) - n * E::kLn2Low;
  return (polynomial(E::kExp, r) * (r * r) + (r + T(1))) * power;
}

/// Square roots of numbers that are not negative, to about an ulp; a subnormal number's is too small. The vector extensions
/// have none: Newton's iteration for 1 / sqrt(x), each step doubling the bits, from the one that halving the exponent gives.
template <class T>
DETRACK_INLINE Vector<T> sqrt(Vector<T> x) {
  using E = ExpTraits<T>;
  constexpr int kSteps = sizeof(T) == 4 ? 3 : 4;
  // The bits of a number, read as an integer, are nearly linear in its logarithm; half of them from 1.5 times those of 1
  // are nearly those of 1 / sqrt(x). 0.045: the mean error.
  constexpr auto kOrigin = static_cast<std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>>(
      1.5 * (E::kBias - 0.0450466) * static_cast<double>(1ull << E::kFractionBits));
  const Vector<T> safe = max<T>(x, splat(std::numeric_limits<T>::min()));  // the bits of 0 tell nothing
  const Bits<T> bits = kOrigin - (std::bit_cast<Bits<T>>(safe) >> 1);
  Vector<T> y = std::bit_cast<Vector<T>>(bits);
  unroll<kSteps>([&](auto) __attribute__((always_inline)) { y = y * (T(1.5) - T(0.5) * safe * y * y); });
  const Vector<T> root = x * y;
  return root + T(0.5) * y * (x - root * root);
}

/// a P(X > a) of a standard normal X for a >= 0, with an absolute error of 3e-8: -log2 of the tail is so smooth that a
/// polynomial of degree 9 gives it on [0, 5.6], beyond which the product is below 6e-8.
/// Lost: rational approximations of erf (as many operations and a division; 8e-7 off in the negative tail, where
/// x (1 + erf) cancels).
DETRACK_INLINE Vector<float> normal_tail(Vector<float> a) {
  static constexpr float kLog2Tail[] = {-0x1p+0f,         -0x1.26aecap+0f,  -0x1.d63d3cp-2f,  -0x1.ada88cp-5f,
                                        0x1.c7fb3p-8f,    -0x1.b30b72p-17f, -0x1.18a282p-12f, 0x1.22c568p-14f,
                                        -0x1.1f394cp-17f, 0x1.d98d36p-22f};
  static constexpr float kExp2[] = {1.0f,           0x1.62e43p-1f,   0x1.ebfbdcp-3f, 0x1.c6aed8p-5f,
                                    0x1.3b2d68p-7f, 0x1.5f4704p-10f, 0x1.41f62p-13f};
  const Vector<float> log2_tail = polynomial(kLog2Tail, a);
  const auto [n, power] = rounded_power<float>(log2_tail);
  return polynomial(kExp2, log2_tail - n) * power;
}

DETRACK_INLINE Vector<float> clamped_magnitude(Vector<float> x) {
  const Vector<float> a = x < 0.0f ? -x : x;
  return a > 5.6f ? splat(5.6f) : a;
}

/// x Phi(x) = max(x, 0) - |x| Phi(-|x|).
DETRACK_INLINE Vector<float> gelu(Vector<float> x) {
  const Vector<float> a = clamped_magnitude(x);
  return (x < 0.0f ? splat(0.0f) : x) - a * normal_tail(a);
}
/// Phi(x) + x phi(x).
DETRACK_INLINE Vector<float> gelu_slope(Vector<float> x) {
  const Vector<float> tail = normal_tail(clamped_magnitude(x));
  const Vector<float> density =
      exp<float>(x * x * -0.5f) * static_cast<float>(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
  return (x < 0.0f ? tail : 1.0f - tail) + x * density;
}

/// Doubles are for checking: the library's erf, a lane at a time.
DETRACK_INLINE Vector<double> normal_distribution(Vector<double> x) {
  for (int i = 0; i < kLanes<double>; ++i) x[i] = 0.5 * (1 + std::erf(x[i] / std::numbers::sqrt2));
  return x;
}
DETRACK_INLINE Vector<double> gelu(Vector<double> x) {
  return x * normal_distribution(x);
}
DETRACK_INLINE Vector<double> gelu_slope(Vector<double> x) {
  return normal_distribution(x) + x * exp<double>(x * x * -0.5) * (std::numbers::inv_sqrtpi / std::numbers::sqrt2);
}

template <class T, Activation kind>
DETRACK_INLINE Vector<T> activate(Vector<T> x) {
  if constexpr (kind == Activation::relu)
    return x < T(0) ? splat(T(0)) : x;
  else if constexpr (kind == Activation::gelu)
    return gelu(x);
  else if constexpr (kind == Activation::sigmoid)
    return T(1) / (T(1) + exp<T>(-x));
  else
    return x;
}

/// f'(x).
template <class T, Activation kind>
DETRACK_INLINE Vector<T> activation_slope(Vector<T> x) {
  if constexpr (kind == Activation::relu) {
    return x > T(0) ? splat(T(1)) : splat(T(0));
  } else if constexpr (kind == Activation::gelu) {
    return gelu_slope(x);
  } else if constexpr (kind == Activation::sigmoid) {
    const Vector<T> y = activate<T, kind>(x);
    return y * (T(1) - y);
  } else {
    return splat(T(1));
  }
}

/// f(integral_constant<Activation, kind>).
template <class F>
DETRACK_INLINE void with_activation(Activation kind, F&& f) {
  switch (kind) {
    case Activation::identity: return f(std::integral_constant<Activation, Activation::identity>{});
    case Activation::relu: return f(std::integral_constant<Activation, Activation::relu>{});
    case Activation::gelu: return f(std::integral_constant<Activation, Activation::gelu>{});
    case Activation::sigmoid: return f(std::integral_constant<Activation, Activation::sigmoid>{});
  }
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
