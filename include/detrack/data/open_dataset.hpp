// Opens a dataset folder of any of the known layouts.
#pragma once

#include <algorithm>
#include <filesystem>
#include <functional>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/data/dataset.hpp"
#include "detrack/data/is_pack.hpp"
#include "detrack/data/layouts/davis.hpp"
#include "detrack/data/layouts/folder.hpp"
#include "detrack/data/layouts/got10k.hpp"
#include "detrack/data/layouts/lasot.hpp"
#include "detrack/data/layouts/otb.hpp"
#include "detrack/data/layouts/plain.hpp"
#include "detrack/data/layouts/trackingnet.hpp"
#include "detrack/data/layouts/uav123.hpp"
#include "detrack/image/image.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack {

struct DatasetOptions {
  std::optional<Layout> layout = {};  ///< found by looking, if not given
  /// "train", "val" or "test", where the root has several (GOT-10k, TrackingNet); "UAV20L" or "UAV123_10fps", where UAV123
  /// is not meant; the name of a list in ImageSets (DAVIS: "val", "2016/val"), where not all sequences are.
  std::string subset = {};
  bool pytracking_names = false;  ///< as pytracking has it: Jogging_1, Human4_2, Tiger1 from its sixth frame; uav_bike1
  /// Reads the masks of DAVIS, for which it must be given: `[](const auto& file) { return detrack::load_image(file); }` with
  /// <detrack/image/stb.hpp>. Nothing else is read with it.
  std::function<Image(const std::filesystem::path&)> load_image = {};
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
  if (is_pack(root))
    fail(ErrorCode::argument, root.string(), ": expected a dataset of files, got a pack, which is read for training alone");
  if (is_file(root / "list.txt") || !got10k_parts(root).empty()) return Layout::got10k;
  if (!uav123_parts(root).empty()) return Layout::uav123;
  if (is_folder(root / "anno") || !trackingnet_parts(root).empty()) return Layout::trackingnet;
  if (is_davis(root)) return Layout::davis;
  if (is_file(root / "groundtruth.txt")) return Layout::plain;
  const auto folders = folders_in(root);
  for (const std::string& name : folders)
    if (const auto layout = layout_of_folder(root / name)) return *layout;
  fail(ErrorCode::format, root.string(),
       ": expected a dataset: folders with groundtruth.txt (plain, GOT-10k, LaSOT) or groundtruth_rect.txt (OTB), list.txt "
       "(GOT-10k), anno/*.txt (TrackingNet), anno/UAV123 (UAV123), or JPEGImages and Annotations (DAVIS); got ",
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

/// UAV123 is what is meant where nothing is said; it comes with UAV20L. Errors: argument.
inline std::string uav123_part(const std::filesystem::path& root, const std::string& subset) {
  const auto parts = uav123_parts(root);
  if (parts.empty())
    fail(ErrorCode::format, root.string(), ": expected a folder anno/UAV123, UAV20L or UAV123_10fps, got none");
  return subset.empty() ? parts[0] : chosen_parts(root, parts, subset)[0];
}

}  // namespace detail

/// The layout that the folders of `root` speak for, or none: then these are no videos. Errors: io; argument (a pack).
inline std::optional<Layout> find_layout(const std::filesystem::path& root) {
  if (!detail::is_folder(root)) fail(ErrorCode::io, root.string(), ": expected a dataset folder, got none");
  try {
    return detail::detect_layout(root);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::format) return {};
    throw;
  }
}

/// Reads the annotations and lists the pictures of the dataset at `root`; opens no picture (but the masks of DAVIS, all of
/// them). What does not fit (pictures that are missing, fewer boxes than pictures) is a warning, so that results can be
/// scored without the pictures; numbers that cannot be read, flags that are not as many as boxes, and names that occur twice
/// are errors. Errors: io; format (naming file and line, or what was expected and found); argument (the root has several
/// subsets and none is given, or not the given one, or none at all; DAVIS without load_image).
inline Dataset open_dataset(const std::filesystem::path& root, const DatasetOptions& options = {}) {
  if (!detail::is_folder(root)) fail(ErrorCode::io, root.string(), ": expected a dataset folder, got none");
  Dataset dataset{root, options.layout ? *options.layout : detail::detect_layout(root), {}, {}};
  const auto has_no_subset = [&](const char* where) {
    if (!options.subset.empty())
      fail(ErrorCode::argument, root.string(), ": subset: the layout ", to_string(dataset.layout), " has no use for it",
           where);
  };
  const auto read_parts = [&](const std::vector<std::string>& parts, auto read) {
    if (parts.empty()) {
      const bool is_it = (root / "").lexically_normal().parent_path().filename() == options.subset;
      if (!is_it) has_no_subset(" in a folder that is a single part");
      return read(root, dataset.warnings);
    }
    std::vector<Sequence> all;
    for (const std::string& part : detail::chosen_parts(root, parts, options.subset)) {
      auto some = read(root / part, dataset.warnings);
      std::move(some.begin(), some.end(), std::back_inserter(all));
    }
    return all;
  };
  if (dataset.layout == Layout::plain || dataset.layout == Layout::otb || dataset.layout == Layout::lasot) has_no_subset("");
  switch (dataset.layout) {
    case Layout::plain: dataset.sequences = detail::read_plain(root, dataset.warnings); break;
    case Layout::otb: dataset.sequences = detail::read_otb(root, options.pytracking_names, dataset.warnings); break;
    case Layout::lasot: dataset.sequences = detail::read_lasot(root, dataset.warnings); break;
    case Layout::got10k: dataset.sequences = read_parts(detail::got10k_parts(root), detail::read_got10k); break;
    case Layout::trackingnet:
      dataset.sequences = read_parts(detail::trackingnet_parts(root), detail::read_trackingnet);
      break;
    case Layout::uav123:
      dataset.sequences =
          detail::read_uav123(root, detail::uav123_part(root, options.subset), options.pytracking_names, dataset.warnings);
      break;
    case Layout::davis:
      dataset.sequences = detail::read_davis(root, options.subset, options.load_image, dataset.warnings);
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
