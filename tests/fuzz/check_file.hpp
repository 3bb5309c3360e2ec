// What must hold for any bytes whatsoever that are given to the safetensors reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "detrack/io/safetensors_file.hpp"

namespace detrack::test {

inline void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

/// True if `bytes` parse, false if they are refused as they should be. Anything else is an exception other than
/// detrack::Error, or a sanitizer's report: every byte of every tensor is read, by both ways of reading.
inline bool check_file(std::span<const std::byte> bytes) {
  std::size_t covered = 0;
  try {
    const SafetensorsFile file = SafetensorsFile::parse(bytes);
    for (const TensorInfo& tensor : file.tensors()) {
      require(file.find(tensor.name) == &tensor, "every tensor is found by its name");
      require(!tensor.name.empty() && tensor.shape.size() <= 8, "names and ranks are bounded");
      std::uint64_t size = size_of(tensor.dtype);
      for (const std::int64_t extent : tensor.shape) {
        require(extent >= 0, "extents are not negative");
        size *= static_cast<std::uint64_t>(extent);
      }
      require(size == tensor.bytes.size(), "a range holds exactly its shape");
      require(tensor.bytes.data() >= bytes.data() && tensor.bytes.data() + size <= bytes.data() + bytes.size(),
              "ranges lie in the file");
      covered += tensor.bytes.size();
      const auto count = static_cast<std::size_t>(tensor.numel());
      if (!detail::is_floating(tensor.dtype)) {
        std::vector<std::byte> stored(count * size_of(tensor.dtype));
        file.cursor(tensor).next_bytes(stored);
      } else {
        std::vector<double> values(count);
        file.read(tensor, 0, std::span(values));
        std::vector<float16> halves(count);
        file.read(tensor, 0, std::span(halves));
      }
    }
    require(covered + 8 <= bytes.size(), "tensors do not share bytes");
    return true;
  } catch (const Error& error) {
    require(error.code() == ErrorCode::format, "refusals are format errors");
    const std::string message = error.what();
    require(message.size() < 800, "messages are short");
    for (const char c : message) require(c >= 0x20 && c < 0x7f, "messages are printable");
    return false;
  }
}

}  // namespace detrack::test
