// Image files put together by hand, so that tests do not trust the encoders: PNG, BMP and PNM of any kind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/support/craft.hpp"

namespace detrack::test {

inline std::string big_endian(std::uint32_t value, int count = 4) {
  std::string text;
  for (int i = count - 1; i >= 0; --i) text += static_cast<char>(value >> 8 * i & 255);
  return text;
}

inline std::string little_endian(std::uint32_t value, int count = 4) {
  std::string text;
  for (int i = 0; i < count; ++i) text += static_cast<char>(value >> 8 * i & 255);
  return text;
}

inline std::string png_chunk(std::string_view type, std::string_view content) {
  const std::string checked = std::string(type) + std::string(content);
  std::uint32_t crc = ~0u;
  for (const char c : checked) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return big_endian(static_cast<std::uint32_t>(content.size())) + checked + big_endian(~crc);
}

/// A zlib stream that stores its data (of less than 64 KiB) as it is.
inline std::string zlib_stored(std::string_view data) {
  std::uint32_t a = 1, b = 0;
  for (const char c : data) a = (a + static_cast<unsigned char>(c)) % 65521, b = (b + a) % 65521;
  const auto size = static_cast<std::uint32_t>(data.size());
  return "\x78\x01\x01" + little_endian(size, 2) + little_endian(~size, 2) + std::string(data) + big_endian(b << 16 | a);
}

/// `rows` as PNG filters them: each row begins with its filter, 0 for none. `before` are chunks between header and data.
struct PngParts {
  std::uint32_t width = 1, height = 1;
  int bits = 8, colour = 2, interlace = 0;
  std::string before{}, rows{};

  std::string header() const {
    return png_chunk("IHDR", big_endian(width) + big_endian(height) + static_cast<char>(bits) + static_cast<char>(colour) +
                                 std::string(2, '\0') + static_cast<char>(interlace));
  }
};

inline constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1a\n";

inline Bytes craft_png(const PngParts& parts) {
  return to_bytes(std::string(kPngSignature) + parts.header() + parts.before + png_chunk("IDAT", zlib_stored(parts.rows)) +
                  png_chunk("IEND", ""));
}

/// With a header of 40 bytes. `palette` of four bytes an entry; `rows` padded to four bytes.
inline Bytes craft_bmp(std::int32_t width, std::int32_t height, int bits, std::string_view palette, std::string_view rows,
                       std::uint32_t compression = 0) {
  const auto offset = static_cast<std::uint32_t>(54 + palette.size());
  return to_bytes("BM" + little_endian(offset + static_cast<std::uint32_t>(rows.size())) + little_endian(0) +
                  little_endian(offset) + little_endian(40) + little_endian(static_cast<std::uint32_t>(width)) +
                  little_endian(static_cast<std::uint32_t>(height)) + little_endian(1, 2) +
                  little_endian(static_cast<std::uint32_t>(bits), 2) + little_endian(compression) + std::string(20, '\0') +
                  std::string(palette) + std::string(rows));
}

}  // namespace detrack::test
