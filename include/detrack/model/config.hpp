// The configuration of a DeTrack model: fields, presets, validation.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/ops/noise.hpp"
#include "detrack/ops/words.hpp"

namespace detrack {

/// Everything that shapes a model file. It travels in the file's metadata under kConfigKey. Defaults are detrack-b256's.
struct Config {
  static constexpr const char* kMetadataKey = "detrack.config";

  std::string name = "detrack-b256";
  std::int64_t width = 768;  ///< C
  std::int64_t depth = 12;   ///< L, denoising blocks
  std::int64_t heads = 12;   ///< H
  std::int64_t mlp_ratio = 4;
  std::int64_t patch = 16;           ///< P, pixels
  std::int64_t search_size = 256;    ///< S, pixels
  std::int64_t template_size = 128;  ///< Z, pixels
  std::int64_t templates = 3;        ///< the most a forward pass may be given
  std::int64_t bins_per_unit = 400;  ///< words per search crop side
  double coord_range = 2;            ///< words cover [(1 - range) / 2, (1 + range) / 2] of the search crop
  std::int64_t trajectory = 7;       ///< K, the most previous boxes a forward pass may be given
  std::int64_t refine_layers = 6;
  std::int64_t refine_heads = 12;
  std::int64_t noise_steps = 1000;     ///< T of the diffusion
  double signal_scale = 2;             ///< of the noised signal
  std::int64_t confidence_window = 2;  ///< words either side of the most likely one
  double search_factor = 4;            ///< search crop side / sqrt(w h) of the target
  double template_factor = 2;          ///< template crop side / sqrt(w h) of the target
  std::int64_t trajectory_used = 0;    ///< previous boxes the tracker gives: 0 after training on pairs, K after sequences
  std::array<double, 3> mean{0.485, 0.456, 0.406};  ///< of RGB / 255 (ImageNet's)
  std::array<double, 3> std{0.229, 0.224, 0.225};
  bool denoising_attention = true;  ///< false (an ablation): box tokens see the image in the refiner only
  bool noise_prediction = true;     ///< false (an ablation): blocks change box tokens without predicting noise

  /// V
  std::int64_t words() const { return std::llround(static_cast<double>(bins_per_unit) * coord_range); }
  double coord_min() const { return (1 - coord_range) / 2; }
  Vocabulary vocabulary() const { return {words(), static_cast<double>(bins_per_unit), coord_min()}; }
  NoiseSchedule noise() const {
    return {static_cast<double>(noise_steps), signal_scale, coord_min(), coord_min() + coord_range};
  }
  /// Ns
  std::int64_t search_tokens() const { return (search_size / patch) * (search_size / patch); }
  /// Tokens of one template.
  std::int64_t template_tokens() const { return (template_size / patch) * (template_size / patch); }

