// One pixel of an augmented crop as far as it looks at no neighbours in the crop: where it comes from, and its colours.
#pragma once

#include "cuda/intrinsics.cuh"
#include "detrack/ops/crop_filters.hpp"
#include "detrack/ops/crop_plan.hpp"

namespace detrack::cuda {

/// A picture between pixel centres, in [0, 1]: (0, 0) is the centre of the first one. Weights come from doubles, bytes are
/// mixed in float.
__device__ inline void sample_picture(const RgbPicture& picture, double row, double column, float (&v)[3]) {
  const double above = floor(row), before = floor(column);
  const auto down = static_cast<float>(row - above), right = static_cast<float>(column - before);
#pragma unroll
  for (float& x : v) x = 0;
  const auto add_tap = [&](double at_row, double at_column, float weight) {
    const bool inside = at_row >= 0 && at_row < static_cast<double>(picture.height) && at_column >= 0 &&
                        at_column < static_cast<double>(picture.width);
    if (!inside) return;
    const std::uint8_t* pixel = picture.pixel(static_cast<std::int64_t>(at_row), static_cast<std::int64_t>(at_column));
#pragma unroll
    for (int c = 0; c < 3; ++c) v[c] += weight * static_cast<float>(pixel[c]);
  };
  add_tap(above, before, (1 - down) * (1 - right));
  add_tap(above, before + 1, (1 - down) * right);
  add_tap(above + 1, before, down * (1 - right));
  add_tap(above + 1, before + 1, down * right);
#pragma unroll
  for (float& x : v) x *= 1.0f / 255;
}

/// Where occluder and patches of a plan lie in its crop, and pixels of the pictures to a pixel of what shows them.
struct CropCover {
  double step, patch_step[CropPlan::kMostPatches];
  CropPixels occluded;
  std::int64_t right, down;  ///< from there to where the occluder's pixels come from
  CropPixels to[CropPlan::kMostPatches], covered[CropPlan::kMostPatches];
  std::int64_t patch_side[CropPlan::kMostPatches];

  __device__ void place(const CropPlan& plan, std::int64_t S) {
    step = plan.region.side / static_cast<double>(S);
    if (plan.occluded) {
      occluded = pixels_under(plan.occluder.to, S);
      right = pixel_edge(plan.occluder.from_x, S) - occluded.left;
      down = pixel_edge(plan.occluder.from_y, S) - occluded.top;
    }
    for (int k = 0; k < plan.patches; ++k) {
      to[k] = pixels_under(plan.patch[k].to, S);
      covered[k] = covered_by_patch(to[k], S);
      patch_side[k] = patch_size(to[k], S);
      patch_step[k] = plan.patch[k].from.side / static_cast<double>(patch_side[k]);
    }
  }
};

/// Pixel (i, j) of a crop (S, S) before its colours change.
__device__ inline void sample_crop(const CropPlan& plan, const CropCover& cover, std::int64_t S, std::int64_t i,
                                   std::int64_t j, float (&v)[3]) {
  int laid = plan.patches - 1;
  while (laid >= 0 && !cover.covered[laid].hold(i, j)) --laid;
  double step = cover.step;
  std::int64_t side = S;
  if (laid >= 0) {
    i -= cover.to[laid].top, j -= cover.to[laid].left;
    step = cover.patch_step[laid], side = cover.patch_side[laid];
  } else if (plan.occluded && cover.occluded.hold(i, j) && CropPixels{0, 0, S, S}.hold(i + cover.down, j + cover.right)) {
    i += cover.down, j += cover.right;
  }
  double x = static_cast<double>(2 * j + 1 - side) / 2 * step, y = static_cast<double>(2 * i + 1 - side) / 2 * step;
  if (laid < 0 && plan.distorted) {
    const auto& m = plan.to_picture;
    const double right = x, down = y;
    x = m[0] * right + m[1] * down, y = m[2] * right + m[3] * down;
  }
  const CropRegion& region = laid < 0 ? plan.region : plan.patch[laid].from;
  sample_picture(laid < 0 ? plan.picture : plan.patch[laid].picture, region.centre_y - 0.5 + y, region.centre_x - 0.5 + x,
                 v);
}

/// `powers`: kPowerSteps + 2 of them, see there.
__device__ inline float recoloured(float v, float gain, const float* powers) {
  const float at = v * kPowerSteps;
  const auto k = static_cast<int>(fminf(fmaxf(at, 0.0f), static_cast<float>(kPowerSteps)));
  const float low = fminf(gain * powers[k], 1.0f), high = fminf(gain * powers[k + 1], 1.0f);
  return low + (at - static_cast<float>(k)) * (high - low);
}

/// Value number `index` of a crop with its noise.
__device__ inline float with_noise(float v, std::int64_t index, float scale, std::uint64_t seed) {
  const auto words = Philox(seed).at(static_cast<std::uint64_t>(index) / 4);
  const std::uint32_t half[2] = {index & 1 ? words[1] : words[0], index & 1 ? words[3] : words[2]};  // stays in registers
  return fminf(fmaxf(v + scale * CropNoise::sum(index & 2 ? half[1] : half[0]), 0.0f), 1.0f);
}

}  // namespace detrack::cuda
