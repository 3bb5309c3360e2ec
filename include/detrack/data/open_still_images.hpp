// Opens a folder of still pictures of any of the known layouts.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "detrack/core/error.hpp"
#include "detrack/data/layouts/coco.hpp"
#include "detrack/data/layouts/folder.hpp"
#include "detrack/data/layouts/pictures.hpp"
#include "detrack/data/layouts/table.hpp"
#include "detrack/data/layouts/voc.hpp"
#include "detrack/data/still_images.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack {

struct StillOptions {
  std::optional<StillLayout> layout = {};  ///< found by looking, if not given
  std::filesystem::path annotation = {};   ///< the file of boxes (coco, table), where it is not in its usual place
  /// Which of several: annotations/instances_<subset>.json (coco); ImageSets/Main/<subset>.txt, ImageSets/<subset>.txt or
  /// the folder Annotations/<subset> (voc).
  std::string subset = {};
};

namespace detail {

inline StillLayout detect_still_layout(const std::filesystem::path& root, const std::filesystem::path& annotation) {
  if (!annotation.empty()) {
    if (annotation.extension() == ".json") return StillLayout::coco;
    if (annotation.extension() == ".tsv") return StillLayout::table;
    fail(ErrorCode::argument, annotation.string(), ": expected a .json (coco) or .tsv (table) file, or a layout given");
  }
  if (is_file(root / kTableFile)) return StillLayout::table;
  if (!coco_subsets(root).empty()) return StillLayout::coco;
  if (is_folder(root / "Annotations") && !voc_picture_folder(root).empty()) return StillLayout::voc;
  if (!read_pictures(root).images.empty()) return StillLayout::pictures;
  const auto folders = folders_in(root);
  fail(ErrorCode::format, root.string(),
       ": expected pictures, with boxes.tsv (table), annotations/instances_*.json (COCO), Annotations and JPEGImages (VOC) "
       "or "
       "nothing beside them, got ",
       folders.size(), " folders", folders.empty() ? "" : ", the first " + in_quotes(folders[0]));
}

}  // namespace detail

/// Reads the annotations and lists the pictures at `root`; opens no picture. Boxes that are not valid(), those that stand
/// for crowds (COCO), and pictures that are named but not there are left out and counted in warnings. Pictures without a box
/// stay. Errors: io; format (naming the file and its line or byte, or what was expected and found); argument (several
/// subsets and none given, or one that is not there; an option that the layout has no use for).
inline StillImages open_still_images(const std::filesystem::path& root, const StillOptions& options = {}) {
  if (!detail::is_folder(root)) fail(ErrorCode::io, root.string(), ": expected a folder of pictures, got none");
  const StillLayout layout = options.layout ? *options.layout : detail::detect_still_layout(root, options.annotation);
  const auto has_no = [&](bool given, const char* option) {
    if (given)
      fail(ErrorCode::argument, root.string(), ": ", option, ": the layout ", to_string(layout), " has no use for it");
  };
  has_no(!options.annotation.empty() && (layout == StillLayout::voc || layout == StillLayout::pictures), "annotation");
  has_no(!options.subset.empty() && (layout == StillLayout::table || layout == StillLayout::pictures), "subset");
  StillImages stills;
  switch (layout) {
    case StillLayout::coco: stills = detail::read_coco(root, options.annotation, options.subset); break;
    case StillLayout::voc: stills = detail::read_voc(root, options.subset); break;
    case StillLayout::table: stills = detail::read_table_of_boxes(root, options.annotation); break;
    case StillLayout::pictures: stills = detail::read_pictures(root); break;
  }
  stills.root = root;
  stills.layout = layout;
  if (stills.images.empty())
    fail(ErrorCode::format, root.string(), ": expected pictures in the layout ", to_string(layout), ", got none");
  return stills;
}

}  // namespace detrack
