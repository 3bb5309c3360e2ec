// Reference loops: crops of pictures, one stage after the other, all in double.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "detrack/core/rng.hpp"
#include "detrack/ops/augmented_crops.hpp"
#include "detrack/ops/crop_filters.hpp"

namespace detrack::reference {

/// A crop on its way, (3, S, S).
struct CropValues {
  std::int64_t S;
  std::vector<double> values = std::vector<double>(static_cast<std::size_t>(3 * S * S));

  double& operator()(std::int64_t c, std::int64_t i, std::int64_t j) {
    return values[static_cast<std::size_t>((c * S + i) * S + j)];
  }
  /// Beyond the edges the outermost pixels go on.
  double near(std::int64_t c, std::int64_t i, std::int64_t j) {
    return (*this)(c, std::clamp<std::int64_t>(i, 0, S - 1), std::clamp<std::int64_t>(j, 0, S - 1));
  }
  /// f(c, i, j) for every value.
  template <class F>
  void for_each(F&& f) const {
    for (std::int64_t c = 0; c < 3; ++c)
      for (std::int64_t i = 0; i < S; ++i)
        for (std::int64_t j = 0; j < S; ++j) f(c, i, j);
  }
  /// Every value becomes f(c, i, j) of the values before.
  template <class F>
  void map(F&& f) {
    CropValues after{S};
    for_each([&](std::int64_t c, std::int64_t i, std::int64_t j) { after(c, i, j) = f(c, i, j); });
    values.swap(after.values);
  }
};

/// A picture's channel c between pixel centres: (0, 0) is the centre of the first one.
inline double bilinear(const RgbPicture& picture, double row, double column, std::int64_t c) {
  const auto height = static_cast<double>(picture.height), width = static_cast<double>(picture.width);
  const double above = std::floor(row), before = std::floor(column);
  double sum = 0;
  for (const double i : {above, above + 1})
    for (const double j : {before, before + 1}) {
      if (!(i >= 0 && i < height && j >= 0 && j < width)) continue;
      const double weight = (1 - std::abs(row - i)) * (1 - std::abs(column - j));
      sum += weight * picture.pixel(static_cast<std::int64_t>(i), static_cast<std::int64_t>(j))[c];
    }
  return sum / 255;
}

inline void cut(const CropPlan& plan, CropValues& crop) {
  const CropRegion& region = plan.region;
  const auto& m = plan.to_picture;
  const double step = region.side / static_cast<double>(crop.S), middle = static_cast<double>(crop.S) / 2;
  crop.map([&](std::int64_t c, std::int64_t i, std::int64_t j) {
    const double down = (static_cast<double>(i) + 0.5 - middle) * step,
                 right = (static_cast<double>(j) + 0.5 - middle) * step;
    const double x = plan.distorted ? m[0] * right + m[1] * down : right,
                 y = plan.distorted ? m[2] * right + m[3] * down : down;
    return bilinear(plan.picture, region.centre_y + y - 0.5, region.centre_x + x - 0.5, c);
  });
}

inline void occlude(const Occluder& occluder, CropValues& crop) {
  const std::int64_t S = crop.S;
  const CropPixels to = pixels_under(occluder.to, S);
  const std::int64_t dx = pixel_edge(occluder.from_x, S) - to.left, dy = pixel_edge(occluder.from_y, S) - to.top;
  crop.map([&](std::int64_t c, std::int64_t i, std::int64_t j) {
    const bool there = CropPixels{0, 0, S, S}.hold(i + dy, j + dx);
    return to.hold(i, j) && there ? crop(c, i + dy, j + dx) : crop(c, i, j);
  });
}

inline void lay(const CropPatch& patch, CropValues& crop) {
  const CropPixels to = pixels_under(patch.to, crop.S), covered = covered_by_patch(to, crop.S);
  CropPlan alone;
  alone.picture = patch.picture, alone.region = patch.from;
  CropValues square{patch_size(to, crop.S)};
  cut(alone, square);
  crop.map([&](std::int64_t c, std::int64_t i, std::int64_t j) {
    return covered.hold(i, j) ? square(c, i - to.top, j - to.left) : crop(c, i, j);
  });
}

inline void recolour(const Photometric& p, CropValues& crop) {
  const auto point = [&](std::int64_t c, double k) {
    return std::min(p.gain[static_cast<std::size_t>(c)] * std::pow(k / kPowerSteps, p.gamma), 1.0);
  };
  crop.map([&](std::int64_t c, std::int64_t i, std::int64_t j) {
    const double at = crop(c, i, j) * kPowerSteps, k = std::floor(at);
    return point(c, k) + (at - k) * (point(c, k + 1) - point(c, k));
  });
}

inline void motion_blur(const Photometric& p, CropValues& crop) {
  const MotionLine line(p.motion, p.motion_direction, crop.S);
  crop.map([&](std::int64_t c, std::int64_t i, std::int64_t j) {
    double sum = 0;
    for (std::int64_t k = -line.reach; k <= line.reach; ++k)
      for (const bool second : {false, true}) {
        const MotionLine::Tap tap = line.tap(k, second);
        sum += tap.share * crop.near(c, i + tap.down, j + tap.right);
      }
    return sum;
  });
}

inline void blur(const Photometric& p, CropValues& crop) {
  const GaussianTaps taps(p.blur);
  double total = 0;
  for (int k = -taps.reach; k <= taps.reach; ++k) total += taps.weight(k);
  crop.map([&](std::int64_t c, std::int64_t i, std::int64_t j) {
    double sum = 0;
    for (int a = -taps.reach; a <= taps.reach; ++a)
      for (int b = -taps.reach; b <= taps.reach; ++b) sum += taps.weight(a) * taps.weight(b) * crop.near(c, i + a, j + b);
    return sum / (total * total);
  });
}

inline void lower_resolution(const Photometric& p, CropValues& crop) {
  const FewerPixels fewer(crop.S, p.low_resolution);
  if (fewer.few == crop.S) return;
  CropValues small{fewer.few};
  small.map([&](std::int64_t c, std::int64_t row, std::int64_t column) {
    double sum = 0;
    for (auto i = static_cast<std::int64_t>(fewer.begin(row)); static_cast<double>(i) < fewer.end(row); ++i)
      for (auto j = static_cast<std::int64_t>(fewer.begin(column)); static_cast<double>(j) < fewer.end(column); ++j)
        sum += fewer.overlap(row, i) * fewer.overlap(column, j) * crop(c, i, j);
    return sum / (fewer.size * fewer.size);
  });
  crop.map([&](std::int64_t c, std::int64_t i, std::int64_t j) {
    const FewerPixels::Taps v = fewer.taps(i), h = fewer.taps(j);
    const auto along = [&](std::int64_t row) {
      return (1 - h.right) * small(c, row, h.before) + h.right * small(c, row, h.after);
    };
    return (1 - v.right) * along(v.before) + v.right * along(v.after);
  });
}

inline void add_noise(const Photometric& p, CropValues& crop) {
  const Philox rng(p.noise_seed);
  for (std::size_t i = 0; i < crop.values.size(); ++i) {
    const double noise = static_cast<double>(CropNoise::sum(rng.at(i / 4)[i % 4])) * p.noise / CropNoise::kDeviation;
    crop.values[i] = std::clamp(crop.values[i] + noise, 0.0, 1.0);
  }
}

/// A plan's crop before it is mirrored and normalised.
inline CropValues augmented_crop(const CropPlan& plan, std::int64_t S) {
  CropValues crop{S};
  const Photometric& p = plan.photometric;
  cut(plan, crop);
  if (plan.occluded) occlude(plan.occluder, crop);
  for (int k = 0; k < plan.patches; ++k) lay(plan.patch[static_cast<std::size_t>(k)], crop);
  if (p.grayscale)
    crop.map([&](std::int64_t, std::int64_t i, std::int64_t j) {
      return 0.299 * crop(0, i, j) + 0.587 * crop(1, i, j) + 0.114 * crop(2, i, j);
    });
  if (p.recolours()) recolour(p, crop);
  if (p.motion > 0) motion_blur(p, crop);
  if (p.blur > 0) blur(p, crop);
  if (p.low_resolution > 1) lower_resolution(p, crop);
  if (p.noise > 0) add_noise(p, crop);
  return crop;
}

template <class T>
void run(const AugmentedCrops<T>& op) {
  if (op.y.numel() == 0) return;
  for (std::int64_t b = 0; b < op.y.extent(0); ++b) {
    const CropPlan& plan = op.plans(b);
    const std::int64_t S = op.y.extent(2);
    CropValues crop = augmented_crop(plan, S);
    crop.for_each([&](std::int64_t c, std::int64_t i, std::int64_t j) {
      const auto k = static_cast<std::size_t>(c);
      op.y(b, c, i, plan.flip ? S - 1 - j : j) = T(stat_t<T>((crop(c, i, j) - op.mean[k]) / op.std[k]));
    });
  }
}

}  // namespace detrack::reference
