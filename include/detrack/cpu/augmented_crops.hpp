// Crops of pictures, changed as training wants them: one crop after the other, each stage in place on its planes.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "detrack/cpu/crop.hpp"
#include "detrack/cpu/crop_colours.hpp"
#include "detrack/cpu/distorted_crop.hpp"
#include "detrack/cpu/gaussian_blur.hpp"
#include "detrack/cpu/low_resolution.hpp"
#include "detrack/cpu/motion_blur.hpp"
#include "detrack/cpu/team.hpp"
#include "detrack/cpu/workspace.hpp"
#include "detrack/ops/augmented_crops.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// Keeps scratch memory between crops. Loaders have a thread for each crop, so one crop is no more than its cut in parallel.
class CropAugmenter {
 public:
  /// crop (3, S, S), planes without gaps: the stages before the normalisation.
  void operator()(Team<float>& team, CropColumns<float>& columns, const CropPlan& plan, View<float> crop) {
    if (plan.distorted)
      crop_distorted(plan.picture, plan.region, plan.to_picture, crop);
    else
      cut(team, columns, plan.picture, plan.region, crop);
    if (plan.occluded) occlude(crop, plan.occluder);
    for (int k = 0; k < plan.patches; ++k) lay(team, columns, plan.patch[static_cast<std::size_t>(k)], crop);
    change_colours(crop, plan.photometric);
    if (plan.flip) mirror(crop);
  }

 private:
  static void cut(Team<float>& team, CropColumns<float>& columns, const RgbPicture& picture, const CropRegion& region,
                  View<float> crop) {
    run(team, columns,
        CropNormalise<float>{
            .frame = picture.pixels(), .left = region.left(), .top = region.top(), .side = region.side, .y = crop});
  }

  /// Copies a rectangle of the crop over another one; parts outside are left out.
  void occlude(View<float> crop, const Occluder& occluder) {
    const std::int64_t S = crop.extent(1), zero = 0;
    const CropPixels to = pixels_under(occluder.to, S);
    const std::int64_t right = std::min(to.right, S), bottom = std::min(to.bottom, S);
    const std::int64_t dx = pixel_edge(occluder.from_x, S) - to.left, dy = pixel_edge(occluder.from_y, S) - to.top;
    before_.assign(crop.data(), crop.data() + crop.numel());
    const View<const float> before(before_.data(), crop.shape());
    for (std::int64_t c = 0; c < 3; ++c)
      for (std::int64_t i = std::max(to.top, zero); i < bottom; ++i)
        for (std::int64_t j = std::max(to.left, zero); j < right; ++j)
          if (i + dy >= 0 && i + dy < S && j + dx >= 0 && j + dx < S) crop(c, i, j) = before(c, i + dy, j + dx);
  }

  void lay(Team<float>& team, CropColumns<float>& columns, const CropPatch& patch, View<float> crop) {
    const std::int64_t S = crop.extent(1);
    const CropPixels to = pixels_under(patch.to, S), covered = covered_by_patch(to, S);
    const std::int64_t n = patch_size(to, S);
    before_.resize(static_cast<std::size_t>(3 * n * n));
    const View<float> square(before_.data(), {3, n, n});
    cut(team, columns, patch.picture, patch.from, square);
    for (std::int64_t c = 0; c < 3; ++c)
      for (std::int64_t i = covered.top; i < covered.bottom; ++i)
        for (std::int64_t j = covered.left; j < covered.right; ++j) crop(c, i, j) = square(c, i - to.top, j - to.left);
  }

  void change_colours(View<float> crop, const Photometric& p) {
    if (p.grayscale) to_gray(crop);
    if (p.recolours()) recolour(crop, p);
    if (p.motion > 0) motion_blur_(crop, p.motion, p.motion_direction);
    if (p.blur > 0) blur_(crop, p.blur);
    if (p.low_resolution > 1) low_resolution_(crop, p.low_resolution);
    if (p.noise > 0) add_noise(crop, p.noise, p.noise_seed);
  }

  static void mirror(View<float> crop) {
    const std::int64_t S = crop.extent(2);
    for (std::int64_t c = 0; c < 3; ++c)
      for (std::int64_t i = 0; i < crop.extent(1); ++i) std::reverse(&crop(c, i, 0), &crop(c, i, 0) + S);
  }

  std::vector<float> before_;
  MotionBlur motion_blur_;
  GaussianBlur blur_;
  LowResolution low_resolution_;
};

/// `gapless`: scratch memory for outputs that are not contiguous.
inline void run(Team<float>& team, CropColumns<float>& columns, CropAugmenter& augmenter, Scratch<float>& gapless,
                const AugmentedCrops<float>& op) {
  const std::int64_t S = op.y.extent(2);
  if (S == 0) return;
  for (std::int64_t b = 0; b < op.y.extent(0); ++b) {
    const View<float> y = op.y.select(0, b);
    if (!y.contiguous()) gapless.reserve(3 * S * S);
    const View<float> crop = y.contiguous() ? y : View<float>(gapless.data(), y.shape());
    augmenter(team, columns, op.plans(b), crop);
    for (std::int64_t c = 0; c < 3; ++c) {
      const auto k = static_cast<std::size_t>(c);
      const auto scale = static_cast<float>(1 / op.std[k]), shift = static_cast<float>(-op.mean[k] / op.std[k]);
      for (std::int64_t i = 0; i < S; ++i) {
        const float* v = &crop(c, i, 0);
        float* to = &y(c, i, 0);
        for (std::int64_t j = 0; j < S; ++j) to[j] = scale * v[j] + shift;
      }
    }
  }
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
