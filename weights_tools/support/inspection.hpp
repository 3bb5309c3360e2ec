// What there is to say about a file of weights, for people and for programs.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "detrack/io/import_report.hpp"
#include "detrack/io/json.hpp"
#include "detrack/io/quoted.hpp"
#include "detrack/io/tensor_statistics.hpp"
#include "detrack/io/vit_file.hpp"
#include "detrack/io/weights_file.hpp"
#include "detrack/model/config_json.hpp"
#include "weights_tools/support/models.hpp"

namespace detrack::program {

/// "21.8 MiB"
inline std::string bytes_text(std::uint64_t bytes) {
  char text[32];
  if (bytes < 1024)
    std::snprintf(text, sizeof text, "%d bytes", static_cast<int>(bytes));
  else if (bytes < 1024 * 1024)
    std::snprintf(text, sizeof text, "%.1f KiB", static_cast<double>(bytes) / 1024);
  else
    std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1024 * 1024));
  return text;
}
/// "5.72 M"
inline std::string count_text(double count) {
  char text[32];
  const auto [scale, unit] = count < 1e3   ? std::pair(1.0, "")
                             : count < 1e6 ? std::pair(1e3, " k")
                             : count < 1e9 ? std::pair(1e6, " M")
                                           : std::pair(1e9, " G");
  std::snprintf(text, sizeof text, scale == 1 ? "%.0f%s" : "%.4g%s", count / scale, unit);
  return text;
}

/// The model in a file, as far as its configuration or its names and shapes tell.
struct ModelFacts {
  std::string kind;
  std::int64_t parameters = 0;
  std::optional<double> flops = {};  ///< of one forward pass
  nlohmann::ordered_json configuration = {}, sizes = {};
};

namespace detail {

using namespace detrack::detail;

inline std::int64_t elements_of(const WeightsFile& file) {
  std::int64_t count = 0;
  for (const TensorInfo& tensor : file.tensors()) count += tensor.numel();
  return count;
}

/// Nothing if it is no vision transformer under the names that import_vit knows.
inline std::optional<ModelFacts> vit_facts(const WeightsFile& file) {
  try {
    const VitTensors tensors(file);
    const VitSizes sizes = sizes_of_file(file, tensors);
    ModelFacts facts{.kind = "vision transformer"};
    double block_weights = 0;
    tensors.for_each([&](std::string_view bare, const TensorInfo& tensor) {
      const bool part = bare.starts_with(kVitBlocks) || bare.starts_with("patch_embed.") || bare.starts_with("norm.") ||
                        bare.starts_with("pos_embed");
      if (part) facts.parameters += tensor.numel();
      if (bare.starts_with(kVitBlocks) && tensor.shape.size() == 2) block_weights += static_cast<double>(tensor.numel());
    });
    std::int64_t side = 0;
    if (const auto& grid = tensors.find("pos_embed"); !grid.empty() && grid.front()->shape.size() == 3)
      for (std::int64_t tokens = 0; tokens <= 2 && side == 0; ++tokens) side = grid_side(grid.front()->shape[1] - tokens);
    facts.sizes = {{"width", sizes.width}, {"depth", sizes.depth}, {"patch", sizes.patch_rows}, {"grid", side}};
    if (side > 0) {
      const auto N = static_cast<double>(side * side), C = static_cast<double>(sizes.width);
      const auto patch = static_cast<double>(sizes.channels * sizes.patch_rows * sizes.patch_columns);
      facts.flops = 2 * N * (block_weights + C * patch) + 4 * N * N * C * static_cast<double>(sizes.depth);
    }
    return facts;
  } catch (const Error&) {
    return {};  // that is the answer
  }
}

}  // namespace detail

inline ModelFacts model_facts(const WeightsFile& file) {
  ModelFacts facts{.kind = "unknown", .parameters = detail::elements_of(file)};
  if (file.metadata().contains(Config::kMetadataKey)) {
    const Config config = model_config(file);
    facts.configuration = nlohmann::ordered_json::parse(to_json(config));
    facts.kind =
        file.find("box.word_embed.weight") ? "DeTrack " + config.name : "part of, or besides, DeTrack " + config.name;
    facts.flops = forward_flops(config);
    return facts;
  }
  if (auto vit = detail::vit_facts(file)) return std::move(*vit);
  return facts;
}

inline nlohmann::ordered_json to_json(const TensorInfo& tensor) {
  return {{"name", tensor.name}, {"dtype", to_string(tensor.dtype)}, {"shape", tensor.shape}};
}

