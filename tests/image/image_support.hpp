// What the tests of images share: pictures to work with, and how to look at pixels.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "detrack/core/rng.hpp"
#include "detrack/image/draw.hpp"
#include "detrack/image/image.hpp"

namespace detrack::test {

inline Colour colour_at(const Image& image, std::int64_t x, std::int64_t y) {
  const std::uint8_t* p = image.pixel(y, x);
  return {p[0], p[1], p[2]};
}

inline Colour colour_at(const Pixels& pixels, std::int64_t x, std::int64_t y) {
  const auto p = pixels(y, x);
  return {p[0], p[1], p[2]};
}

inline bool same_pixels(const Image& a, const Image& b) {
  return a.width() == b.width() && a.height() == b.height() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(3 * a.width() * a.height())) == 0;
}

inline Image plain_image(std::int64_t width, std::int64_t height, Colour colour) {
  Image image(width, height);
  detail::fill(image, {0, 0, width, height}, colour, 256);
  return image;
}

/// Independent random bytes.
inline Image noise_image(std::int64_t width, std::int64_t height, std::uint64_t seed) {
  Image image(width, height);
  Philox random(seed);
  for (std::int64_t i = 0; i < 3 * width * height; ++i) image.data()[i] = static_cast<std::uint8_t>(random.below(256));
  return image;
}

/// Slow changes of colour, which JPEG keeps well.
inline Image smooth_image(std::int64_t width, std::int64_t height) {
  Image image(width, height);
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      const std::array<std::int64_t, 3> rgb{40 + 150 * x / width, 200 - 120 * y / height,
                                            60 + 100 * (x + y) / (width + height)};
      for (int c = 0; c < 3; ++c) image.pixel(y, x)[c] = static_cast<std::uint8_t>(rgb[static_cast<std::size_t>(c)]);
    }
  return image;
}

/// The largest difference of two images of one size.
inline int largest_difference(const Image& a, const Image& b) {
  int largest = 0;
  for (std::int64_t i = 0; i < 3 * a.width() * a.height(); ++i) {
    const int difference = a.data()[i] - b.data()[i];
    largest = std::max(largest, difference < 0 ? -difference : difference);
  }
  return largest;
}

}  // namespace detrack::test

namespace detrack {

/// For messages of tests.
inline std::ostream& operator<<(std::ostream& out, const Colour& c) {
  return out << '(' << int{c.r} << ", " << int{c.g} << ", " << int{c.b} << ')';
}

}  // namespace detrack
