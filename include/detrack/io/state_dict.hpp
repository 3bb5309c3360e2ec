// All parameters of a model from a file and into a file, by name.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "detrack/core/tensor.hpp"
#include "detrack/io/safetensors_writer.hpp"
#include "detrack/io/weights_file.hpp"

// A model here is anything with `template <class F> void visit(F&& f)` that calls f(name, parameter) for each of its
// parameters, where parameter.value is a contiguous View<T>. Layers live on a higher floor; nothing else of them is known.

namespace detrack {

struct StateDictOptions {
  /// Put before each parameter's name to find it in the file; tensors of other prefixes are not looked at.
  std::string prefix = "";
  /// Tensors of the file that the model does not have are skipped instead of refused.
  bool allow_unexpected = false;
};

/// Stands for "no way to copy to or from devices": parameters must be in host memory.
struct HostOnly {};

namespace detail {

/// Collects what is wrong with a file: all of it counted, the first few of each kind worded.
class StateDictProblems {
 public:
  enum Kind { missing, unexpected, wrong_shape, wrong_type, repeated, ambiguous, kinds };

  void add(Kind kind, std::string text) {
    List& list = lists_[kind];
    if (++list.count <= kShown) list.text += (list.text.empty() ? "" : ", ") + text;
  }

  /// Errors: state_dict, if there was anything.
  void raise(const std::string& path) const {
    std::string text;
    for (int kind = 0; kind < kinds; ++kind) {
      const List& list = lists_[kind];
      if (list.count == 0) continue;
      text += (text.empty() ? " " : "; ") + std::to_string(list.count) + " " + kNames[kind] + ": " + list.text;
      if (list.count > kShown) text += ", and " + std::to_string(list.count - kShown) + " more";
    }
    if (!text.empty()) fail(ErrorCode::state_dict, path, ": the file does not fit the model:", text);
  }