/// All of it; numbers that are none are null.
inline nlohmann::ordered_json inspection_json(const WeightsFile& file, bool tensors, bool stats) {
  const ModelFacts facts = model_facts(file);
  nlohmann::ordered_json json{{"file", file.path()}, {"format", to_string(file.format())}, {"bytes", file.file_size()}};
  if (!file.part().empty()) json["part"] = file.part();
  for (const auto& [part, count] : file.left_out()) json["left_out"][part] = count;
  json["model"] = {{"kind", facts.kind}, {"parameters", facts.parameters}};
  if (!facts.sizes.is_null()) json["model"].update(facts.sizes);
  if (facts.flops) json["model"]["flops"] = *facts.flops;
  if (!facts.configuration.is_null()) json["configuration"] = facts.configuration;
  json["metadata"] = nlohmann::ordered_json::object();
  for (const auto& [key, value] : file.metadata())
    if (key != Config::kMetadataKey) json["metadata"][key] = value;
  json["tensor_count"] = file.tensors().size();
  json["elements"] = detail::elements_of(file);
  json["types"] = nlohmann::ordered_json::object();
  for (const TensorInfo& tensor : file.tensors()) {
    auto& count = json["types"][std::string(to_string(tensor.dtype))];
    count = (count.is_null() ? 0 : count.get<std::int64_t>()) + tensor.numel();
  }
  if (!tensors && !stats) return json;
  json["tensors"] = nlohmann::ordered_json::array();
  for (const TensorInfo& tensor : file.tensors()) {
    auto& one = json["tensors"].emplace_back(to_json(tensor));
    if (!stats) continue;
    const TensorStatistics s = statistics(file, tensor);
    const auto finite = [](double x) { return std::isfinite(x) ? nlohmann::ordered_json(x) : nlohmann::ordered_json(); };
    one.update({{"min", finite(s.min)},
                {"mean", finite(s.mean)},
                {"max", finite(s.max)},
                {"nan", s.nan},
                {"infinite", s.infinite}});
  }
  return json;
}

/// The same in lines. Names that differ in numbers only share one, unless each tensor is wanted.
inline void print_inspection(const WeightsFile& file, bool tensors, bool stats) {
  using detrack::detail::escaped;
  const ModelFacts facts = model_facts(file);
  std::printf("%s: %s, %s%s\n", file.path().c_str(), std::string(to_string(file.format())).c_str(),
              bytes_text(file.file_size()).c_str(),
              file.part().empty() ? "" : (", part '" + escaped(file.part(), 200) + "'").c_str());
  for (const auto& [part, count] : file.left_out())
    std::printf("  beside it: %zu tensors under '%s' (--part)\n", count, escaped(part, 200).c_str());
  std::printf("model: %s, %s parameters", escaped(facts.kind, 200).c_str(),
              count_text(static_cast<double>(facts.parameters)).c_str());
  if (!facts.sizes.is_null()) {
    const auto number = [&](const char* name) { return static_cast<long long>(facts.sizes.at(name).get<std::int64_t>()); };
    std::printf(", width %lld, %lld blocks, patch %lld", number("width"), number("depth"), number("patch"));
    if (number("grid") > 0)
      std::printf(", pictures of %lld x %lld", number("grid") * number("patch"), number("grid") * number("patch"));
  }
  if (facts.flops)
    std::printf(", %sFLOP a forward pass", (count_text(*facts.flops) + (*facts.flops < 1e3 ? " " : "")).c_str());
  std::printf("\n");
  if (!facts.configuration.is_null()) std::printf("configuration: %s\n", facts.configuration.dump().c_str());
  for (const auto& [key, value] : file.metadata())
    if (key != Config::kMetadataKey) std::printf("metadata %s: %s\n", escaped(key).c_str(), escaped(value, 200).c_str());
  std::map<std::string, std::int64_t> types;
  for (const TensorInfo& tensor : file.tensors()) types[std::string(to_string(tensor.dtype))] += tensor.numel();
  std::printf("%zu tensors:", file.tensors().size());
  for (const auto& [type, count] : types) std::printf(" %lld %s", static_cast<long long>(count), type.c_str());
  std::printf("\n");
  if (tensors || stats) {
    for (const TensorInfo& tensor : file.tensors()) {
      std::printf("  %s %s %s", escaped(tensor.name, 200).c_str(), std::string(to_string(tensor.dtype)).c_str(),
                  to_string(tensor.shape).c_str());
      if (stats) {
        const TensorStatistics s = statistics(file, tensor);
        std::printf("  min %.6g mean %.6g max %.6g", s.min, s.mean, s.max);
        if (s.nan > 0) std::printf(" NaN %lld", static_cast<long long>(s.nan));
        if (s.infinite > 0) std::printf(" infinite %lld", static_cast<long long>(s.infinite));
      }
      std::printf("\n");
    }
    return;
  }
  std::vector<std::pair<std::string, std::size_t>> lines;
  std::map<std::string, std::size_t> place;
  for (const TensorInfo& tensor : file.tensors()) {
    const std::string line = escaped(detrack::detail::without_numbers(tensor.name), 200) + " " + to_string(tensor.shape);
    const auto [at, is_new] = place.emplace(line, lines.size());
    if (is_new) lines.emplace_back(line, 0);
    ++lines[at->second].second;
  }
  constexpr std::size_t kShown = 100;
  for (std::size_t i = 0; i < std::min(lines.size(), kShown); ++i)
    std::printf("  %s%s\n", lines[i].first.c_str(),
                lines[i].second > 1 ? (", " + std::to_string(lines[i].second) + " times").c_str() : "");
  if (lines.size() > kShown) std::printf("  and %zu more (--tensors)\n", lines.size() - kShown);
}

}  // namespace detrack::program
