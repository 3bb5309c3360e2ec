// COCO: annotations/instances_<subset>.json, and the pictures in a folder named after the subset.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/data/layouts/coco_json.hpp"
#include "detrack/data/layouts/folder.hpp"
#include "detrack/data/layouts/still_folder.hpp"
#include "detrack/data/still_images.hpp"
#include "detrack/io/mapped_file.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack::detail {

inline constexpr std::string_view kCocoPrefix = "instances_";

/// "train2017" of ".../instances_train2017.json"; empty for other names.
inline std::string coco_subset_of(const std::filesystem::path& annotation) {
  const std::string stem = annotation.stem().string();
  return stem.starts_with(kCocoPrefix) && annotation.extension() == ".json" ? stem.substr(kCocoPrefix.size()) : "";
}

inline std::vector<std::string> coco_subsets(const std::filesystem::path& root) {
  if (!is_folder(root / "annotations")) return {};
  std::vector<std::string> subsets = names_in(root / "annotations", [](const auto& entry) {
    return !coco_subset_of(entry.path()).empty() && is_file(entry.path());
  });
  for (std::string& name : subsets) name = coco_subset_of(name);
  return subsets;
}

/// The file of a subset, or of the only one. Errors: argument; format (there is none).
inline std::filesystem::path coco_annotation(const std::filesystem::path& root, const std::string& subset) {
  const auto subsets = coco_subsets(root);
  if (subsets.empty())
    fail(ErrorCode::format, root.string(), ": expected annotations/", kCocoPrefix, "<subset>.json, got none");
  const bool found = std::find(subsets.begin(), subsets.end(), subset) != subsets.end();
  if (!found && !(subset.empty() && subsets.size() == 1)) {
    std::string known;
    for (const std::string& name : subsets) known += (known.empty() ? "" : ", ") + name;
    fail(ErrorCode::argument, root.string(), ": expected the name of a subset (", known, "), got ",
         subset.empty() ? "none" : in_quotes(subset));
  }
  return root / "annotations" / concat(kCocoPrefix, found ? subset : subsets[0], ".json");
}

/// The folder that has any of the pictures. Errors: format (none has).
inline FileListing coco_pictures(const std::filesystem::path& root, const std::string& subset,
                                 const std::vector<CocoImage>& images, const std::string& label) {
  std::vector<std::filesystem::path> folders{root / "images", root};
  if (!subset.empty()) folders.insert(folders.begin(), {root / subset, root / "images" / subset});
  for (const auto& folder : folders) {
    FileListing listing(folder);
    if (std::any_of(images.begin(), images.end(), [&](auto& image) { return listing.contains(image.file_name); }))
      return listing;
  }
  std::string looked;
  for (const auto& folder : folders) looked += (looked.empty() ? "" : ", ") + folder.string();
  fail(ErrorCode::format, label, ": expected its pictures in one of ", looked, ", got none of ", images.size(),
       ", the first ", in_quotes(images[0].file_name));
}

/// Images of a file by their ids.
class CocoIndex {
 public:
  /// Errors: format (an id that occurs twice).
  CocoIndex(const std::vector<CocoImage>& images, const std::string& label) {
    ids_.reserve(images.size());
    for (std::size_t i = 0; i < images.size(); ++i) ids_.emplace_back(images[i].id, i);
    std::sort(ids_.begin(), ids_.end());
    const auto twice = std::adjacent_find(ids_.begin(), ids_.end(), [](auto& a, auto& b) { return a.first == b.first; });
    if (twice != ids_.end())
      fail(ErrorCode::format, label, ": images[", std::next(twice)->second, "]: id: expected each id once, got ",
           twice->first, " again");
  }

  std::optional<std::size_t> find(std::int64_t id) const {
    const auto at = std::lower_bound(ids_.begin(), ids_.end(), std::pair(id, std::size_t{0}));
    return at != ids_.end() && at->first == id ? std::optional(at->second) : std::nullopt;
  }

 private:
  std::vector<std::pair<std::int64_t, std::size_t>> ids_;
};

/// `annotation` may be empty: that of the subset. Pictures come in the order of the file. Left out, and counted in warnings:
/// boxes of crowds, smaller than a pixel, without an area or without an image. Errors: io; format; argument.
inline StillImages read_coco(const std::filesystem::path& root, const std::filesystem::path& annotation,
                             const std::string& subset) {
  const auto path = annotation.empty() ? coco_annotation(root, subset) : annotation;
  const std::string label = path.string();
  CocoInstances instances;
  {
    const MappedFile file(path);
    file.expect_sequential_reads();
    instances = parse_coco({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, label);
  }
  const CocoIndex index(instances.images, label);
  for (std::size_t i = 0; i < instances.images.size(); ++i)
    if (!is_inner_path(instances.images[i].file_name))
      fail(ErrorCode::format, label, ": images[", i, "]: file_name: expected a path that stays in its folder, got ",
           in_quotes(instances.images[i].file_name));

  StillImages stills;
  FileListing pictures = coco_pictures(root, subset.empty() ? coco_subset_of(path) : subset, instances.images, label);
  LeftOut missing, invalid, unfit, strays;
  std::size_t crowds = 0;
  std::vector<std::optional<std::size_t>> place(instances.images.size());  // in stills.images
  for (std::size_t i = 0; i < place.size(); ++i) {
    const std::string& name = instances.images[i].file_name;
    if (!pictures.contains(name)) {
      missing.add(name);
      continue;
    }
    place[i] = stills.images.size();
    stills.images.push_back({pictures.root() / name, {}});
  }
  for (const CocoBox& entry : instances.boxes) {
    const auto i = index.find(entry.image_id);
    if (!i) {
      strays.add(std::to_string(entry.image_id));
      continue;
    }
    if (!place[*i]) continue;
    const std::string& name = instances.images[*i].file_name;
    if (entry.crowd) {
      ++crowds;
      unfit.add(name);
    } else if (!entry.box.valid()) {
      invalid.add(name);
    } else if (entry.box.w < 1 || entry.box.h < 1) {
      unfit.add(name);
    } else {
      stills.images[*place[*i]].boxes.push_back(entry.box);
    }
  }
  missing.warn(label, kMissingPictures, stills.warnings);
  unfit.warn(label, concat("boxes of crowds (", crowds, ") or under 1 pixel wide or high (", unfit.count - crowds, ")"),
             stills.warnings);
  invalid.warn(label, kInvalidBoxes, stills.warnings);
  strays.warn(label, "boxes of images that the file does not have", stills.warnings);
  return stills;
}

}  // namespace detrack::detail
