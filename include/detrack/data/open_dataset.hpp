// Opens a dataset folder of any of the known layouts.
#pragma once

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/data/dataset.hpp"
#include "detrack/data/layouts/folder.hpp"
#include "detrack/data/layouts/got10k.hpp"
#include "detrack/data/layouts/lasot.hpp"
#include "detrack/data/layouts/otb.hpp"
#include "detrack/data/layouts/plain.hpp"
#include "detrack/data/layouts/trackingnet.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack {

struct DatasetOptions {
  std::optional<Layout> layout = {};  ///< found by looking, if not given
  std::string subset = {};            ///< "train", "val" or "test", where the root has several (GOT-10k, TrackingNet)
  bool pytracking_names = false;      ///< OTB as pytracking has it: Jogging_1, Human4_2, Tiger1 from its sixth frame
};

namespace detail {

/// The layout that one folder of a dataset speaks for.
inline std::optional<Layout> layout_of_folder(const std::filesystem::path& folder) {
  if (!otb_annotations(folder).empty()) return Layout::otb;
  if (is_file(folder / "groundtruth.txt")) {
    if (is_file(folder / "full_occlusion.txt") || is_file(folder / "out_of_view.txt")) return Layout::lasot;
    for (const char* file : {"meta_info.ini", "absence.label", "cover.label"})
      if (is_file(folder / file)) return Layout::got10k;
    return Layout::plain;
  }
  for (const std::string& inner : folders_in(folder))
    if (is_file(folder / inner / "groundtruth.txt")) return Layout::lasot;
  return {};
}

/// Folders of `root` that hold a part of TrackingNet.
inline std::vector<std::string> trackingnet_parts(const std::filesystem::path& root) {
  std::vector<std::string> parts;
  for (const std::string& name : folders_in(root))
    if ((name == "TEST" || name.starts_with("TRAIN_")) && is_folder(root / name / "anno")) parts.push_back(name);
  return parts;
}

inline std::vector<std::string> got10k_parts(const std::filesystem::path& root) {
  std::vector<std::string> parts;
  for (const char* name : {"train", "val", "test"})
    if (is_file(root / name / "list.txt")) parts.push_back(name);
  return parts;
}

inline Layout detect_layout(const std::filesystem::path& root) {
  if (is_file(root / "list.txt") || !got10k_parts(root).empty()) return Layout::got10k;
  if (is_folder(root / "anno") || !trackingnet_parts(root).empty()) return Layout::trackingnet;
  if (is_file(root / "groundtruth.txt")) return Layout::plain;
  const auto folders = folders_in(root);
  for (const std::string& name : folders)
    if (const auto layout = layout_of_folder(root / name)) return *layout;
  fail(ErrorCode::format, root.string(),
       ": expected a dataset: folders with groundtruth.txt (plain, GOT-10k, LaSOT) or groundtruth_rect.txt (OTB), list.txt "
       "(GOT-10k), or anno/*.txt (TrackingNet); got ",
       folders.size(), " folders", folders.empty() ? "" : ", the first " + in_quotes(folders[0]));
}

/// Those of `parts` that `subset` means (TRAIN_0, TRAIN_1, ... for "train"); all if they need no choice.
inline std::vector<std::string> chosen_parts(const std::filesystem::path& root, const std::vector<std::string>& parts,
                                             const std::string& subset) {
  const auto subset_of = [](std::string_view part) {
    return part == "TEST" ? "test" : part.starts_with("TRAIN_") ? "train" : part;
  };
  std::vector<std::string> chosen;
  std::set<std::string_view> subsets;
  for (const std::string& part : parts) {
    subsets.insert(subset_of(part));
    if (subset.empty() || subset == subset_of(part) || subset == part) chosen.push_back(part);
  }
  const bool ambiguous = subset.empty() && subsets.size() > 1;
  if (!ambiguous && !chosen.empty()) return chosen;
  std::string known;
  for (const std::string& part : parts) known += (known.empty() ? "" : ", ") + part;
  fail(ErrorCode::argument, root.string(), ": expected the name of a subset (", known, "), got ",
       ambiguous ? "none" : in_quotes(subset));
}

}  // namespace detail

/// Reads the annotations and lists the pictures of the dataset at `root`; opens no picture. What does not fit (pictures
/// that are missing, fewer boxes than pictures) is a warning, so that results can be scored without the pictures; numbers
/// that cannot be read, flags that are not as many as boxes, and names that occur twice are errors.
/// Errors: io; format (naming file and line, or what was expected and found); argument (the root has several subsets).
inline Dataset open_dataset(const std::filesystem::path& root, const DatasetOptions& options = {}) {
  if (!detail::is_folder(root)) fail(ErrorCode::io, root.string(), ": expected a dataset folder, got none");
  Dataset dataset{root, options.layout ? *options.layout : detail::detect_layout(root), {}, {}};
  const auto read_parts = [&](const std::vector<std::string>& parts, auto read) {
    if (parts.empty()) return read(root, dataset.warnings);
    std::vector<Sequence> all;
    for (const std::string& part : detail::chosen_parts(root, parts, options.subset)) {
      auto some = read(root / part, dataset.warnings);
      std::move(some.begin(), some.end(), std::back_inserter(all));
    }
    return all;
  };
  switch (dataset.layout) {
    case Layout::plain: dataset.sequences = detail::read_plain(root, dataset.warnings); break;
    case Layout::otb: dataset.sequences = detail::read_otb(root, options.pytracking_names, dataset.warnings); break;
    case Layout::lasot: dataset.sequences = detail::read_lasot(root, dataset.warnings); break;
    case Layout::got10k: dataset.sequences = read_parts(detail::got10k_parts(root), detail::read_got10k); break;
    case Layout::trackingnet:
      dataset.sequences = read_parts(detail::trackingnet_parts(root), detail::read_trackingnet);
      break;
  }
  if (dataset.sequences.empty())
    fail(ErrorCode::format, root.string(), ": expected sequences in the layout ", to_string(dataset.layout), ", got none");
  std::set<std::string_view> names;
  for (const Sequence& sequence : dataset.sequences)
    if (!names.insert(sequence.name).second)
      fail(ErrorCode::format, root.string(), ": expected each sequence once, got two named ",
           detail::in_quotes(sequence.name));
  return dataset;
}

}  // namespace detrack
