// Extents of a tensor: up to five, stored inline.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>

#include "detrack/core/error.hpp"

namespace detrack {

inline constexpr int kMaxRank = 5;

/// Extents of a row-major tensor, outermost first (PyTorch order). Rank 0 (a scalar) to 5; extents >= 0.
class Shape {
 public:
  constexpr Shape() = default;
  /// Errors: shape, for a rank above 5, a negative extent, or more elements than int64 counts. Extents of zero do not
  /// excuse the others: strides are products of them and must not overflow either.
  constexpr Shape(std::initializer_list<std::int64_t> extents) {
    for (const std::int64_t extent : extents) append(extent);
  }

  /// Adds an innermost extent.
  constexpr void append(std::int64_t extent) {
    if (rank_ == kMaxRank) fail(ErrorCode::shape, "Shape: expected a rank of at most ", kMaxRank);
    if (extent < 0) fail(ErrorCode::shape, "Shape: expected extents >= 0, got ", extent);
    std::int64_t product = 1;
    for (int i = 0; i < rank_; ++i) product *= extents_[i] > 0 ? extents_[i] : 1;
    if (extent > 0 && product > std::numeric_limits<std::int64_t>::max() / extent)
      fail(ErrorCode::shape, "Shape: the number of elements overflows");
    extents_[rank_++] = extent;
  }

  constexpr int rank() const { return rank_; }
  constexpr std::int64_t operator[](int axis) const { return extents_[axis]; }
  constexpr std::int64_t numel() const {
    std::int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= extents_[i];
    return n;
  }
  constexpr bool operator==(const Shape& other) const {
    if (rank_ != other.rank_) return false;
    for (int i = 0; i < rank_; ++i)
      if (extents_[i] != other.extents_[i]) return false;
    return true;
  }

 private:
  std::array<std::int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

/// "(3, 4)"
inline std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (int i = 0; i < shape.rank(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + ")";
}

}  // namespace detrack
