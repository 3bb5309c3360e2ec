// From the recipe of a crop to its pixels.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "detrack/core/box.hpp"
#include "detrack/core/error.hpp"
#include "detrack/cpu/backend.hpp"
#include "detrack/model/config.hpp"
#include "detrack/train/augment.hpp"
#include "detrack/train/distorted_crop.hpp"
#include "detrack/train/image_cache.hpp"
#include "detrack/train/sample_recipe.hpp"

namespace detrack {

/// For one thread at a time: keeps scratch memory between crops.
class CropMaker {
 public:
  CropMaker(const Config& config, std::shared_ptr<ImageCache> images) : config_(config), images_(std::move(images)) {}

  /// Into `crop` (3, S, S), normalised as the model wants it. `flip`: mirrored. Errors: those of the reader of pictures;
  /// format (a crop that shows nothing of its picture).
  void operator()(const CropRecipe& recipe, bool flip, View<float> crop) {
    cut(recipe, crop);
    if (recipe.occluder) augmenter_.cover(crop, *recipe.occluder);
    for (const Patch& patch : recipe.patches) lay(patch, crop);
    augmenter_.apply(crop, recipe.photometric);
    if (flip) Augmenter::mirror(crop);
    for (std::int64_t c = 0; c < 3; ++c) {
      const auto k = static_cast<std::size_t>(c);
      const auto scale = static_cast<float>(1 / config_.std[k]),
                 shift = static_cast<float>(-config_.mean[k] / config_.std[k]);
      float* v = &crop(c, 0, 0);
      for (std::int64_t i = 0; i < crop.extent(1) * crop.extent(2); ++i) v[i] = scale * v[i] + shift;
    }
  }

 private:
  void cut(const CropRecipe& recipe, View<float> crop) {
    const auto image = images_->get(recipe.file);
    const Box frame{0, 0, static_cast<double>(image->width()), static_cast<double>(image->height())};
    if (!(intersection(seen_in_picture(recipe.region, recipe.distortion), frame) > 0))
      fail(ErrorCode::format, recipe.file.string(), ": expected a box in the picture of ", image->width(), "x",
           image->height(), " pixels, got one around ", recipe.region.centre_x, ",", recipe.region.centre_y);
    if (recipe.distortion.none())
      cut(*image, recipe.region, crop);
    else
      crop_distorted(*image, recipe.region, recipe.distortion, crop);
  }

  void cut(const Image& image, const CropRegion& region, View<float> crop) {
    ops::run(
        ctx_,
        CropNormalise<float>{
            .frame = image.view().pixels(), .left = region.left(), .top = region.top(), .side = region.side, .y = crop});
  }

  void lay(const Patch& patch, View<float> crop) {
    const std::int64_t n = Augmenter::patch_size(patch.to, crop.extent(1));
    patch_.resize(static_cast<std::size_t>(3 * n * n));
    const View<float> pixels(patch_.data(), {3, n, n});
    cut(*images_->get(patch.file), patch.from, pixels);
    Augmenter::cover(crop, patch.to, pixels);
  }

  Config config_;
  std::shared_ptr<ImageCache> images_;
  Context<float> ctx_ = cpu::make_context<float>({.threads = 1});
  Augmenter augmenter_;
  std::vector<float> patch_;
};

}  // namespace detrack
