// Boxes in pixels of a frame.
#pragma once

#include <algorithm>
#include <cmath>

#include "detrack/core/host_device.hpp"

namespace detrack {

/// Left, top, width and height in pixels. The frame's top left corner is (0, 0), its bottom right corner (W, H): pixel i
/// covers [i, i + 1).
struct Box {
  double x = 0, y = 0, w = 0, h = 0;

  DETRACK_HOST_DEVICE double right() const { return x + w; }
  DETRACK_HOST_DEVICE double bottom() const { return y + h; }
  DETRACK_HOST_DEVICE double centre_x() const { return x + w / 2; }
  DETRACK_HOST_DEVICE double centre_y() const { return y + h / 2; }
  double area() const { return w * h; }
  DETRACK_HOST_DEVICE bool finite() const {
    return std::isfinite(x) && std::isfinite(y) && std::isfinite(w) && std::isfinite(h);
  }
  /// Finite and of positive area.
  bool valid() const { return finite() && w > 0 && h > 0; }
  bool operator==(const Box&) const = default;
};

/// Area common to two boxes, square pixels.
inline double intersection(const Box& a, const Box& b) {
  const double w = std::min(a.right(), b.right()) - std::max(a.x, b.x);
  const double h = std::min(a.bottom(), b.bottom()) - std::max(a.y, b.y);
  return w > 0 && h > 0 ? w * h : 0;
}

/// Intersection over union, in [0, 1]; 0 where either box is not valid, or where areas leave the range of double.
inline double iou(const Box& a, const Box& b) {
  if (!a.valid() || !b.valid()) return 0;
  const double common = intersection(a, b), both = a.area() + b.area() - common;
  return both > 0 && std::isfinite(both) ? std::min(common / both, 1.0) : 0;
}

}  // namespace detrack
