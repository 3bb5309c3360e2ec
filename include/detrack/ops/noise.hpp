// The noise of the diffusion on boxes: schedule, forward process, and what is left of it after each block.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

#include "detrack/core/crop_box.hpp"
#include "detrack/core/error.hpp"

namespace detrack {

/// How boxes are noised. All in double: what comes out decides words, and floor is not continuous.
struct NoiseSchedule {
  double steps = 1000;           ///< T
  double signal_scale = 2;       ///< boxes are noised as z = (2 u - 1) signal_scale   [Chen et al. 2022, DiffusionDet]
  double min = -0.5, max = 1.5;  ///< noised coordinates are clamped to the word range, crop units

  /// Cosine schedule, t in [0, T]: alpha_bar(0) = 1, at least 1e-9   [Nichol and Dhariwal 2021, eq. 17]
  double alpha_bar(double t) const {
    const double s = 0.008;
    const auto f = [&](double u) {
      const double c = std::cos((u + s) / (1 + s) * std::numbers::pi / 2);
      return c * c;
    };
    return std::max(f(t / steps) / f(0), 1e-9);
  }
};

/// Math:   z_t = sqrt(alpha_bar) z_0 + sqrt(1 - alpha_bar) eps   [DeTrack eq. 1], back in crop units, clamped.
/// Errors: argument, for t outside [0, T].
inline CropBox noise_forward(const NoiseSchedule& schedule, const CropBox& box, const CropBox& eps, double t) {
  if (!(t >= 0 && t <= schedule.steps))
    fail(ErrorCode::argument, "noise_forward: t: expected a step in [0, ", schedule.steps, "], got ", t);
  const double ab = schedule.alpha_bar(t), scale = schedule.signal_scale;
  CropBox noised;
  for (int i = 0; i < 4; ++i) {
    const double z = std::sqrt(ab) * (2 * box[i] - 1) * scale + std::sqrt(1 - ab) * eps[i];
    noised[i] = std::clamp((z / scale + 1) / 2, schedule.min, schedule.max);
  }
  return noised;
}

/// Gradient of noise_forward with respect to the box: sqrt(alpha_bar) dy, 0 where the result was clamped.
inline CropBox noise_backward(const NoiseSchedule& schedule, const CropBox& box, const CropBox& eps, double t,
                              const CropBox& dy) {
  const CropBox noised = noise_forward(schedule, box, eps, t);
  const double slope = std::sqrt(schedule.alpha_bar(t));
  CropBox dbox;
  for (int i = 0; i < 4; ++i) dbox[i] = noised[i] > schedule.min && noised[i] < schedule.max ? slope * dy[i] : 0;
  return dbox;
}

/// The box a block should reach with `remaining` = 1 - j / L of the chain still ahead: the same noise at t remaining where
/// noise made the start, a straight line from the start to the truth where it did not (layer-by-layer supervision, DeTrack
/// section 3).
inline CropBox denoising_target(const NoiseSchedule& schedule, const CropBox& truth, const CropBox& start,
                                const CropBox& eps, double t, bool noised, double remaining) {
  if (noised) return noise_forward(schedule, truth, eps, t * remaining);
  CropBox target;
  for (int i = 0; i < 4; ++i) target[i] = truth[i] + remaining * (start[i] - truth[i]);
  return target;
}

}  // namespace detrack
