// Writing safetensors files, the same bytes for the same tensors every time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "detrack/core/view.hpp"
#include "detrack/io/atomic_file.hpp"
#include "detrack/io/convert.hpp"
#include "detrack/io/json.hpp"
#include "detrack/io/quoted.hpp"
#include "detrack/io/safetensors_header.hpp"
#include "detrack/io/tensor_info.hpp"

namespace detrack {

/// A tensor to be written: its name, where its elements come from, and the type to store them as.
struct SafetensorsEntry {
  /// Writes `count` elements from number `first` on, of type `source`, to host memory.
  using Fetch = std::function<void(std::int64_t first, std::int64_t count, void* to)>;

  /// Contiguous host memory, which must live until it is saved. Errors: device, shape.
  template <class T>
  SafetensorsEntry(std::string tensor_name, View<T> values, DType stored_as = DTypeOf<std::remove_const_t<T>>::value)
      : name(std::move(tensor_name)),
        shape(extents_of(values.shape())),
        source(DTypeOf<std::remove_const_t<T>>::value),
        stored(stored_as) {
    if (values.device().kind != DeviceKind::cpu)
      fail(ErrorCode::device, "save_safetensors: tensor ", detail::in_quotes(name), ": expected cpu memory, got ",
           to_string(values.device()));
    if (!values.contiguous() || (!values && values.numel() != 0))
      fail(ErrorCode::shape, "save_safetensors: tensor ", detail::in_quotes(name), ": expected a contiguous view");
    fetch = [data = values.data()](std::int64_t first, std::int64_t count, void* to) {
      std::memcpy(to, data + first, static_cast<std::size_t>(count) * sizeof(T));
    };
  }

  /// Elements that are fetched piece by piece: from a device, or computed.
  SafetensorsEntry(std::string tensor_name, const Shape& extents, DType source_type, Fetch get_elements, DType stored_as)
      : SafetensorsEntry(std::move(tensor_name), extents_of(extents), source_type, std::move(get_elements), stored_as) {}
  SafetensorsEntry(std::string tensor_name, std::vector<std::int64_t> extents, DType source_type, Fetch get_elements,
                   DType stored_as)
      : name(std::move(tensor_name)),
        shape(std::move(extents)),
        source(source_type),
        stored(stored_as),
        fetch(std::move(get_elements)) {}

  std::int64_t numel() const { return detail::element_count(shape); }

  std::string name;
  std::vector<std::int64_t> shape;  ///< of a rank that files may have, which tensors in memory may not
  DType source, stored;
  Fetch fetch;

 private:
  static std::vector<std::int64_t> extents_of(const Shape& shape) {
    std::vector<std::int64_t> extents;
    for (int i = 0; i < shape.rank(); ++i) extents.push_back(shape[i]);
    return extents;
  }
};

namespace detail {

/// `text` as a JSON string. Errors: argument, if it is not UTF-8.
inline std::string json_string(const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    fail(ErrorCode::argument, "save_safetensors: expected UTF-8, got ", in_quotes(text));
  }
}

/// Size in bytes as stored. Errors: argument.
inline std::uint64_t stored_bytes(const SafetensorsEntry& entry) {
  const auto size = size_in_bytes(entry.stored, entry.shape);
  if (!size)
    fail(ErrorCode::argument, "save_safetensors: tensor ", in_quotes(entry.name), ": ", to_string(entry.shape),
         " is too large");
  return *size;
}

inline void check_entries(std::vector<SafetensorsEntry>& by_name) {
  for (std::size_t i = 0; i < by_name.size(); ++i) {
    const SafetensorsEntry& entry = by_name[i];
    if (entry.name.empty() || entry.name == kMetadataKey)
      fail(ErrorCode::argument, "save_safetensors: expected a tensor name, got ", in_quotes(entry.name));
    if (i > 0 && by_name[i - 1].name == entry.name)
      fail(ErrorCode::argument, "save_safetensors: expected unique names, got ", in_quotes(entry.name), " twice");
    if (!is_convertible(entry.source, entry.stored))
      fail(ErrorCode::argument, "save_safetensors: tensor ", in_quotes(entry.name), ": ", to_string(entry.source),
           " cannot be stored as ", to_string(entry.stored));
  }
}

/// Streams one tensor in pieces: no second copy of it in memory.
inline void write_elements(AtomicFile& file, const SafetensorsEntry& entry) {
  constexpr std::int64_t kPiece = 1 << 16;
  const std::int64_t total = entry.numel();
  std::vector<std::byte> source(static_cast<std::size_t>(std::min(kPiece, total)) * size_of(entry.source));
  with_dtype(entry.stored, [&]<class T>(std::type_identity<T>) {
    std::vector<T> stored(static_cast<std::size_t>(std::min(kPiece, total)));
    for (std::int64_t first = 0; first < total; first += kPiece) {
      const auto count = std::min(kPiece, total - first);
      entry.fetch(first, count, source.data());
      convert_elements(entry.source, source.data(), static_cast<std::size_t>(count), stored.data());
      file.write(std::as_bytes(std::span(stored).first(static_cast<std::size_t>(count))));
    }
  });
}

}  // namespace detail

/// Writes `entries` and `metadata` to `path`, replacing what is there only once all of it is on disk.
/// The bytes depend on names, shapes, types and values alone, not on the order of `entries`. Data begin at a multiple of 8
/// and wider types come first, so every element is aligned although tensors follow each other without gaps.
/// Errors: argument (duplicate or empty names, not UTF-8, types that do not convert), io (with path and reason).
inline void save_safetensors(const std::filesystem::path& path, std::vector<SafetensorsEntry> entries,
                             const std::map<std::string, std::string>& metadata = {}) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  detail::check_entries(entries);
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return size_of(a.stored) > size_of(b.stored); });

  std::string header = "{";
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata)
      header += (header.back() == '{' ? "" : ",") + detail::json_string(key) + ":" + detail::json_string(value);
    header += "}";
  }
  std::uint64_t end = 0;
  for (const SafetensorsEntry& entry : entries) {
    const std::uint64_t begin = end;
    end += detail::stored_bytes(entry);  // each below 2^63, so this wraps only above it
    if (end > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      fail(ErrorCode::argument, "save_safetensors: the tensors are too large for one file");
    if (header.size() > 1) header += ",";
    header += detail::json_string(entry.name) + ":{\"dtype\":\"" + std::string(to_string(entry.stored)) + "\",\"shape\":[";
    for (std::size_t i = 0; i < entry.shape.size(); ++i) header += (i ? "," : "") + std::to_string(entry.shape[i]);
    header += "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  if (header.size() > detail::kMaxHeaderBytes)
    fail(ErrorCode::argument, "save_safetensors: header: expected at most ", detail::kMaxHeaderBytes, " bytes, got ",
         header.size());

  AtomicFile file(path);
  const std::uint64_t length = header.size();
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(std::as_bytes(std::span(header)));
  for (const SafetensorsEntry& entry : entries) detail::write_elements(file, entry);
  file.commit();
}

}  // namespace detrack
