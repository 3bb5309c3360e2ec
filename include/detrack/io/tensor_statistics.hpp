// What a tensor of a file is like: its range, its mean, and what is no number in it.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>

#include "detrack/io/convert.hpp"
#include "detrack/io/weights_file.hpp"

namespace detrack {

struct TensorStatistics {
  std::int64_t count = 0;  ///< elements, all of them
  std::int64_t nan = 0, infinite = 0, zero = 0;
  double min = std::numeric_limits<double>::quiet_NaN();  ///< of the finite ones, as the next two; NaN where there are none
  double max = std::numeric_limits<double>::quiet_NaN();
  double mean = std::numeric_limits<double>::quiet_NaN();
};

namespace detail {

/// Elements as they are stored, of any type, as doubles (integers beyond 2^53 are rounded).
inline void to_doubles(DType type, std::span<const std::byte> stored, std::span<double> values) {
  with_dtype(type, [&]<class T>(std::type_identity<T>) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      T value;
      std::memcpy(&value, stored.data() + i * sizeof(T), sizeof(T));
      if constexpr (std::is_same_v<T, boolean8>)
        values[i] = value.bits;
      else if constexpr (is_floating(DTypeOf<T>::value))
        values[i] = convert_value<double>(value);
      else
        values[i] = static_cast<double>(value);
    }
  });
}

/// Calls f(stored elements, first) for pieces of a tensor, of at most kPieceElements, letting go of the file's memory.
inline constexpr std::size_t kPieceElements = 4096;
template <class F>
void for_each_stored_piece(const WeightsFile& file, const TensorInfo& info, F&& f) {
  alignas(8) std::array<std::byte, kPieceElements * 8> memory;
  TensorCursor cursor = file.cursor(info);
  const std::int64_t total = info.numel();
  for (std::int64_t first = 0; first < total; first += static_cast<std::int64_t>(kPieceElements)) {
    const auto count = std::min<std::int64_t>(static_cast<std::int64_t>(kPieceElements), total - first);
    const auto piece = std::span(memory).first(static_cast<std::size_t>(count) * size_of(info.dtype));
    cursor.next_bytes(piece);
    f(std::span<const std::byte>(piece), first);
    file.release_read(info, first, first + count);
  }
}

}  // namespace detail

/// Reads the tensor once. Errors: format (damaged data).
inline TensorStatistics statistics(const WeightsFile& file, const TensorInfo& info) {
  TensorStatistics result;
  result.count = info.numel();
  double sum = 0;
  std::int64_t finite = 0;
  detail::for_each_stored_piece(file, info, [&](std::span<const std::byte> stored, std::int64_t) {
    std::array<double, detail::kPieceElements> memory;
    const auto values = std::span(memory).first(stored.size() / size_of(info.dtype));
    detail::to_doubles(info.dtype, stored, values);
    for (const double x : values) {
      result.nan += std::isnan(x);
      result.infinite += std::isinf(x);
      result.zero += x == 0;
      if (!std::isfinite(x)) continue;
      result.min = finite == 0 ? x : std::min(result.min, x);
      result.max = finite == 0 ? x : std::max(result.max, x);
      sum += x;
      ++finite;
    }
  });
  if (finite > 0) result.mean = sum / static_cast<double>(finite);
  return result;
}

}  // namespace detrack
