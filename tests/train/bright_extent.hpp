// A bright ellipse on a dark picture, and how far it reaches in a crop: where a target is, measured.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "detrack/core/box.hpp"
#include "detrack/core/crop_box.hpp"
#include "detrack/core/view.hpp"
#include "detrack/image/image.hpp"

namespace detrack::test {

/// The ellipse inscribed in `box`, white with an edge a pixel soft, on dark gray.
inline Image bright_ellipse(std::int64_t width, std::int64_t height, const Box& box) {
  Image image(width, height);
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      const double u = (static_cast<double>(x) + 0.5 - box.centre_x()) / (box.w / 2),
                   v = (static_cast<double>(y) + 0.5 - box.centre_y()) / (box.h / 2);
      const double depth = (1 - std::hypot(u, v)) * std::min(box.w, box.h) / 2;  // about the pixels to its edge
      const double value = 40 + 200 * std::clamp(depth + 0.5, 0.0, 1.0);
      std::fill_n(image.pixel(y, x), 3, static_cast<std::uint8_t>(value));
    }
  return image;
}

/// The box of all pixels of channel 0 above half way, crop units.
inline CropBox bright_extent(View<const float> crop, double threshold = 140.0 / 255) {
  const std::int64_t S = crop.extent(1);
  CropBox box{1, 1, 0, 0};
  for (std::int64_t i = 0; i < S; ++i)
    for (std::int64_t j = 0; j < S; ++j) {
      if (!(static_cast<double>(crop(0, i, j)) > threshold)) continue;
      const auto at = [S](std::int64_t pixel) { return static_cast<double>(pixel) / static_cast<double>(S); };
      box = {std::min(box[0], at(j)), std::min(box[1], at(i)), std::max(box[2], at(j + 1)), std::max(box[3], at(i + 1))};
    }
  return box;
}

}  // namespace detrack::test
