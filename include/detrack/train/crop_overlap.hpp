// The overlap of two boxes in crop units.
#pragma once

#include "detrack/core/box.hpp"
#include "detrack/core/crop_box.hpp"

namespace detrack {

/// Intersection over union, in [0, 1]; corners in the wrong order overlap with nothing.
inline double crop_overlap(const CropBox& a, const CropBox& b) {
  const auto box = [](const CropBox& c) { return Box{c[0], c[1], c[2] - c[0], c[3] - c[1]}; };
  return iou(box(a), box(b));
}

}  // namespace detrack
