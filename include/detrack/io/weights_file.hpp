// A file of named tensors, whatever its format.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/tensor.hpp"
#include "detrack/core/view.hpp"
#include "detrack/io/mapped_file.hpp"
#include "detrack/io/tensor_cursor.hpp"

namespace detrack {

enum class WeightsFormat { safetensors, pytorch_zip, pytorch_stream, npz, npy };

constexpr std::string_view to_string(WeightsFormat format) {
  switch (format) {
    case WeightsFormat::safetensors: return "safetensors";
    case WeightsFormat::pytorch_zip: return "PyTorch (zip)";
    case WeightsFormat::pytorch_stream: return "PyTorch (stream, as before version 1.6)";
    case WeightsFormat::npz: return "NumPy (npz)";
    case WeightsFormat::npy: return "NumPy (npy)";
  }
  return "unknown";
}

struct WeightsOptions {
  /// The key of a PyTorch checkpoint under which the wanted tensors are, such as "model_ema", or keys with dots between
  /// them. Left empty: the state dict, which is the checkpoint itself or what it has under a usual name ("state_dict",
  /// "model", "net", ...); all of it if there is none.
  std::string part = "";
};

namespace detail {

/// What a format's reader found in a file.
struct WeightsContents {
  struct LeftOut {
    std::string part;
    std::size_t tensors = 0;
  };

  WeightsFormat format = WeightsFormat::safetensors;
  std::map<std::string, std::string> metadata;
  std::vector<TensorInfo> tensors;
  std::string part;
  std::vector<LeftOut> left_out;
};

/// Tensors may share memory, and repeat it (a stride of 0); together they may be at most so many times the file's size, or
/// 64 MiB. Archives may unpack to as much. More of it is no file of weights but an attempt to keep its readers busy.
inline constexpr std::uint64_t kMostUnpacked = 64;

inline std::uint64_t most_unpacked(std::uint64_t file_size) {
  return std::max(std::uint64_t{64} << 20, kMostUnpacked * file_size);
}

}  // namespace detail

/// Named tensors of a file, checked as a whole when it was opened: afterwards every tensor is known to lie inside it.
/// open_weights() makes one of any format, SafetensorsFile is one. Reading is const and may happen in several threads.
class WeightsFile {
 public:
  /// Errors: format (names missing or repeated, tensors that repeat themselves absurdly often). `bytes` is all of the file.
  WeightsFile(std::string path, MappedFile mapping, std::span<const std::byte> bytes, detail::WeightsContents contents)
      : path_(std::move(path)), mapping_(std::move(mapping)), size_(bytes.size()), contents_(std::move(contents)) {
    auto& all = contents_.tensors;
    std::sort(all.begin(), all.end(), [](const TensorInfo& a, const TensorInfo& b) { return a.name < b.name; });
    const std::uint64_t most = detail::most_unpacked(size_);
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i].name.empty()) fail(ErrorCode::format, path_, ": expected tensors with names, got an empty name");
      if (i > 0 && all[i - 1].name == all[i].name)
        fail(ErrorCode::format, path_, ": tensor ", detail::in_quotes(all[i].name), ": expected it once, got it again");
      const std::uint64_t size = static_cast<std::uint64_t>(all[i].numel()) * size_of(all[i].dtype);
      if (size > most - total)
        fail(ErrorCode::format, path_, ": tensor ", detail::in_quotes(all[i].name), ": expected at most ", most,
             " bytes of tensors in a file of ", size_, ", got more");
      total += size;
    }
  }

  const std::string& path() const { return path_; }
  WeightsFormat format() const { return contents_.format; }
  std::uint64_t file_size() const { return size_; }
  const std::map<std::string, std::string>& metadata() const { return contents_.metadata; }
  const std::vector<TensorInfo>& tensors() const { return contents_.tensors; }  ///< ordered by name

  /// The key under which the file has these tensors, such as "state_dict"; empty where they are all of it.
  const std::string& part() const { return contents_.part; }
  /// Keys beside it that hold tensors too (an optimizer's state, an average), and how many.
  const std::vector<detail::WeightsContents::LeftOut>& left_out() const { return contents_.left_out; }

  /// The tensor of that name, or nullptr.
  const TensorInfo* find(std::string_view name) const {
    const auto& all = tensors();
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
      fail(ErrorCode::device, "WeightsFile::read: out: expected cpu memory, got ", to_string(out.device()));
    if (!out.contiguous()) fail(ErrorCode::shape, "WeightsFile::read: out: expected a contiguous view");
    read(info, 0, std::span<T>(out.data(), static_cast<std::size_t>(out.numel())));
  }

  /// Copies the out.size() elements from number `first` on, whatever the shape. Errors: state_dict (type), argument.
  template <class T>
  void read(const TensorInfo& info, std::int64_t first, std::span<T> out) const {
    cursor(info, first).next(out);
  }

  /// For reading a tensor in pieces. Errors: argument.
  TensorCursor cursor(const TensorInfo& info, std::int64_t first = 0) const { return {path_, info, first}; }

  /// Hints for reading a large file once without keeping it in memory; no effect on what is read.
  void expect_sequential_reads() const noexcept { mapping_.expect_sequential_reads(); }
  void release(std::span<const std::byte> part) const noexcept { mapping_.release(part); }
  /// Lets go of the elements up to number `end`, which were read front to back.
  void release_read(const TensorInfo& info, std::int64_t begin, std::int64_t end) const noexcept {
    if (!info.plain()) {
      if (end == info.numel()) release(info.bytes);  // until then any byte of it may be needed again
      return;
    }
    // The last page of a piece waits for the next piece, as released ranges are cut to whole pages: begin a page early.
    constexpr std::size_t kLargestPage = 1 << 16;
    const std::size_t size = size_of(info.dtype), from = static_cast<std::size_t>(begin) * size;
    const std::size_t early = from - std::min(from, kLargestPage);
    release(info.bytes.subspan(early, static_cast<std::size_t>(end) * size - early));
  }

 private:
  std::string path_;
  MappedFile mapping_;
  std::uint64_t size_;
  detail::WeightsContents contents_;
};

}  // namespace detrack
