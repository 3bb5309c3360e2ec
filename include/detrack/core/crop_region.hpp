// Geometry of the square crops that the network looks at: where they lie, and boxes into and out of them.
#pragma once

#include <algorithm>
#include <cmath>

#include "detrack/core/box.hpp"
#include "detrack/core/crop_box.hpp"
#include "detrack/core/host_device.hpp"

namespace detrack {

/// A square of the frame, in pixels; it may reach beyond the frame's edges.
struct CropRegion {
  double centre_x = 0, centre_y = 0, side = 1;

  DETRACK_HOST_DEVICE double left() const { return centre_x - side / 2; }
  DETRACK_HOST_DEVICE double top() const { return centre_y - side / 2; }
  bool operator==(const CropRegion&) const = default;
};

/// Centred exactly on the box (no rounding of the corner), side = ceil(sqrt(w h) factor) within [1, 1e5] pixels.
inline CropRegion crop_around(const Box& box, double factor) {
  const double side = std::clamp(std::ceil(std::sqrt(box.w * box.h) * factor), 1.0, 1e5);
  return {box.centre_x(), box.centre_y(), side};
}

/// Frame pixels to crop units, about the crop's centre. to_frame() is its inverse.
DETRACK_HOST_DEVICE inline CropBox to_crop(const Box& box, const CropRegion& region) {
  const auto map = [&](double at, double centre) { return (at - centre) / region.side + 0.5; };
  return {map(box.x, region.centre_x), map(box.y, region.centre_y), map(box.right(), region.centre_x),
          map(box.bottom(), region.centre_y)};
}

/// Crop units to frame pixels. Corners in the wrong order give a negative width or height.
DETRACK_HOST_DEVICE inline Box to_frame(const CropBox& box, const CropRegion& region) {
  const auto map = [&](double at, double centre) { return (at - 0.5) * region.side + centre; };
  const double x = map(box[0], region.centre_x), y = map(box[1], region.centre_y);
  return {x, y, map(box[2], region.centre_x) - x, map(box[3], region.centre_y) - y};
}

/// Moves and cuts a finite box so that it lies in the frame: with m = min(10, w, h, W/2, H/2) pixels, x1 in [0, W - m],
/// x2 in [m, W], x2 - x1 >= m, and the same for y. Corners in the wrong order count as a side of 0.
DETRACK_HOST_DEVICE inline Box clip_to_frame(const Box& box, double width, double height) {
  const double w = std::max(box.w, 0.0), h = std::max(box.h, 0.0);
  const double margin = std::min(std::min(10.0, std::min(w, h)), std::min(width, height) / 2);
  const auto clip = [&](double first, double side, double size, double& from, double& extent) {
    from = std::clamp(first, 0.0, size - margin);
    const double to = std::max(std::clamp(first + side, margin, size), from + margin);
    extent = to - from;
  };
  Box clipped;
  clip(box.x, w, width, clipped.x, clipped.w);
  clip(box.y, h, height, clipped.y, clipped.h);
  return clipped;
}

/// Smaller sides are none, pixels: far below any target, so that no sum swallows one.
inline constexpr double kMinBoxSide = 1e-3;

/// A predicted box in the frame's pixels, clipped to the frame; `last` where the prediction is none: not finite, or corners
/// in the wrong order.
DETRACK_HOST_DEVICE inline Box place_in_frame(const CropBox& predicted, const CropRegion& region, const Box& last,
                                              double width, double height) {
  const Box box = to_frame(predicted, region);
  return clip_to_frame(box.finite() && std::min(box.w, box.h) >= kMinBoxSide ? box : last, width, height);
}

}  // namespace detrack
