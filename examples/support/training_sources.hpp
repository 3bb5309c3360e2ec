// The folders and packs of a training configuration, opened.
#pragma once

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "detrack/data/open_dataset.hpp"
#include "detrack/data/open_still_images.hpp"
#include "detrack/data/pack.hpp"
#include "detrack/image/stb.hpp"
#include "detrack/io/quoted.hpp"
#include "detrack/train/training_data.hpp"
#include "examples/support/train_config.hpp"

namespace detrack::program {

inline void print_warnings(const std::vector<std::string>& warnings) {
  constexpr std::size_t kShown = 5;
  for (std::size_t i = 0; i < std::min(kShown, warnings.size()); ++i)
    std::fprintf(stderr, "warning: %s\n", warnings[i].c_str());
  if (warnings.size() > kShown) std::fprintf(stderr, "warning: and %zu more\n", warnings.size() - kShown);
}

/// Reads a picture of an open pack, or a file. Errors: io; format.
inline Image load_picture(const std::vector<Pack>& packs, const std::filesystem::path& path) {
  for (const Pack& pack : packs)
    if (const auto bytes = pack.find(path)) return decode_image(*bytes, path.string());
  return load_image(path);
}

/// Keeps the sequences whose names begin with one of `entry.only`, if it has any. Errors: argument (there is none).
inline void keep_only(std::vector<Sequence>& sequences, const DataEntry& entry) {
  if (entry.only.empty()) return;
  const std::size_t all = sequences.size();
  std::erase_if(sequences, [&](const Sequence& sequence) {
    return std::none_of(entry.only.begin(), entry.only.end(),
                        [&](const std::string& start) { return sequence.name.starts_with(start); });
  });
  if (!sequences.empty()) return;
  std::string got;
  for (const std::string& start : entry.only) got += (got.empty() ? "" : ", ") + detrack::detail::in_quotes(start);
  fail(ErrorCode::argument, "data: ", entry.name, ": only: expected what names of its ", all, " videos begin with, got ",
       got);
}

/// Videos of any layout; what is odd about them goes to stderr. Errors: argument; io; format.
inline Dataset open_videos(const std::filesystem::path& path, std::optional<Layout> layout, const std::string& subset) {
  Dataset dataset =
      open_dataset(path, {.layout = layout, .subset = subset, .load_image = [](const std::filesystem::path& mask) {
                            return load_image(mask);
                          }});
  print_warnings(dataset.warnings);
  return dataset;
}

/// What was packed of a folder is what training on the folder reads, so its order and its samples are the same.
/// Errors: io; format; argument (another subset than the pack's).
inline TrainingSource open_pack(const DataEntry& entry, std::vector<Pack>& packs) {
  Pack& pack = packs.emplace_back(Pack::open(entry.path));
  const std::string& subset = pack.index().subset;
  if (!entry.subset.empty() && entry.subset != subset)
    fail(ErrorCode::argument, "data: ", entry.name, ": subset: the pack ", entry.path, " was made of ",
         subset.empty() ? "no subset" : "'" + subset + "'", ", got '", entry.subset, "'");
  TrainingSource source{
      .name = entry.name, .weight = entry.weight, .sequences = pack.take_sequences(), .images = pack.take_images()};
  keep_only(source.sequences, entry);
  return source;
}

/// A pack, or videos where the folder has them, otherwise still pictures. Packs join `packs`, which load_picture() wants.
/// Errors: argument; io; format.
inline TrainingSource open_source(const DataEntry& entry, std::vector<Pack>& packs) {
  if (entry.path.empty())
    fail(ErrorCode::argument, "data: ", entry.name, ": expected a folder; give one with --data ", entry.name, "=DIR");
  if (is_pack(entry.path)) return open_pack(entry, packs);
  TrainingSource source{.name = entry.name, .weight = entry.weight};
  if (const auto layout = find_layout(entry.path)) {
    source.sequences = open_videos(entry.path, layout, entry.subset).sequences;
    keep_only(source.sequences, entry);
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
