// Masked autoencoders from and to weights files, which carry both configurations.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "detrack/model/masked_autoencoder.hpp"
#include "detrack/model/weights_file.hpp"

namespace detrack {

/// Errors: io, format, config, state_dict.
template <class T>
MaskedAutoencoder<T> load_masked_autoencoder(const std::filesystem::path& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  const Config config = read_config(file);
  const auto autoencoder =
      detail::read_config(file, MaskedAutoencoderConfig::kMetadataKey, masked_autoencoder_config_from_json);
  check_state_dict(file, MaskedAutoencoder<T>(config, autoencoder, plan_allocator()));  // before it takes memory
  MaskedAutoencoder<T> model(config, autoencoder);
  load_state_dict(file, model);
  return model;
}

/// As save_model. Errors: io, device.
template <class T>
void save_masked_autoencoder(const std::filesystem::path& path, MaskedAutoencoder<T>& model, std::optional<DType> dtype = {},
                             std::map<std::string, std::string> metadata = {}) {
  metadata[Config::kMetadataKey] = to_json(model.config());
  metadata[MaskedAutoencoderConfig::kMetadataKey] = to_json(model.autoencoder_config());
  save_state_dict(path, model, metadata, dtype);
}

}  // namespace detrack
