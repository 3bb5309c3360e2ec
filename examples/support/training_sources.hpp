// The folders of a training configuration, opened.
#pragma once

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "detrack/data/open_dataset.hpp"
#include "detrack/data/open_still_images.hpp"
#include "detrack/image/stb.hpp"
#include "detrack/train/training_data.hpp"
#include "examples/support/train_config.hpp"

namespace detrack::program {

inline void print_warnings(const std::vector<std::string>& warnings) {
  constexpr std::size_t kShown = 5;
  for (std::size_t i = 0; i < std::min(kShown, warnings.size()); ++i)
    std::fprintf(stderr, "warning: %s\n", warnings[i].c_str());
  if (warnings.size() > kShown) std::fprintf(stderr, "warning: and %zu more\n", warnings.size() - kShown);
}

/// Videos where the folder has them, otherwise still pictures. Errors: argument; io; format.
inline TrainingSource open_source(const DataEntry& entry) {
  if (entry.path.empty())
    fail(ErrorCode::argument, "data: ", entry.name, ": expected a folder; give one with --data ", entry.name, "=DIR");
  TrainingSource source{.name = entry.name, .weight = entry.weight};
  if (const auto layout = find_layout(entry.path)) {
    if (!entry.subset.empty() && (*layout == Layout::plain || *layout == Layout::otb || *layout == Layout::lasot))
      fail(ErrorCode::argument, "data: ", entry.name, ": subset: the layout ", to_string(*layout), " has none");
    Dataset dataset = open_dataset(
        entry.path, {.layout = layout, .subset = entry.subset, .load_image = [](const std::filesystem::path& path) {
                       return load_image(path);
                     }});
    print_warnings(dataset.warnings);
    source.sequences = std::move(dataset.sequences);
    if (!entry.only.empty())
      std::erase_if(source.sequences, [&](const Sequence& sequence) {
        return std::none_of(entry.only.begin(), entry.only.end(),
                            [&](const std::string& start) { return sequence.name.starts_with(start); });
      });
    return source;
  }
  if (!entry.only.empty())
    fail(ErrorCode::argument, "data: ", entry.name, ": only: expected videos, whose names it chooses among, got pictures");
  auto pictures = open_still_images(entry.path, {.subset = entry.subset});
  print_warnings(pictures.warnings);
  source.images = std::move(pictures.images);
  // An annotated picture without a box may show anything; only who has annotated nothing leaves that to chance.
  if (pictures.layout != StillLayout::pictures)
    std::erase_if(source.images, [](const StillImage& image) { return image.boxes.empty(); });
  return source;
}

}  // namespace detrack::program
