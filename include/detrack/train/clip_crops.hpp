// Crops of the frames of clips: pixels, or plans for the device that holds the pictures.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "detrack/cpu/backend.hpp"
#include "detrack/image/size.hpp"
#include "detrack/train/batch.hpp"
#include "detrack/train/image_cache.hpp"

namespace detrack {

/// A frame's picture, where crops are made of it.
struct ClipPicture {
  RgbPicture picture;           ///< its data are none where they first have to travel to the device
  PlannedCrop::Missing read{};  ///< with an image where it was read

  ImageSize size() const { return {picture.width, picture.height}; }
};

/// The search crops of a batch of clips, one frame after the other, and the templates that go with them.
class ClipCrops {
 public:
  /// `pictures`: of the device that makes the crops; none: `threads` threads make them here.
  ClipCrops(Config config, int threads, std::shared_ptr<ImageCache> images, std::shared_ptr<DevicePictures> pictures)
      : config_(std::move(config)),
        images_(std::move(images)),
        pictures_(std::move(pictures)),
        ctx_(cpu::make_context<float>({.threads = threads})) {}

  /// Forgets all templates: `clips` clips with n templates each come.
  void restart(std::int64_t clips, std::int64_t n) {
    clips_ = clips, n_ = n;
    if (pictures_)
      planned_.assign(static_cast<std::size_t>(clips * n), {});
    else
      pixels_ = Tensor<float>({clips, n, 3, config_.template_size, config_.template_size});
  }

  /// For any number of threads. Errors: those of the reader of pictures.
  ClipPicture read(const std::filesystem::path& file) const {
    if (pictures_)
      if (const auto there = pictures_->find(file)) return {.picture = *there};
    auto image = images_->get(file);
    const std::uint8_t* data = pictures_ ? nullptr : image->data();
    return {.picture = {data, image->height(), image->width()}, .read = {file, std::move(image)}};
  }

  /// A batch with the templates as they are, without search crops.
  Batch begin_batch() const {
    Batch batch = pictures_ ? Batch(clips_, n_, pictures_) : Batch(config_, clips_, n_);
    if (pictures_)
      batch.planned_templates = planned_;
    else
      std::copy_n(pixels_.data(), pixels_.numel(), batch.templates.data());
    return batch;
  }

  /// The search crop of clip b. `plan`: of `from`.
  void add_search(Batch& batch, std::size_t b, const CropPlan& plan, const ClipPicture& from) {
    if (pictures_)
      batch.planned_search[b] = {plan, {from.read}};
    else
      make(plan, batch.search.view().select(0, static_cast<std::int64_t>(b)));
  }
  /// All templates of clip b.
  void fill_templates(std::size_t b, const CropPlan& plan, const ClipPicture& from) {
    for (std::int64_t i = 0; i < n_; ++i) set_template(b, i, plan, from);
  }
  /// Another template for clip b: the oldest one but the first goes.
  void push_template(std::size_t b, const CropPlan& plan, const ClipPicture& from) {
    if (n_ < 2) return;
    for (std::int64_t i = 1; i + 1 < n_; ++i) {
      if (pictures_)
        planned(b, i) = std::move(planned(b, i + 1));
      else
        std::copy_n(pixels(b, i + 1).data(), pixels(b, i).numel(), pixels(b, i).data());
    }
    set_template(b, n_ - 1, plan, from);
  }

 private:
  PlannedCrop& planned(std::size_t b, std::int64_t i) {
    return planned_[b * static_cast<std::size_t>(n_) + static_cast<std::size_t>(i)];
  }
  View<float> pixels(std::size_t b, std::int64_t i) {
    return pixels_.view().select(0, static_cast<std::int64_t>(b)).select(0, i);
  }
  void set_template(std::size_t b, std::int64_t i, const CropPlan& plan, const ClipPicture& from) {
    if (pictures_)
      planned(b, i) = {plan, {from.read}};
    else
      make(plan, pixels(b, i));
  }
  void make(const CropPlan& plan, View<float> crop) {
    ops::run(ctx_, AugmentedCrops<float>{.plans = {&plan, {1}},
                                         .mean = config_.mean,
                                         .std = config_.std,
                                         .y = crop.reshape({1, 3, crop.extent(1), crop.extent(2)})});
  }

  Config config_;
  std::shared_ptr<ImageCache> images_;
  std::shared_ptr<DevicePictures> pictures_;
  Context<float> ctx_;
  std::int64_t clips_ = 0, n_ = 0;
  Tensor<float> pixels_;              ///< (clips, n, 3, Z, Z): the templates, or
  std::vector<PlannedCrop> planned_;  ///< their plans, where there are `pictures_`
};

}  // namespace detrack
