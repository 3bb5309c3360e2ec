// A crop that a device is to make: its plan, and the pictures that are not there yet.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>

#include "detrack/image/image.hpp"
#include "detrack/ops/crop_plan.hpp"
#include "detrack/train/device_pictures.hpp"
#include "detrack/train/image_cache.hpp"
#include "detrack/train/plan_crop.hpp"
#include "detrack/train/sample_recipe.hpp"

namespace detrack {

struct PlannedCrop {
  struct Missing {
    std::filesystem::path file;
    std::shared_ptr<const Image> image;  ///< none: the plan says where it lies on the device
  };
  CropPlan plan;
  std::array<Missing, 1 + CropPlan::kMostPatches> missing{};  ///< the crop's picture, and those of its patches
};

/// The picture of a plan that `missing[k]` is about.
inline RgbPicture& picture_of(CropPlan& plan, std::size_t k) {
  return k == 0 ? plan.picture : plan.patch[k - 1].picture;
}

/// Decodes what `pictures` does not have. For any number of threads. Errors: those of the reader of pictures, of plan_crop.
inline PlannedCrop plan_for_device(const CropRecipe& recipe, bool flip, const DevicePictures& pictures, ImageCache& images) {
  PlannedCrop crop;
  std::size_t k = 0;
  crop.plan = plan_crop(recipe, flip, [&](const std::filesystem::path& file) {
    PlannedCrop::Missing& missing = crop.missing[k++];
    if (const auto there = pictures.find(file)) return *there;
    missing = {file, images.get(file)};
    return RgbPicture{nullptr, missing.image->height(), missing.image->width()};
  });
  return crop;
}

}  // namespace detrack
