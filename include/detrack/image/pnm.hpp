// Reading binary PGM and PPM images.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "detrack/image/file_bytes.hpp"
#include "detrack/image/image.hpp"
#include "detrack/image/limits.hpp"

namespace detrack::detail {

/// The next number of a header and the one white space behind it. White space and comments (# to the end of the line) may
/// stand before it.
inline std::uint32_t pnm_number(FileBytes& file) {
  const auto is_space = [](std::uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  const auto is_digit = [](std::uint8_t c) { return c >= '0' && c <= '9'; };
  std::uint8_t c = file.u8();
  while (is_space(c) || c == '#') {
    if (c == '#')
      while (c != '\n' && c != '\r') c = file.u8();
    c = file.u8();
  }
  std::uint32_t value = 0;
  if (!is_digit(c)) file.refuse("expected a number in the header, got byte ", int{c});
  for (; is_digit(c); c = file.u8()) {
    value = 10 * value + (c - '0');
    if (value > 100'000'000) file.refuse("expected numbers below 100,000,000 in the header, got more");
  }
  if (!is_space(c)) file.refuse("expected white space after a number of the header, got byte ", int{c});
  return value;
}

/// P5 (gray) and P6 (RGB) with up to 16 bits a sample, scaled to 8.   [netpbm's pgm(5), ppm(5)]   Errors: format.
inline Image decode_pnm(std::span<const std::byte> bytes, std::string_view name, const ImageLimits& limits) {
  FileBytes file(bytes, name, "PNM file");
  file.skip(1);
  const int channels = file.u8() == '6' ? 3 : 1;
  const std::uint32_t width = pnm_number(file), height = pnm_number(file), most = pnm_number(file);
  const ImageSize size = check_size(name, width, height, limits);
  if (most < 1 || most > 65535) file.refuse("expected a largest sample of 1 to 65535, got ", most);
  const int sample_bytes = most > 255 ? 2 : 1;
  file.need(static_cast<std::size_t>(size.width * size.height * channels * sample_bytes));
  Image image(size.width, size.height);
  std::uint8_t* to = image.data();
  for (std::int64_t i = 0, pixels = size.width * size.height; i < pixels; ++i, to += 3) {
    for (int c = 0; c < channels; ++c)
      to[c] = static_cast<std::uint8_t>((std::min(file.big_endian(sample_bytes), most) * 255 + most / 2) / most);
    if (channels == 1) to[1] = to[2] = to[0];
  }
  return image;
}

}  // namespace detrack::detail
