// Numbers out of the bytes of a file.
#pragma once

#include <bit>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

namespace detrack::detail {

static_assert(std::endian::native == std::endian::little, "files are little-endian; big-endian machines are not supported");

/// The number at `offset`, at any alignment. Requires offset + sizeof(N) <= bytes.size().
template <class N>
N little_endian(std::span<const std::byte> bytes, std::size_t offset) {
  N value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace detrack::detail
