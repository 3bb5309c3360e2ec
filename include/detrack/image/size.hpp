// Width and height of an image.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "detrack/core/error.hpp"

namespace detrack {

/// In whole pixels.
struct ImageSize {
  std::int64_t width = 0, height = 0;
  bool operator==(const ImageSize&) const = default;
};

/// The largest size within `room` that keeps the aspect ratio of `size`, to the nearest pixel and at least one.
/// Errors: argument (an extent below 1).
inline ImageSize fit(ImageSize size, ImageSize room) {
  if (std::min({size.width, size.height, room.width, room.height}) < 1)
    fail(ErrorCode::argument, "fit: expected sizes of at least 1x1, got ", size.width, "x", size.height, " into ",
         room.width, "x", room.height);
  const double w = static_cast<double>(size.width), h = static_cast<double>(size.height);
  const double scale = std::min(static_cast<double>(room.width) / w, static_cast<double>(room.height) / h);
  const auto side = [&](double extent, std::int64_t most) {
    return std::clamp<std::int64_t>(std::llround(extent * scale), 1, most);
  };
  return {side(w, room.width), side(h, room.height)};
}

}  // namespace detrack
