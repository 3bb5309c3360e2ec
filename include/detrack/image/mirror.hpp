// Pictures with left and right exchanged.
#pragma once

#include <cstdint>

#include "detrack/image/image.hpp"

namespace detrack {

/// Errors: argument (an image without pixels); std::bad_alloc.
inline Image mirrored(const Image& image) {
  Image out(image.width(), image.height());
  for (std::int64_t y = 0; y < image.height(); ++y)
    for (std::int64_t x = 0; x < image.width(); ++x)
      for (int c = 0; c < 3; ++c) out.pixel(y, image.width() - 1 - x)[c] = image.pixel(y, x)[c];
  return out;
}

}  // namespace detrack
