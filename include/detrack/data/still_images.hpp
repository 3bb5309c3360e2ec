// A collection of still pictures in memory: their files, their boxes, and what is odd about them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "detrack/core/box.hpp"
#include "detrack/core/error.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack {

/// How the files of a collection lie.
enum class StillLayout {
  coco,     ///< annotations/instances_<subset>.json, pictures in <subset> or images/<subset>
  voc,      ///< Annotations/**.xml, JPEGImages or Data, ImageSets/Main/<subset>.txt: PASCAL VOC, ImageNet DET and VID
  table,    ///< boxes.tsv beside its pictures
  pictures  ///< pictures in folders, without boxes
};

inline constexpr StillLayout kStillLayouts[] = {StillLayout::coco, StillLayout::voc, StillLayout::table,
                                                StillLayout::pictures};

constexpr std::string_view to_string(StillLayout layout) {
  switch (layout) {
    case StillLayout::coco: return "coco";
    case StillLayout::voc: return "voc";
    case StillLayout::table: return "table";
    case StillLayout::pictures: return "pictures";
  }
  return "unknown";
}

/// Errors: argument.
inline StillLayout parse_still_layout(std::string_view name) {
  for (const StillLayout layout : kStillLayouts)
    if (name == to_string(layout)) return layout;
  fail(ErrorCode::argument, "layout: expected coco, voc, table or pictures, got ", detail::in_quotes(name));
}

struct StillImage {
  std::filesystem::path file;
  std::vector<Box> boxes;  ///< all valid(); none where nothing is annotated, be it that nothing is there or nobody looked
};

struct StillImages {
  std::filesystem::path root;
  StillLayout layout = StillLayout::pictures;
  std::vector<StillImage> images;
  std::vector<std::string> warnings;  ///< each names its file or folder
};

}  // namespace detrack
