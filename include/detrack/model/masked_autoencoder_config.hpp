// What a masked autoencoder has beside the configuration of the model whose backbone it trains.
#pragma once

#include <cstdint>
#include <string>

#include "detrack/io/json.hpp"
#include "detrack/io/json_fields.hpp"
#include "detrack/model/config.hpp"

namespace detrack {

/// The decoder, and how much is hidden from the encoder. It travels in the file's metadata beside the model's Config.
/// Defaults are for backbones of width 192; He et al. 2022 give their larger ones width 512, 8 blocks and 16 heads.
struct MaskedAutoencoderConfig {
  static constexpr const char* kMetadataKey = "detrack.masked_autoencoder";

  std::int64_t decoder_width = 192;
  std::int64_t decoder_depth = 4;
  std::int64_t decoder_heads = 3;
  double mask_ratio = 0.75;  ///< share of the tokens that the encoder does not see

  bool operator==(const MaskedAutoencoderConfig&) const = default;
};

namespace detail {

/// As for Config: f(name, member, least, most, required).
template <class C, class F>
void for_each_masked_autoencoder_number(C& c, F&& f) {
  f("decoder_width", c.decoder_width, 4, 16384, true);
  f("decoder_depth", c.decoder_depth, 1, 256, true);
  f("decoder_heads", c.decoder_heads, 1, 1024, true);
  f("mask_ratio", c.mask_ratio, 0, 1, false);
}

}  // namespace detail

/// Errors: config, naming the field, of either configuration.
inline void validate(const MaskedAutoencoderConfig& c, const Config& model) {
  validate(model);
  detail::for_each_masked_autoencoder_number(c, [](const char* name, auto value, double least, double most, bool) {
    detail::check_range(name, static_cast<double>(value), least, most);
  });
  detail::check_divisible("decoder_width", c.decoder_width, "decoder_heads", c.decoder_heads);
  detail::check_divisible("decoder_width", c.decoder_width, "sines and cosines of two axes", 4);
  if (model.search_tokens() < 2)
    detail::fail_config("search_size", "more than one patch", std::to_string(model.search_size));
}

inline std::string to_json(const MaskedAutoencoderConfig& c) {
  nlohmann::ordered_json json;
  detail::for_each_masked_autoencoder_number(
      c, [&](const char* name, auto value, double, double, bool) { json[name] = value; });
  return json.dump();
}

/// Reads the fields, each within its range; validate() tells whether they fit the model's. Errors: config, naming the field.
inline MaskedAutoencoderConfig masked_autoencoder_config_from_json(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  detail::JsonReader fields(json, "config");
  MaskedAutoencoderConfig c;
  detail::for_each_masked_autoencoder_number(c,
                                             [&](const char* name, auto& value, double least, double most, bool required) {
                                               if (required) fields.require(name);
                                               fields.number(name, value, least, most);
                                             });
  fields.finish();
  return c;
}

}  // namespace detrack
