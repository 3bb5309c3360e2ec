// Models from and to weights files, which carry their configuration.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "detrack/io/convert.hpp"
#include "detrack/io/safetensors.hpp"
#include "detrack/io/state_dict.hpp"
#include "detrack/model/config_json.hpp"
#include "detrack/model/detrack.hpp"

namespace detrack {

namespace detail {

/// What parse makes of a configuration in a file's metadata. Errors: config, naming file and field, or that there is none.
template <class F>
auto read_config(const WeightsFile& file, const char* key, F&& parse) {
  const auto it = file.metadata().find(key);
  if (it == file.metadata().end())
    fail(ErrorCode::config, file.path(), ": expected a configuration in metadata ", key, ", got none");
  try {
    return parse(it->second);
  } catch (const Error& error) {
    fail(error.code(), file.path(), ": ", error.what());
  }
}

}  // namespace detail

/// The configuration in a file's metadata. Errors: config, naming file and field, or that there is none.
inline Config read_config(const WeightsFile& file) {
  return detail::read_config(file, Config::kMetadataKey, config_from_json);
}

namespace detail {

/// A file's configuration, once it is known to have all parameters of such a model: a few words in a small file could
/// otherwise ask for any amount of memory. Errors: config, state_dict.
template <class T>
Config read_config_of_parameters(const WeightsFile& file, const StateDictOptions& options) {
  const Config config = read_config(file);
  check_state_dict(file, DeTrack<T>(config, plan_allocator()), options);
  return config;
}

}  // namespace detail

/// A model with a file's configuration and parameters, in host memory; floating types convert to T.
/// Errors: io, format, config, state_dict.
template <class T>
DeTrack<T> load_model(const std::filesystem::path& path, const StateDictOptions& options = {}) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  DeTrack<T> model(detail::read_config_of_parameters<T>(file, options));
  load_state_dict(file, model, options);
  return model;
}

/// The same in the memory of a context's device. Errors: io, format, config, state_dict, out_of_memory.
template <class T>
DeTrack<T> load_model(const std::filesystem::path& path, Context<T>& ctx, const StateDictOptions& options = {}) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  DeTrack<T> model(detail::read_config_of_parameters<T>(file, options), ctx);
  load_state_dict(file, model, options, [&](View<T> to, View<const T> from) { ops::copy(ctx, from, to); });
  return model;
}

/// A host model's copy in the memory of a context's device, its values rounded to T.
template <class T, class From>
DeTrack<T> copy_model(DeTrack<From>& host, Context<T>& ctx) {
  std::vector<View<const From>> values;
  host.visit([&](const std::string&, Param<From>& p) { values.push_back(p.value); });
  DeTrack<T> model(host.config(), ctx);
  std::vector<T> rounded;
  auto from = values.begin();
  model.visit([&](const std::string&, Param<T>& p) {
    rounded.resize(static_cast<std::size_t>(p.shape.numel()));
    std::transform(from->data(), from->data() + p.shape.numel(), rounded.begin(), detail::convert_value<T, From>);
    ops::copy(ctx, View<const T>(rounded.data(), p.shape), p.value);
    ++from;
  });
  return model;
}

/// Writes parameters, configuration and further metadata; `dtype` other than T's converts, bf16 halves the file.
/// Errors: io, device. What was at `path` stays until the new file is complete.
template <class T>
void save_model(const std::filesystem::path& path, DeTrack<T>& model, std::optional<DType> dtype = {},
                std::map<std::string, std::string> metadata = {}) {
  metadata[Config::kMetadataKey] = to_json(model.config());
  save_state_dict(path, model, metadata, dtype);
}

}  // namespace detrack
