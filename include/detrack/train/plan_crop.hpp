// From the recipe of a crop to its plan, in which files have become pictures.
#pragma once

#include <cstddef>

#include "detrack/core/box.hpp"
#include "detrack/core/error.hpp"
#include "detrack/ops/crop_plan.hpp"
#include "detrack/train/distortion.hpp"
#include "detrack/train/sample_recipe.hpp"

namespace detrack {

/// `picture_of(file)` gives the RgbPicture of the crop's file, and then those of its patches in turn; where they lie may be
/// filled in later. Errors: those of picture_of; format (a crop that shows nothing of its picture); argument.
template <class PictureOf>
CropPlan plan_crop(const CropRecipe& recipe, bool flip, PictureOf&& picture_of) {
  CropPlan plan;
  plan.picture = picture_of(recipe.file);
  const std::int64_t width = plan.picture.width, height = plan.picture.height;
  if (!(intersection(seen_in_picture(recipe.region, recipe.distortion),
                     {0, 0, static_cast<double>(width), static_cast<double>(height)}) > 0))
    fail(ErrorCode::format, recipe.file.string(), ": expected a box in the picture of ", width, "x", height,
         " pixels, got one around ", recipe.region.centre_x, ",", recipe.region.centre_y);
  plan.region = recipe.region;
  plan.distorted = !recipe.distortion.none();
  if (plan.distorted) plan.to_picture = recipe.distortion.inverse();
  plan.occluded = recipe.occluder.has_value();
  if (plan.occluded) plan.occluder = *recipe.occluder;
  if (recipe.patches.size() > CropPlan::kMostPatches)
    fail(ErrorCode::argument, recipe.file.string(), ": expected at most ", CropPlan::kMostPatches, " patches, got ",
         recipe.patches.size());
  for (const Patch& patch : recipe.patches)
    plan.patch[static_cast<std::size_t>(plan.patches++)] = {picture_of(patch.file), patch.from, patch.to};
  plan.photometric = recipe.photometric;
  plan.flip = flip;
  plan.check();
  return plan;
}

}  // namespace detrack