 private:
  struct List {
    std::size_t count = 0;
    std::string text;
  };
  static constexpr std::size_t kShown = 5;
  static constexpr const char* kNames[kinds] = {"missing",
                                                "unexpected",
                                                "of another shape",
                                                "of another type",
                                                "named more than once by the model",
                                                "under more than one name"};
  List lists_[kinds];
};

inline constexpr std::int64_t kStateDictPiece = std::int64_t{1} << 20;  // elements copied between two releases of memory

/// Copies a checked tensor piece by piece, letting go of the file's memory on the way.
template <class T, class Upload>
void read_parameter(const WeightsFile& file, const TensorInfo& info, View<T> value, Upload& upload) {
  const std::int64_t total = value.numel();
  const View<T> flat = value.reshape({total});
  TensorCursor cursor = file.cursor(info);
  [[maybe_unused]] Tensor<T> staging;
  for (std::int64_t first = 0; first < total; first += kStateDictPiece) {
    const std::int64_t count = std::min(kStateDictPiece, total - first);
    const View<T> piece = flat.slice(0, first, count);
    if (value.device().kind == DeviceKind::cpu) {
      cursor.next(std::span<T>(piece.data(), static_cast<std::size_t>(count)));
    } else if constexpr (!std::is_same_v<Upload, HostOnly>) {
      if (!staging) staging = Tensor<T>(Shape{std::min(kStateDictPiece, total)});
      cursor.next(std::span<T>(staging.data(), static_cast<std::size_t>(count)));
      upload(piece, View<const T>(staging.data(), Shape{count}));
    }
    file.release_read(info, first, first + count);
  }
}

}  // namespace detail

/// Reads every parameter of `model` from `file`; floating types convert to the model's. All names, shapes and types are
/// checked before the first value is written: when it fails, the model is as it was. (Only an `upload` that throws can
/// leave some parameters new and others old.)
/// upload(View<T> destination, View<const T> host): copies elements to a device, done when it returns; left out, all
/// parameters must be in host memory.
/// Errors: state_dict (missing, unexpected, other shape or type; the first of each kind are named); shape (a parameter with
/// gaps); device.
/// Memory: none that grows with the file; pages of the file are let go as they are read.
template <class Model, class Upload = HostOnly>
void load_state_dict(const WeightsFile& file, Model&& model, const StateDictOptions& options = {}, Upload upload = {}) {
  using Problems = detail::StateDictProblems;
  struct Load {
    const TensorInfo* info;
    std::function<void()> run;
  };
  Problems problems;
  std::set<std::string, std::less<>> names;
  std::vector<Load> loads;
  model.visit([&](const std::string& parameter_name, auto& parameter) {
    auto value = parameter.value;
    using T = typename decltype(value)::value_type;
    const std::string name = options.prefix + parameter_name;
    if (std::is_same_v<Upload, HostOnly> && value.device().kind != DeviceKind::cpu)
      fail(ErrorCode::device, "load_state_dict: ", detail::in_quotes(name),
           ": expected cpu memory or an upload function, got ", to_string(value.device()));
    if (value.device().kind == DeviceKind::plan)
      fail(ErrorCode::device, "load_state_dict: ", detail::in_quotes(name), ": expected memory, got a plan");
    if (!value.contiguous())
      fail(ErrorCode::shape, "load_state_dict: ", detail::in_quotes(name), ": expected a contiguous view");
    if (!names.insert(name).second) return problems.add(Problems::repeated, detail::in_quotes(name));
    const TensorInfo* info = file.find(name);
    if (!info) return problems.add(Problems::missing, detail::in_quotes(name) + " " + to_string(value.shape()));
    if (!same_extents(*info, value.shape()))
      problems.add(Problems::wrong_shape, detail::in_quotes(name) + " (expected " + to_string(value.shape()) + ", got " +
                                              to_string(info->shape) + ")");
    else if (!detail::is_convertible(info->dtype, DTypeOf<T>::value))
      problems.add(Problems::wrong_type, detail::in_quotes(name) + " (expected " +
                                             std::string(to_string(DTypeOf<T>::value)) + ", got " +
                                             std::string(to_string(info->dtype)) + ")");
    else
      loads.push_back({info, [&file, &upload, info, value] { detail::read_parameter(file, *info, value, upload); }});
  });
  if (!options.allow_unexpected)
    for (const TensorInfo& tensor : file.tensors())
      if (std::string_view(tensor.name).starts_with(options.prefix) && !names.contains(tensor.name))
        problems.add(Problems::unexpected, detail::in_quotes(tensor.name) + " " + to_string(tensor.shape));
  problems.raise(file.path());

  std::sort(loads.begin(), loads.end(),
            [](const Load& a, const Load& b) { return a.info->bytes.data() < b.info->bytes.data(); });
  file.expect_sequential_reads();
  for (const Load& load : loads) load.run();
}

/// Writes every parameter of `model` to `path`, as `dtype` or as the type it has.
/// download(View<const T> source, View<T> host): copies elements from a device, done when it returns; left out, all
/// parameters must be in host memory. Errors: those of save_safetensors, device.
template <class Model, class Download = HostOnly>
void save_state_dict(const std::filesystem::path& path, Model&& model,
                     const std::map<std::string, std::string>& metadata = {}, std::optional<DType> dtype = {},
                     Download download = {}) {
  std::vector<SafetensorsEntry> entries;
  model.visit([&](const std::string& name, auto& parameter) {
    using T = std::remove_const_t<typename std::remove_cvref_t<decltype(parameter.value)>::value_type>;
    const View<const T> value = parameter.value;
    const DType stored = dtype.value_or(DTypeOf<T>::value);
    if constexpr (!std::is_same_v<Download, HostOnly>) {
      if (value.device().kind == DeviceKind::cuda) {
        const View<const T> flat = value.reshape({value.numel()});
        const auto fetch = [&download, flat](std::int64_t first, std::int64_t count, void* to) {
          download(flat.slice(0, first, count), View<T>(static_cast<T*>(to), Shape{count}));
        };
        entries.emplace_back(name, value.shape(), DTypeOf<T>::value, fetch, stored);
        return;
      }
    }
    entries.emplace_back(name, value, stored);
  });
  save_safetensors(path, std::move(entries), metadata);
}

}  // namespace detrack
