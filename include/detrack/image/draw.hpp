// Drawing on images: rectangles, and images into images. What lies outside is left out.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "detrack/core/box.hpp"
#include "detrack/core/error.hpp"
#include "detrack/image/image.hpp"

namespace detrack {

struct Colour {
  std::uint8_t r = 0, g = 0, b = 0;
  bool operator==(const Colour&) const = default;
};

namespace detail {

/// Pixels from left and top up to, but not including, right and bottom.
struct PixelRectangle {
  std::int64_t left = 0, top = 0, right = 0, bottom = 0;

  bool empty() const { return left >= right || top >= bottom; }
  PixelRectangle grown(std::int64_t by) const { return {left - by, top - by, right + by, bottom + by}; }
};

/// A coordinate that can be calculated with and that lies outside of every image if `at` does.
inline std::int64_t pixel_edge(double at) {
  constexpr double far = 2.0 * ImageView::kMaxSide;
  return static_cast<std::int64_t>(std::floor(std::clamp(at, -far, far) + 0.5));
}

/// The pixels whose centres the box covers, at least one in each direction; none for NaN and negative sides.
inline PixelRectangle pixels_of(const Box& box) {
  if (!(box.w >= 0 && box.h >= 0) || std::isnan(box.x) || std::isnan(box.y)) return {};
  const double right = box.right(), bottom = box.bottom();
  if (std::isnan(right) || std::isnan(bottom)) return {};  // from -infinity to anywhere
  const std::int64_t x = pixel_edge(box.x), y = pixel_edge(box.y);
  return {x, y, std::max(pixel_edge(right), x + 1), std::max(pixel_edge(bottom), y + 1)};
}

/// `opacity` in 1/256.
inline void fill(Image& image, const PixelRectangle& area, Colour colour, int opacity) {
  const std::int64_t left = std::max<std::int64_t>(area.left, 0), right = std::min(area.right, image.width());
  const std::int64_t top = std::max<std::int64_t>(area.top, 0), bottom = std::min(area.bottom, image.height());
  const auto blend = [&](std::uint8_t& old, int to) {
    old = static_cast<std::uint8_t>(old + (((to - old) * opacity + 128) >> 8));
  };
  for (std::int64_t y = top; y < bottom; ++y)
    for (std::int64_t x = left; x < right; ++x) {
      std::uint8_t* p = image.pixel(y, x);
      blend(p[0], colour.r), blend(p[1], colour.g), blend(p[2], colour.b);
    }
}

}  // namespace detail

/// Fills the pixels whose centres lie in the box, at least one in each direction. Boxes with a NaN or a negative side draw
/// nothing. `opacity` in [0, 1]: 0 leaves the image as it is.
inline void fill_rectangle(Image& image, const Box& box, Colour colour, double opacity = 1) {
  const int weight = opacity > 0 ? static_cast<int>(std::lround(std::min(opacity, 1.0) * 256)) : 0;
  detail::fill(image, detail::pixels_of(box), colour, weight);
}

/// The outline of what fill_rectangle() would fill: a line of `thickness` pixels, of which the inner half, or the larger
/// one, lies in the box. Errors: argument (a thickness below 1).
inline void draw_rectangle(Image& image, const Box& box, Colour colour, int thickness = 1) {
  if (thickness < 1) fail(ErrorCode::argument, "draw_rectangle: thickness: expected at least 1 pixel, got ", thickness);
  const detail::PixelRectangle area = detail::pixels_of(box);
  if (area.empty()) return;
  const std::int64_t line = std::min<std::int64_t>(thickness, ImageView::kMaxSide);
  const detail::PixelRectangle outer = area.grown(line / 2), inner = outer.grown(-line);
  if (inner.empty()) return detail::fill(image, outer, colour, 256);
  detail::fill(image, {outer.left, outer.top, outer.right, inner.top}, colour, 256);
  detail::fill(image, {outer.left, inner.bottom, outer.right, outer.bottom}, colour, 256);
  detail::fill(image, {outer.left, inner.top, inner.left, inner.bottom}, colour, 256);
  detail::fill(image, {inner.right, inner.top, outer.right, inner.bottom}, colour, 256);
}

/// Copies `picture`, its top left corner at pixel (x, y), which may lie outside. The two are not the same image.
inline void draw_image(Image& image, const Image& picture, std::int64_t x, std::int64_t y) {
  constexpr std::int64_t far = 2 * ImageView::kMaxSide;
  x = std::clamp(x, -far, far), y = std::clamp(y, -far, far);
  const std::int64_t left = std::max<std::int64_t>(x, 0), right = std::min(x + picture.width(), image.width());
  const std::int64_t top = std::max<std::int64_t>(y, 0), bottom = std::min(y + picture.height(), image.height());
  if (left >= right) return;
  for (std::int64_t row = top; row < bottom; ++row)
    std::memcpy(image.pixel(row, left), picture.pixel(row - y, left - x), static_cast<std::size_t>(3 * (right - left)));
}

}  // namespace detrack