  bool operator==(const Config&) const = default;
};

namespace detail {

[[noreturn]] inline void fail_config(const std::string& field, const std::string& expected, const std::string& got) {
  fail(ErrorCode::config, "config: ", field, ": expected ", expected, ", got ", got);
}

/// Calls f(name, member, least, most, required) for every numeric field. `required` fields have no default in JSON: they
/// decide the shapes of the weights. One list serves reading, writing and validating.
template <class C, class F>
void for_each_config_number(C& c, F&& f) {
  f("width", c.width, 4, 16384, true);
  f("depth", c.depth, 1, 256, true);
  f("heads", c.heads, 1, 1024, true);
  f("mlp_ratio", c.mlp_ratio, 1, 64, true);
  f("patch", c.patch, 1, 256, true);
  f("search_size", c.search_size, 1, 4096, true);
  f("template_size", c.template_size, 1, 4096, true);
  f("templates", c.templates, 1, 64, true);
  f("bins_per_unit", c.bins_per_unit, 1, 100000, true);
  f("coord_range", c.coord_range, 1e-3, 16, true);
  f("trajectory", c.trajectory, 0, 1024, true);
  f("refine_layers", c.refine_layers, 0, 256, true);
  f("refine_heads", c.refine_heads, 1, 1024, true);
  f("noise_steps", c.noise_steps, 1, 1000000, false);
  f("signal_scale", c.signal_scale, 1e-3, 1e3, false);
  f("confidence_window", c.confidence_window, 0, 1000000, false);
  f("search_factor", c.search_factor, 0.1, 100, false);
  f("template_factor", c.template_factor, 0.1, 100, false);
  f("trajectory_used", c.trajectory_used, 0, 1024, false);
}

/// Calls f(name, member) for every switch; all default in JSON.
template <class C, class F>
void for_each_config_switch(C& c, F&& f) {
  f("denoising_attention", c.denoising_attention);
  f("noise_prediction", c.noise_prediction);
}

inline void check_range(const char* field, double x, double least, double most) {
  if (!(x >= least && x <= most)) fail_config(field, concat("a number in [", least, ", ", most, "]"), concat(x));
}

inline void check_divisible(const char* field, std::int64_t value, const char* by_name, std::int64_t by) {
  if (value % by != 0)
    fail_config(field, "a multiple of " + std::string(by_name) + " = " + std::to_string(by), std::to_string(value));
}

}  // namespace detail

/// Errors: config, naming the field.
inline void validate(const Config& c) {
  detail::for_each_config_number(c, [](const char* name, auto value, double least, double most, bool) {
    detail::check_range(name, static_cast<double>(value), least, most);
  });
  detail::check_divisible("width", c.width, "heads", c.heads);
  detail::check_divisible("width", c.width, "refine_heads", c.refine_heads);
  detail::check_divisible("width", c.width, "sines and cosines of two axes", 4);
  detail::check_divisible("search_size", c.search_size, "patch", c.patch);
  detail::check_divisible("template_size", c.template_size, "patch", c.patch);
  if (c.words() < 1) detail::fail_config("coord_range", "at least one word", std::to_string(c.words()));
  if (c.trajectory_used > c.trajectory)
    detail::fail_config("trajectory_used", "at most trajectory = " + std::to_string(c.trajectory),
                        std::to_string(c.trajectory_used));
  for (int i = 0; i < 3; ++i) {
    if (!std::isfinite(c.mean[i])) detail::fail_config("mean", "finite numbers", detail::concat(c.mean[i]));
    if (!(c.std[i] > 0 && std::isfinite(c.std[i]))) detail::fail_config("std", "positive numbers", detail::concat(c.std[i]));
  }
}

/// The presets of model.md's table: detrack-n128, -t256, -s256, -b256, -b384.
inline std::vector<Config> presets() {
  const auto make = [](const char* name, std::int64_t width, std::int64_t refine_layers, std::int64_t search,
                       std::int64_t templates, std::int64_t bins, double factor) {
    Config c;
    c.name = name;
    c.width = width;
    c.heads = c.refine_heads = width / 64;
    c.refine_layers = refine_layers;
    c.search_size = search;
    c.template_size = search / 2;
    c.templates = templates;
    c.bins_per_unit = bins;
    c.search_factor = factor;
    return c;
  };
  return {make("detrack-n128", 192, 3, 128, 2, 400, 4), make("detrack-t256", 192, 3, 256, 3, 400, 4),
          make("detrack-s256", 384, 6, 256, 3, 400, 4), make("detrack-b256", 768, 6, 256, 3, 400, 4),
          make("detrack-b384", 768, 6, 384, 3, 600, 5)};
}

/// Errors: config, listing the names there are.
inline Config preset(std::string_view name) {
  std::string names;
  for (const Config& c : presets()) {
    if (c.name == name) return c;
    names += (names.empty() ? "" : ", ") + c.name;
  }
  detail::fail_config("preset", "one of " + names, std::string(name));
}

}  // namespace detrack
