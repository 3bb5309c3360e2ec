// Reading safetensors files: named tensors straight out of a memory mapping.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "detrack/io/mapped_file.hpp"
#include "detrack/io/safetensors_header.hpp"
#include "detrack/io/weights_file.hpp"

namespace detrack {

/// A safetensors file (https://huggingface.co/docs/safetensors). Stricter than it must be in two points: a header of at most
/// 64 MiB and ranks of at most 8.
class SafetensorsFile : public WeightsFile {
 public:
  /// Maps and checks the file; reads nothing but its header. Errors: io, format.
  static SafetensorsFile open(const std::filesystem::path& path) {
    MappedFile mapping(path);
    const auto bytes = mapping.bytes();
    return SafetensorsFile(path.string(), std::move(mapping), bytes);
  }

  /// The same from memory, which must outlive the result. `label` stands in messages where a path would. Errors: format.
  static SafetensorsFile parse(std::span<const std::byte> bytes, const std::string& label = "memory") {
    return SafetensorsFile(label, MappedFile(), bytes);
  }

 private:
  SafetensorsFile(const std::string& path, MappedFile mapping, std::span<const std::byte> bytes)
      : WeightsFile(path, std::move(mapping), bytes, detail::safetensors_contents(path, bytes)) {}
};

}  // namespace detrack
