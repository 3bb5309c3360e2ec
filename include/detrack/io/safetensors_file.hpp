// Reading safetensors files: named tensors straight out of a memory mapping.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/tensor.hpp"
#include "detrack/core/view.hpp"
#include "detrack/io/convert.hpp"
#include "detrack/io/mapped_file.hpp"
#include "detrack/io/safetensors_header.hpp"

namespace detrack {

/// A safetensors file (https://huggingface.co/docs/safetensors), checked as a whole when it is opened: afterwards every
/// tensor is known to lie inside it. Stricter than it must be in two points: a header of at most 64 MiB and ranks of at
/// most 8. Reading is const and may happen in several threads.
class SafetensorsFile {
 public:
  /// Maps and checks the file; reads nothing but its header. Errors: io, format.
  static SafetensorsFile open(const std::filesystem::path& path) {
    MappedFile mapping(path);
    const auto bytes = mapping.bytes();
    return SafetensorsFile(path.string(), bytes, std::move(mapping));
  }

  /// The same from memory, which must outlive the result. `label` stands in messages where a path would. Errors: format.
  static SafetensorsFile parse(std::span<const std::byte> bytes, const std::string& label = "memory") {
    return SafetensorsFile(label, bytes, MappedFile());
  }

  const std::string& path() const { return path_; }
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  const std::vector<TensorInfo>& tensors() const { return header_.tensors; }  ///< ordered by name

  /// The tensor of that name, or nullptr.
  const TensorInfo* find(std::string_view name) const {
    const auto& all = header_.tensors;
    const auto at =
        std::lower_bound(all.begin(), all.end(), name, [](const TensorInfo& t, std::string_view n) { return t.name < n; });
    return at != all.end() && at->name == name ? &*at : nullptr;
  }

  /// The same, but absence is an error. Errors: state_dict.
  const TensorInfo& get(std::string_view name) const {
    const TensorInfo* info = find(name);
    if (!info) fail(ErrorCode::state_dict, path_, ": expected a tensor ", detail::in_quotes(name), ", got none");
    return *info;
  }

  /// Copies a tensor into contiguous host memory of the same shape; floating types convert (to nearest, ties to even),
  /// integers must match. Nothing is written when it fails. Errors: state_dict (name, shape, type), shape, device.
  template <class T>
  void read(std::string_view name, View<T> out) const {
    const TensorInfo& info = get(name);
    if (!same_extents(info, out.shape()))
      fail(ErrorCode::state_dict, path_, ": tensor ", detail::in_quotes(name), ": shape: expected ", to_string(out.shape()),
           ", got ", to_string(info.shape));
    if (out.device().kind != DeviceKind::cpu)
      fail(ErrorCode::device, "SafetensorsFile::read: out: expected cpu memory, got ", to_string(out.device()));
    if (!out.contiguous()) fail(ErrorCode::shape, "SafetensorsFile::read: out: expected a contiguous view");
    read(info, 0, std::span<T>(out.data(), static_cast<std::size_t>(out.numel())));
  }

  /// Copies the out.size() elements from number `first` on, whatever the shape. Errors: state_dict (type), argument.
  template <class T>
  void read(const TensorInfo& info, std::int64_t first, std::span<T> out) const {
    if (!detail::is_convertible(info.dtype, DTypeOf<T>::value))
      fail(ErrorCode::state_dict, path_, ": tensor ", detail::in_quotes(info.name), ": type: expected ",
           to_string(DTypeOf<T>::value), ", got ", to_string(info.dtype));
    if (first < 0 || first > info.numel() || out.size() > static_cast<std::size_t>(info.numel() - first))
      fail(ErrorCode::argument, "SafetensorsFile::read: expected elements within [0, ", info.numel(), "), got ", out.size(),
           " from ", first, " on");
    const std::size_t offset = static_cast<std::size_t>(first) * size_of(info.dtype);
    detail::convert_elements(info.dtype, info.bytes.data() + offset, out.size(), out.data());
  }

  /// Whether a tensor has exactly these extents.
  static bool same_extents(const TensorInfo& info, const Shape& shape) {
    if (info.shape.size() != static_cast<std::size_t>(shape.rank())) return false;
    for (int i = 0; i < shape.rank(); ++i)
      if (info.shape[static_cast<std::size_t>(i)] != shape[i]) return false;
    return true;
  }

  /// Hints for reading a large file once without keeping it in memory; no effect on what is read.
  void expect_sequential_reads() const noexcept { mapping_.expect_sequential_reads(); }
  void release(std::span<const std::byte> part) const noexcept { mapping_.release(part); }

 private:
  SafetensorsFile(std::string path, std::span<const std::byte> bytes, MappedFile mapping)
      : path_(std::move(path)), mapping_(std::move(mapping)), header_(detail::parse_safetensors(path_, bytes)) {}

  std::string path_;
  MappedFile mapping_;
  detail::SafetensorsHeader header_;
};

}  // namespace detrack
