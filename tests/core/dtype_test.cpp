// bfloat16 and float16, every code of them.
#include "detrack/core/dtype.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

using namespace detrack;

namespace {

template <class Small>
Small of_bits(std::uint32_t bits) {
  Small value;
  value.bits = static_cast<std::uint16_t>(bits);
  return value;
}

/// What a code means, from the definition: (-1)^s 1.f 2^(e-bias), or 0.f 2^(1-bias).
double meaning(std::uint32_t code, int fraction_bits, int exponent_bits) {
  const std::uint32_t fraction = code & ((1u << fraction_bits) - 1);
  const std::uint32_t exponent = (code >> fraction_bits) & ((1u << exponent_bits) - 1);
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const double sign = code & 0x8000u ? -1.0 : 1.0;
  if (exponent == (1u << exponent_bits) - 1)
    return fraction ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  const double one = exponent ? std::ldexp(1.0, fraction_bits) : 0.0;
  return sign * std::ldexp(one + fraction, static_cast<int>(exponent ? exponent : 1u) - bias - fraction_bits);
}

/// All 65,536 codes: their value, the round trip, and between neighbours: below the middle, the middle, above it.
template <class Small>
int count_mistakes(int fraction_bits, int exponent_bits) {
  int mistakes = 0;
  const std::uint32_t infinity = ((1u << exponent_bits) - 1) << fraction_bits;
  for (std::uint32_t code = 0; code < 65536; ++code) {
    const auto value = static_cast<float>(of_bits<Small>(code));
    const double expected = meaning(code, fraction_bits, exponent_bits);
    const Small back(value);
    if (std::isnan(expected)) {
      mistakes += !std::isnan(value) || !std::isnan(static_cast<float>(back)) || (back.bits & 0x8000u) != (code & 0x8000u);
      continue;
    }
    mistakes +=
        static_cast<double>(value) != expected || std::signbit(value) != ((code & 0x8000u) != 0) || back.bits != code;
    if ((code & 0x7fffu) >= infinity) continue;
    // Above the largest finite code the next one up counts as the power of two that it would have been.
    const std::uint32_t next = code + 1;
    const double above = (next & 0x7fffu) == infinity ? std::copysign(std::ldexp(1.0, 1 << (exponent_bits - 1)), expected)
                                                      : meaning(next, fraction_bits, exponent_bits);
    const auto middle = static_cast<float>((expected + above) / 2);  // exact in float
    const float less = std::nextafterf(middle, value), more = std::nextafterf(middle, 2 * static_cast<float>(above));
    mistakes += Small(middle).bits != (code % 2 == 0 ? code : next);
    mistakes += Small(less).bits != code;
    mistakes += std::isfinite(more) && Small(more).bits != next;
  }
  return mistakes;
}

}  // namespace

TEST_CASE("dtype: every float16 code means, returns and rounds as defined") {
  CHECK(count_mistakes<float16>(10, 5) == 0);
}

TEST_CASE("dtype: every bfloat16 code means, returns and rounds as defined") {
  CHECK(count_mistakes<bfloat16>(7, 8) == 0);
}

TEST_CASE("dtype: overflow, underflow and NaN") {
  CHECK(float16(65519.996f).bits == 0x7bff);
  CHECK(float16(65520.0f).bits == 0x7c00);
  CHECK(float16(-1e30f).bits == 0xfc00);
  CHECK(float16(0x1p-25f).bits == 0);  // a tie with zero
  CHECK(float16(std::nextafterf(0x1p-25f, 1.0f)).bits == 1);
  CHECK(float16(-1e-30f).bits == 0x8000);
  CHECK(float16(std::numeric_limits<float>::denorm_min()).bits == 0);
  CHECK(bfloat16(std::numeric_limits<float>::max()).bits == 0x7f80);
  CHECK(bfloat16(-std::numeric_limits<float>::infinity()).bits == 0xff80);
  CHECK(bfloat16(std::numeric_limits<float>::denorm_min()).bits == 0);
  CHECK(bfloat16(-0.0f).bits == 0x8000);
  for (const std::uint32_t code : {0x7f800001u, 0x7fffffffu, 0xff800001u, 0xffffffffu, 0x7fc00000u}) {
    const auto nan = std::bit_cast<float>(code);  // payloads in the low bits only must not become infinity
    CHECK(std::isnan(static_cast<float>(float16(nan))));
    CHECK(std::isnan(static_cast<float>(bfloat16(nan))));
  }
}

TEST_CASE("dtype: names and sizes") {
  for (const DType type : kDTypes) {
    CHECK(to_string(type) != "?");
    CHECK(size_of(type) > 0);
  }
  CHECK(size_of(DTypeOf<bfloat16>::value) == sizeof(bfloat16));
  CHECK(size_of(DTypeOf<std::int64_t>::value) == 8);
  CHECK(to_string(DTypeOf<float16>::value) == "F16");
  static_assert(std::is_same_v<stat_t<bfloat16>, float> && std::is_same_v<stat_t<double>, double>);
}
