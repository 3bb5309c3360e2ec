// Element types as files hold them into element types as tensors hold them, and back.
#pragma once

#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "detrack/core/dtype.hpp"
#include "detrack/io/little_endian.hpp"

namespace detrack::detail {

constexpr bool is_floating(DType type) {
  return type == DType::f64 || type == DType::f32 || type == DType::f16 || type == DType::bf16;
}

/// Values convert between floating types; integers are only ever copied: a silent change of their range is a bug.
constexpr bool is_convertible(DType from, DType to) {
  return from == to || (is_floating(from) && is_floating(to));
}

/// Calls f(std::type_identity<T>{}) with the T of `type`.
template <class F>
void with_dtype(DType type, F&& f) {
  switch (type) {
    case DType::f64: f(std::type_identity<double>{}); break;
    case DType::f32: f(std::type_identity<float>{}); break;
    case DType::f16: f(std::type_identity<float16>{}); break;
    case DType::bf16: f(std::type_identity<bfloat16>{}); break;
    case DType::i64: f(std::type_identity<std::int64_t>{}); break;
    case DType::i32: f(std::type_identity<std::int32_t>{}); break;
    case DType::i16: f(std::type_identity<std::int16_t>{}); break;
    case DType::i8: f(std::type_identity<std::int8_t>{}); break;
    case DType::u64: f(std::type_identity<std::uint64_t>{}); break;
    case DType::u32: f(std::type_identity<std::uint32_t>{}); break;
    case DType::u16: f(std::type_identity<std::uint16_t>{}); break;
    case DType::u8: f(std::type_identity<std::uint8_t>{}); break;
    case DType::boolean: f(std::type_identity<boolean8>{}); break;
  }
}

/// The float next to x towards zero with its last bit set, or x itself where float holds it. Rounding that to 16 bits
/// equals rounding x once (Boldo and Melquiond 2008); rounding to nearest twice would miss by one unit at near-ties.
inline float round_to_odd(double x) {
  const auto nearest = static_cast<float>(x);
  if (static_cast<double>(nearest) == x || std::isnan(x)) return nearest;
  auto bits = std::bit_cast<std::uint32_t>(nearest);
  if (std::fabs(static_cast<double>(nearest)) > std::fabs(x)) --bits;  // also from infinity to the largest float
  return std::bit_cast<float>(bits | 1u);
}

/// x rounded to nearest, ties to even.
template <class To, class From>
To convert_value(From x) {
  constexpr bool from_small = std::same_as<From, float16> || std::same_as<From, bfloat16>;
  constexpr bool to_small = std::same_as<To, float16> || std::same_as<To, bfloat16>;
  if constexpr (std::same_as<To, From>)
    return x;
  else if constexpr (from_small)
    return convert_value<To>(static_cast<float>(x));
  else if constexpr (to_small && std::same_as<From, double>)
    return To(round_to_odd(x));
  else
    return static_cast<To>(x);
}

/// `count` elements of type `from`, at any address, into `to`. Same types are copied bit by bit (NaN payloads survive).
/// Requires is_convertible.
template <class To>
void convert_elements(DType from, const std::byte* source, std::size_t count, To* to) {
  if (count == 0) return;  // memcpy must not see the null pointers of empty tensors
  if (from == DTypeOf<To>::value) {
    std::memcpy(to, source, count * sizeof(To));
    return;
  }
  if constexpr (is_floating(DTypeOf<To>::value)) {
    with_dtype(from, [&]<class From>(std::type_identity<From>) {
      if constexpr (is_floating(DTypeOf<From>::value)) {
        for (std::size_t i = 0; i < count; ++i) {
          From value;
          std::memcpy(&value, source + i * sizeof(From), sizeof(From));
          to[i] = convert_value<To>(value);
        }
      }
    });
  }
}

}  // namespace detrack::detail
