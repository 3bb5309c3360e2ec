// Frames of any pixel format as RGB images: for pictures and for rendering.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "detrack/core/error.hpp"
#include "detrack/core/pixels.hpp"
#include "detrack/image/image.hpp"

namespace detrack {

namespace detail {

/// One row of a frame whose planes are red, green and blue, their samples `step` bytes apart.
template <std::int64_t step>
void interleave_row(const std::array<const std::uint8_t*, 3>& from, std::int64_t width, std::uint8_t* to) {
  const std::uint8_t *r = from[0], *g = from[1], *b = from[2];
  for (std::int64_t x = 0; x < width; ++x) {
    to[3 * x] = r[step * x];
    to[3 * x + 1] = g[step * x];
    to[3 * x + 2] = b[step * x];
  }
}

/// One row of a frame with a colour matrix. In blocks that compilers turn into vector instructions.
inline void convert_row(const Pixels& pixels, const std::array<const std::uint8_t*, 3>& from, std::uint8_t* to) {
  constexpr std::int64_t kBlock = 64;    // of pixels; any subsampling divides it
  const ColourMatrix m = pixels.to_rgb;  // a copy, which writing to `to` cannot change
  std::array<std::array<std::uint8_t, kBlock>, 3> samples{}, rgb{};
  for (std::int64_t begin = 0; begin < pixels.width; begin += kBlock) {
    const std::int64_t count = std::min(kBlock, pixels.width - begin);
    for (std::size_t i = 0; i < 3; ++i) {
      const std::int64_t step = pixels.planes[i].samples.stride(1);
      const int shift = pixels.planes[i].shift_x;
      const std::uint8_t* block = from[i] + (begin >> shift) * step;
      std::uint8_t* row = samples[i].data();
      if (shift == 0)
        for (std::int64_t x = 0; x < count; ++x) row[x] = block[x * step];
      else
        for (std::int64_t x = 0; x < count; ++x) row[x] = block[(x >> shift) * step];
    }
    for (std::size_t x = 0; x < kBlock; ++x) {
      const auto pixel = Pixels::apply(m, {samples[0][x], samples[1][x], samples[2][x]});
      for (std::size_t c = 0; c < 3; ++c) rgb[c][x] = pixel[c];
    }
    interleave_row<1>({rgb[0].data(), rgb[1].data(), rgb[2].data()}, count, to + 3 * begin);
  }
}

}  // namespace detail

/// The frame as Pixels::operator() sees it. `out` keeps its memory if it has the frame's size, and must not be what `view`
/// looks at. Errors: argument (a view of nothing); std::bad_alloc.
inline void to_rgb(const ImageView& view, Image& out) {
  if (!view) fail(ErrorCode::argument, "to_rgb: view: expected a frame, got a view of nothing");
  if (!out || out.width() != view.width() || out.height() != view.height()) out = Image(view.width(), view.height());
  const Pixels pixels = view.pixels();
  for (std::int64_t y = 0; y < pixels.height; ++y) {
    std::array<const std::uint8_t*, 3> from{};
    for (std::size_t i = 0; i < 3; ++i) from[i] = &pixels.planes[i].samples(y >> pixels.planes[i].shift_y, 0);
    std::uint8_t* to = out.pixel(y, 0);
    switch (view.format()) {
      case PixelFormat::rgb: std::memcpy(to, from[0], static_cast<std::size_t>(3 * pixels.width)); break;
      case PixelFormat::bgr: detail::interleave_row<3>(from, pixels.width, to); break;
      case PixelFormat::rgba:
      case PixelFormat::bgra: detail::interleave_row<4>(from, pixels.width, to); break;
      case PixelFormat::gray: detail::interleave_row<1>(from, pixels.width, to); break;
      case PixelFormat::nv12:
      case PixelFormat::i420:
      case PixelFormat::yuyv: detail::convert_row(pixels, from, to); break;
    }
  }
}

/// The same into a new image.
inline Image to_rgb(const ImageView& view) {
  Image out;
  to_rgb(view, out);
  return out;
}

}  // namespace detrack
