// The checksum of zip archives.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace detrack::detail {

/// CRC-32 of ISO 3309: division by the polynomial 0x04c11db7, bits in reversed order (so 0xedb88320), begun and ended with
/// all bits flipped. `crc` is that of the bytes before these.
inline std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t crc = 0) {
  static constexpr auto kRemainders = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t remainder = i;
      for (int bit = 0; bit < 8; ++bit) remainder = (remainder >> 1) ^ (remainder & 1 ? 0xedb88320u : 0u);
      table[i] = remainder;
    }
    return table;
  }();
  crc = ~crc;
  for (const std::byte byte : bytes) crc = (crc >> 8) ^ kRemainders[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xff];
  return ~crc;
}

}  // namespace detrack::detail
