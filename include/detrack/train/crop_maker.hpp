// From the recipe of a crop to its pixels, on the thread that asks.
#pragma once

#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "detrack/cpu/backend.hpp"
#include "detrack/model/config.hpp"
#include "detrack/train/image_cache.hpp"
#include "detrack/train/plan_crop.hpp"
#include "detrack/train/sample_recipe.hpp"

namespace detrack {

/// For one thread at a time: keeps scratch memory between crops.
class CropMaker {
 public:
  CropMaker(const Config& config, std::shared_ptr<ImageCache> images) : config_(config), images_(std::move(images)) {}

  /// Into `crop` (3, S, S), normalised as the model wants it. `flip`: mirrored. Errors: those of the reader of pictures, of
  /// plan_crop.
  void operator()(const CropRecipe& recipe, bool flip, View<float> crop) {
    used_.clear();
    const CropPlan plan = plan_crop(recipe, flip, [&](const std::filesystem::path& file) {
      const Image& image = *used_.emplace_back(images_->get(file));
      return RgbPicture{image.data(), image.height(), image.width()};
    });
    ops::run(ctx_, AugmentedCrops<float>{.plans = {&plan, {1}},
                                         .mean = config_.mean,
                                         .std = config_.std,
                                         .y = crop.reshape({1, 3, crop.extent(1), crop.extent(2)})});
  }

 private:
  Config config_;
  std::shared_ptr<ImageCache> images_;
  Context<float> ctx_ = cpu::make_context<float>({.threads = 1});
  std::vector<std::shared_ptr<const Image>> used_;  ///< by the crop that is made
};

}  // namespace detrack
