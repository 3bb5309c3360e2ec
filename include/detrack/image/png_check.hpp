// Walks the chunks of a PNG file before it is decoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "detrack/image/file_bytes.hpp"
#include "detrack/image/limits.hpp"
#include "detrack/image/size.hpp"

namespace detrack::detail {

/// The image's size. Refuses (format) files that end before their end chunk, and chunks that a decoder must know and that
/// PNG has not: stb notes their names in memory that threads share.   [ISO/IEC 15948, 5 and 11]
inline ImageSize check_png(std::span<const std::byte> bytes, std::string_view name, const ImageLimits& limits) {
  constexpr auto type = [](const char* text) {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(text[i]);
    return value;
  };
  constexpr std::uint32_t kAncillary = 0x20000000;  // the type begins with a small letter
  FileBytes file(bytes, name, "PNG file");
  file.skip(8);  // the signature
  ImageSize size;
  bool data = false;
  for (std::uint32_t chunk = 0; chunk != type("IEND");) {
    const std::uint32_t length = file.big_endian(4);
    const bool first = chunk == 0;
    chunk = file.big_endian(4);
    if (first != (chunk == type("IHDR"))) file.refuse("expected one header chunk, the first of all");
    FileBytes content = file.take(length, "PNG chunk");
    file.skip(4);  // checksum
    if (first) {
      const std::uint32_t width = content.big_endian(4), height = content.big_endian(4);
      size = check_size(name, width, height, limits);
    }
    data = data || chunk == type("IDAT");
    if (!(chunk & kAncillary) && chunk != type("IHDR") && chunk != type("PLTE") && chunk != type("IDAT") &&
        chunk != type("IEND"))
      file.refuse("expected chunks of header, palette, data and end, got an unknown one that decoding needs");
  }
  if (!data) file.refuse("expected image data, got none");
  return size;
}

}  // namespace detrack::detail
