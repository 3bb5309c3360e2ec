// One tensor of a file: its name, type, shape, and where its elements lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "detrack/core/dtype.hpp"
#include "detrack/core/shape.hpp"

namespace detrack {

namespace detail {

/// The product of extents, which is known to fit.
inline std::int64_t element_count(std::span<const std::int64_t> shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return count;
}

}  // namespace detail

/// `bytes` points into the file's memory: valid as long as the file object is.
struct TensorInfo {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;    ///< outermost first; rank 0 to 8
  std::span<const std::byte> bytes;   ///< from the first element to the end of the last, or the deflated stream they are in
  std::vector<std::int64_t> strides;  ///< in elements, from 0 on; empty: row-major without gaps
  /// Where `bytes` are deflated: how many bytes come before the first element once they are inflated.
  std::optional<std::size_t> inflated_lead;

  std::int64_t numel() const { return detail::element_count(shape); }
  /// Whether `bytes` are the elements one after the other.
  bool plain() const { return strides.empty() && !inflated_lead; }
};

/// "(3, 4)"
inline std::string to_string(const std::vector<std::int64_t>& extents) {
  std::string text = "(";
  for (std::size_t i = 0; i < extents.size(); ++i) text += (i ? ", " : "") + std::to_string(extents[i]);
  return text + ")";
}

/// Whether a tensor has exactly these extents.
inline bool same_extents(const TensorInfo& info, const Shape& shape) {
  if (info.shape.size() != static_cast<std::size_t>(shape.rank())) return false;
  for (int i = 0; i < shape.rank(); ++i)
    if (info.shape[static_cast<std::size_t>(i)] != shape[i]) return false;
  return true;
}

namespace detail {

inline constexpr std::size_t kMaxFileRank = 8;

/// Bytes of so many elements, or nothing where that is 2^63 or more. Extents, which are not negative, of zero do not excuse
/// an overflow in the others: products of some of them are strides.
inline std::optional<std::uint64_t> size_in_bytes(DType type, std::span<const std::int64_t> shape) {
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  std::uint64_t size = size_of(type);
  bool empty = false;
  for (const std::int64_t extent : shape) {
    const auto count = static_cast<std::uint64_t>(extent);
    if (count == 0)
      empty = true;
    else if (size > most / count)
      return {};
    else
      size *= count;
  }
  return empty ? 0 : size;
}

/// Strides of a row-major tensor without gaps. Requires size_in_bytes to have a value.
inline std::vector<std::int64_t> row_major(std::span<const std::int64_t> shape) {
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    if (shape[i] > 0) stride *= shape[i];
  }
  return strides;
}

/// Whether elements lie row-major without gaps (extents of 1 may have any stride; nothing at all has no gaps).
inline bool is_row_major(std::span<const std::int64_t> shape, std::span<const std::int64_t> strides) {
  const auto expected = row_major(shape);
  bool same = true;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) return true;
    same = same && (shape[i] == 1 || strides[i] == expected[i]);
  }
  return same;
}

}  // namespace detail
}  // namespace detrack
