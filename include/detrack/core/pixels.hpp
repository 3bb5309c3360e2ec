// A frame in memory as three strided planes and the way from them to RGB: every pixel format looks the same to a kernel.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "detrack/core/host_device.hpp"
#include "detrack/core/view.hpp"

namespace detrack {

/// An affine map from a pixel's three samples to RGB, in fixed point, so that every backend computes the same bytes:
/// c = clamp((row[0] p0 + row[1] p1 + row[2] p2 + row[3]) >> 16) for the three rows, which are red, green and blue.
using ColourMatrix = std::array<std::array<std::int32_t, 4>, 3>;

/// Samples of 8 bits on the host or on a device; owns nothing. Sample (row, column) of a plane that is subsampled by 2^shift
/// stands for the frame's pixels (row << shift_y, column << shift_x) and their neighbours below and to the right.
struct Pixels {
  struct Plane {
    View<const std::uint8_t> samples{};  ///< (ceil(height / 2^shift_y), ceil(width / 2^shift_x)), any strides
    int shift_y = 0, shift_x = 0;
  };

  std::int64_t height = 0, width = 0;
  std::array<Plane, 3> planes{};
  bool is_rgb = true;  ///< the planes are red, green and blue as they stand; `to_rgb` is not used
  ColourMatrix to_rgb{};

  /// Red, green, blue of one pixel, unchecked, where the memory is that of the processor which asks.
  DETRACK_HOST_DEVICE std::array<std::uint8_t, 3> operator()(std::int64_t row, std::int64_t column) const {
    std::array<std::uint8_t, 3> p{};
    for (std::size_t i = 0; i < 3; ++i) p[i] = planes[i].samples(row >> planes[i].shift_y, column >> planes[i].shift_x);
    return is_rgb ? p : apply(to_rgb, p);
  }

  DETRACK_HOST_DEVICE static std::array<std::uint8_t, 3> apply(const ColourMatrix& m, const std::array<std::uint8_t, 3>& p) {
    std::array<std::uint8_t, 3> rgb{};
    for (std::size_t c = 0; c < 3; ++c) rgb[c] = static_cast<std::uint8_t>(apply(m[c], p[0], p[1], p[2]));
    return rgb;
  }

  /// One channel, in [0, 255].
  DETRACK_HOST_DEVICE static std::int32_t apply(const std::array<std::int32_t, 4>& row, std::int32_t p0, std::int32_t p1,
                                                std::int32_t p2) {
    return std::clamp((row[0] * p0 + row[1] * p1 + row[2] * p2 + row[3]) >> 16, 0, 255);
  }
};

}  // namespace detrack
