// How one training sample is made: which crops of which pictures, how they are changed, and where the target is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "detrack/core/crop_box.hpp"
#include "detrack/core/crop_region.hpp"
#include "detrack/ops/crop_plan.hpp"
#include "detrack/train/distortion.hpp"

namespace detrack {

/// A part of another picture over a part of the crop; see CropPatch.
struct Patch {
  CropBox to{};
  std::filesystem::path file;
  CropRegion from;

  bool operator==(const Patch&) const = default;
};

struct CropRecipe {
  std::filesystem::path file;
  CropRegion region;  ///< a square of the distorted picture; its centre is a point of the picture as it is
  Photometric photometric;
  std::optional<Occluder> occluder{};
  std::vector<Patch> patches{};  ///< in the order in which they are laid over the crop, after the occluder
  Distortion distortion{};

  bool operator==(const CropRecipe&) const = default;
};

/// Boxes are in units of the search crop, mirrored already where `flip` is set.
struct SampleRecipe {
  std::string name;  ///< source, sequence and frames, for messages
  CropRecipe search;
  std::vector<CropRecipe> templates;
  bool flip = false;    ///< all crops are mirrored
  bool absent = false;  ///< the search crop does not show the target: truth means nothing
  CropBox truth{};
  CropBox prior{};                ///< the box that the crop was made around, in the middle of it: what a tracker starts from
  std::vector<CropBox> others{};  ///< of other objects that the search crop is known to show, at least their centres

  bool operator==(const SampleRecipe&) const = default;
};

/// The box in the mirrored crop.
inline CropBox mirrored(const CropBox& box) {
  return {1 - box[2], box[1], 1 - box[0], box[3]};
}

}  // namespace detrack
