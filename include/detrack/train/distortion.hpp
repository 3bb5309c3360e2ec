// Turning and stretching a picture: the map, and what becomes of boxes.
#pragma once

#include <array>
#include <cmath>

#include "detrack/core/box.hpp"
#include "detrack/core/crop_region.hpp"

namespace detrack {

/// A picture turned, then stretched, about a fixed point c; areas stay. A point p comes to lie at c + A (p - c),
/// A = diag(exp(aspect / 2), exp(-aspect / 2)) R(rotation).
struct Distortion {
  double rotation = 0;  ///< radians, from right to down: clockwise as one looks at the picture
  double aspect = 0;    ///< log of width over height of what was a square

  bool operator==(const Distortion&) const = default;
  bool none() const { return rotation == 0 && aspect == 0; }

  /// A, row by row.
  std::array<double, 4> matrix() const {
    const double c = std::cos(rotation), s = std::sin(rotation), wide = std::exp(aspect / 2);
    return {wide * c, -wide * s, s / wide, c / wide};
  }
  /// Its inverse; the determinant of A is 1.
  std::array<double, 4> inverse() const {
    const auto [a, b, c, d] = matrix();
    return {d, -b, -c, a};
  }
};

/// What becomes of a box about its own centre: the target is taken for the ellipse inscribed in it, as the corners of a box
/// seldom belong to the target; the ellipse's box after the distortion.
inline Box distorted(const Box& box, const Distortion& by) {
  if (by.none()) return box;
  const auto [a, b, c, d] = by.matrix();
  const double w = std::hypot(a * box.w, b * box.h), h = std::hypot(c * box.w, d * box.h);
  return {box.centre_x() - w / 2, box.centre_y() - h / 2, w, h};
}

/// The same of a box anywhere in the picture. `x`, `y`: the fixed point.
inline Box distorted(const Box& box, double x, double y, const Distortion& by) {
  if (by.none()) return box;
  const auto [a, b, c, d] = by.matrix();
  const double dx = box.centre_x() - x, dy = box.centre_y() - y;
  const Box turned = distorted(box, by);
  return {x + a * dx + b * dy - turned.w / 2, y + c * dx + d * dy - turned.h / 2, turned.w, turned.h};
}

/// A square of the distorted picture, by where its centre lies in the picture as it is. `x`, `y`: the fixed point.
inline CropRegion in_picture(CropRegion region, double x, double y, const Distortion& by) {
  if (by.none()) return region;
  const auto [a, b, c, d] = by.inverse();
  const double dx = region.centre_x - x, dy = region.centre_y - y;
  return {x + a * dx + b * dy, y + c * dx + d * dy, region.side};
}

/// The box of what a crop shows of the picture as it is: an upright one of a parallelogram. `region` as of in_picture().
inline Box seen_in_picture(const CropRegion& region, const Distortion& by) {
  if (by.none()) return {region.left(), region.top(), region.side, region.side};
  const auto [a, b, c, d] = by.inverse();
  const double w = region.side * (std::abs(a) + std::abs(b)), h = region.side * (std::abs(c) + std::abs(d));
  return {region.centre_x - w / 2, region.centre_y - h / 2, w, h};
}

}  // namespace detrack
