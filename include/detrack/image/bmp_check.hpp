// Reads the header of a BMP file before it is decoded.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "detrack/image/file_bytes.hpp"
#include "detrack/image/limits.hpp"
#include "detrack/image/size.hpp"

namespace detrack::detail {

/// The image's size. Refuses (format) compression, palettes that do not cover their indices (the rest would be whatever was
/// in memory) and files that end before their last row (which would be black).
inline ImageSize check_bmp(std::span<const std::byte> bytes, std::string_view name, const ImageLimits& limits) {
  FileBytes file(bytes, name, "BMP file");
  file.skip(10);  // "BM", sizes that nobody sets right
  const std::uint32_t data = file.little_endian(4), header = file.little_endian(4);
  const bool core = header == 12;
  if (!core && header != 40 && header != 56 && header != 108 && header != 124)
    file.refuse("expected a header of 12, 40, 56, 108 or 124 bytes, got ", header);
  const int extent = core ? 2 : 4;
  const auto width = static_cast<std::int64_t>(file.little_endian(extent));
  std::int64_t height = file.little_endian(extent);
  if (!core) height = std::llabs(static_cast<std::int32_t>(height));  // negative: the top row comes first
  const ImageSize size = check_size(name, width, height, limits);
  file.skip(2);  // planes
  const int bits = static_cast<int>(file.little_endian(2));
  if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32)
    file.refuse("expected 1, 4, 8, 16, 24 or 32 bits a pixel, got ", bits);
  const std::uint32_t compression = core ? 0 : file.little_endian(4);
  if (compression != 0 && (compression != 3 || bits < 16)) file.refuse("expected no compression, got number ", compression);

  FileBytes whole(bytes, name, "BMP file");
  whole.skip(data);
  if (bits <= 8) {
    const std::int64_t entries = (std::int64_t{data} - 14 - header) / (core ? 3 : 4);
    if (entries < (std::int64_t{1} << bits)) file.refuse("expected a palette of ", 1 << bits, " colours, got ", entries);
  }
  const std::int64_t row = (width * bits + 31) / 32 * 4;
  whole.need(
      static_cast<std::size_t>((height - 1) * row + (width * bits + 7) / 8));  // the last row's padding may be missing
  return size;
}

}  // namespace detrack::detail
