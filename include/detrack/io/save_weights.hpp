// Tensors of weights files into new safetensors files: converted, joined, in part. They are copied piece by piece.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/io/safetensors_writer.hpp"
#include "detrack/io/tensor_statistics.hpp"
#include "detrack/io/weights_file.hpp"

namespace detrack {

/// What became of the values when they were saved as another type.
struct SaveReport {
  std::size_t tensors = 0;
  std::map<std::string, std::int64_t> overflowed;  ///< by tensor: finite values beyond what the new type holds, now infinite
};

/// Collects tensors of one file or several, which must outlive it, and writes them.
class WeightsWriter {
 public:
  /// `floats`: the type that floating elements are stored as; left out, the one they have. Integers stay what they are.
  explicit WeightsWriter(std::optional<DType> floats = {}) : floats_(floats) {}

  /// Tensors of one name replace each other where `replace`. Errors: argument (a name that is there already).
  void add(const WeightsFile& file, const TensorInfo& info, const std::string& name, bool replace = false) {
    if (!replace && tensors_.contains(name))
      fail(ErrorCode::argument, file.path(), ": tensor ", detail::in_quotes(name),
           ": expected a name of its own, got one that ", tensors_.at(name).first->path(), " has too");
    tensors_[name] = {&file, &info};
  }
  /// Errors: argument (another value under a key that is there already).
  void add_metadata(const WeightsFile& file, bool replace = false) {
    for (const auto& [key, value] : file.metadata()) {
      const auto [at, is_new] = metadata_.try_emplace(key, value);
      if (!is_new && at->second != value && !replace)
        fail(ErrorCode::argument, file.path(), ": metadata ", detail::in_quotes(key),
             ": expected what the files before have, ", detail::in_quotes(at->second), ", got ", detail::in_quotes(value));
      at->second = value;
    }
  }

  /// Errors: those of save_safetensors; format (damaged data). What was at `path` stays until the new file is complete: it
  /// may be one of the files that are read.
  SaveReport save(const std::filesystem::path& path) const {
    SaveReport report;
    std::vector<SafetensorsEntry> entries;
    for (const auto& [name, from] : tensors_) entries.push_back(entry(*from.first, *from.second, name, report));
    report.tensors = entries.size();
    save_safetensors(path, std::move(entries), metadata_);
    return report;
  }

 private:
  SafetensorsEntry entry(const WeightsFile& file, const TensorInfo& info, const std::string& name,
                         SaveReport& report) const {
    const DType stored = floats_ && detail::is_floating(info.dtype) ? *floats_ : info.dtype;
    const auto cursor =
        std::make_shared<std::optional<TensorCursor>>();  // begun when it is written, not all of them at once
    const auto fetch = [&file, &info, &report, name, stored, cursor](std::int64_t first, std::int64_t count, void* to) {
      if (first == 0) cursor->emplace(file.path(), info);
      const auto bytes = std::span(static_cast<std::byte*>(to), static_cast<std::size_t>(count) * size_of(info.dtype));
      (*cursor)->next_bytes(bytes);
      file.release_read(info, first, first + count);
      if (const std::int64_t lost = overflows(info.dtype, bytes, stored)) report.overflowed[name] += lost;
      if (first + count == info.numel()) cursor->reset();
    };
    return {name, info.shape, info.dtype, fetch, stored};
  }

  /// Finite values that round to infinity in another type.
  static std::int64_t overflows(DType type, std::span<const std::byte> stored, DType to) {
    const bool may = type != to && ((to == DType::f16) || (to == DType::f32 && type == DType::f64) || to == DType::bf16);
    if (!may) return 0;
    // Half way from the largest finite value to the next power of two.
    const double limit = to == DType::f16 ? 65520.0 : to == DType::f32 ? 0x1.ffffffp127 : 0x1.ffp127;
    std::int64_t count = 0;
    std::vector<double> values(stored.size() / size_of(type));
    detail::to_doubles(type, stored, values);
    for (const double x : values) count += std::isfinite(x) && std::abs(x) >= limit;
    return count;
  }

  std::optional<DType> floats_;
  std::map<std::string, std::pair<const WeightsFile*, const TensorInfo*>> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// All of a file as safetensors, metadata included. Errors: as WeightsWriter's.
inline SaveReport convert_weights(const WeightsFile& file, const std::filesystem::path& path,
                                  std::optional<DType> floats = {}) {
  WeightsWriter writer(floats);
  for (const TensorInfo& info : file.tensors()) writer.add(file, info, info.name);
  writer.add_metadata(file);
  return writer.save(path);
}

/// All of several files as one; where `replace`, later files' tensors and metadata take the place of earlier ones' of the
/// same name. Errors: argument (a name twice, other metadata under one key), and WeightsWriter's.
inline SaveReport merge_weights(const std::vector<WeightsFile>& files, const std::filesystem::path& path,
                                bool replace = false, std::optional<DType> floats = {}) {
  WeightsWriter writer(floats);
  for (const WeightsFile& file : files) {
    for (const TensorInfo& info : file.tensors()) writer.add(file, info, info.name, replace);
    writer.add_metadata(file, replace);
  }
  return writer.save(path);
}

/// Tensors whose names begin with `prefix`, which becomes `renamed`. Metadata go along: they describe what it is a part of.
/// Errors: state_dict (there are none), and WeightsWriter's.
inline SaveReport extract_weights(const WeightsFile& file, const std::string& prefix, const std::string& renamed,
                                  const std::filesystem::path& path, std::optional<DType> floats = {}) {
  WeightsWriter writer(floats);
  bool any = false;
  for (const TensorInfo& info : file.tensors())
    if (std::string_view(info.name).starts_with(prefix)) {
      writer.add(file, info, renamed + info.name.substr(prefix.size()));
      any = true;
    }
  if (!any) fail(ErrorCode::state_dict, file.path(), ": expected tensors ", detail::in_quotes(prefix + "*"), ", got none");
  writer.add_metadata(file);
  return writer.save(path);
}

}  // namespace detrack
