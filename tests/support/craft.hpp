// Safetensors files put together by hand, so that tests do not trust the writer they test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace detrack::test {

using Bytes = std::vector<std::byte>;

inline Bytes to_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// Length, header and `data_size` counting bytes.
inline Bytes craft(std::string_view header, std::size_t data_size) {
  Bytes file(8);
  const std::uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  const Bytes json = to_bytes(header);
  file.insert(file.end(), json.begin(), json.end());
  for (std::size_t i = 0; i < data_size; ++i) file.push_back(static_cast<std::byte>(i * 37 + 11));
  return file;
}

/// A small file with every element type, an empty tensor, a scalar, a rank of 8, escapes and metadata.
inline Bytes good_file() {
  return craft(R"({"__metadata__":{"detrack.config":"{\"width\":16}","note":"\u00e9\n"},)"
               R"("a.weight":{"dtype":"F32","shape":[3,4],"data_offsets":[0,48]},)"
               R"("b.bias":{"dtype":"F64","shape":[5],"data_offsets":[48,88]},)"
               R"("c\"quoted":{"dtype":"F16","shape":[2,2],"data_offsets":[88,96]},)"
               R"("d":{"shape":[7],"data_offsets":[96,110],"dtype":"BF16"},)"
               R"("e.scalar":{"dtype":"I64","shape":[],"data_offsets":[110,118]},)"
               R"("f.empty":{"dtype":"F32","shape":[0,4],"data_offsets":[118,118]},)"
               R"("g.deep":{"dtype":"U8","shape":[1,1,2,1,1,3,1,1],"data_offsets":[118,124]}}   )",
               124);
}

}  // namespace detrack::test
