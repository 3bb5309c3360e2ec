// The filters of AugmentedCrops as numbers: which pixels are mixed, and how much of each. All backends read these.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "detrack/core/host_device.hpp"
#include "detrack/core/rng.hpp"

namespace detrack {

/// Blur along a line: what a moving target or camera does to a picture. The line is one pixel thick: a step of one pixel
/// along the axis that it is closer to, shared by the two nearest pixels of the other one. Shares sum up to 1, and their
/// centre is the middle.
struct MotionLine {
  struct Tap {
    std::int64_t right = 0, down = 0;  ///< pixels
    double share = 0;                  ///< 0: of nobody
  };
  bool flat = false;
  double slope = 0, half = 0;
  std::int64_t reach = 0;  ///< steps to either side of the middle; taps are at most a pixel further away

  /// `length` in crop units, cut to the crop (S, S); `direction` in radians from the x axis.
  DETRACK_HOST_DEVICE MotionLine(double length, double direction, std::int64_t S) {
    const auto size = static_cast<double>(S);
    length = std::min(length * size, size);
    const double x = std::cos(direction), y = std::sin(direction);
    flat = std::abs(x) >= std::abs(y);
    slope = flat ? y / x : x / y;
    half = std::max(length * std::abs(flat ? x : y), 1.0) / 2;
    reach = static_cast<std::int64_t>(std::ceil(half - 0.5));
  }

  /// Step k in [-reach, reach], its first or second pixel.
  DETRACK_HOST_DEVICE Tap tap(std::int64_t k, bool second) const {
    const auto at = static_cast<double>(k);
    const double weight = (std::min(at + 0.5, half) - std::max(at - 0.5, -half)) / (2 * half);
    const double aside = at * slope, side = std::floor(aside) + (second ? 1 : 0);
    const auto other = static_cast<std::int64_t>(side);
    return {flat ? k : other, flat ? other : k, std::max(weight * (1 - std::abs(aside - side)), 0.0)};
  }
};

/// Separable Gaussian blur, cut off where little is left of it.
struct GaussianTaps {
  static constexpr int kMostReach = 16;
  double deviation = 1;  ///< pixels
  int reach = 1;         ///< pixels to either side

  DETRACK_HOST_DEVICE explicit GaussianTaps(double pixels)
      : deviation(std::max(pixels, 1e-3)),  // its square is a number
        reach(std::clamp(static_cast<int>(std::ceil(std::min(2.5 * pixels, 100.0))), 1, int{kMostReach})) {}

  /// Of the pixel k away, up to a factor: weights are divided by their sum.
  DETRACK_HOST_DEVICE double weight(int k) const { return std::exp(-k * k / (2 * deviation * deviation)); }
};

/// Fewer pixels than a crop has: how a small or distant target looks once it is enlarged. A line of `many` pixels is reduced
/// to `few` by the mean over areas, and enlarged again, bilinear between pixel centres; beyond the edges the outermost
/// pixels go on.
struct FewerPixels {
  /// What a large pixel is made of: two small ones, `after` with the weight `right`.
  struct Taps {
    std::int64_t before = 0, after = 0;
    double right = 0;
  };
  std::int64_t many = 1, few = 1;
  double size = 1;  ///< large pixels of a small one

  /// By way of S / factor pixels, at least one.
  DETRACK_HOST_DEVICE FewerPixels(std::int64_t S, double factor)
      : many(S),
        few(static_cast<std::int64_t>(
            std::clamp(std::floor(static_cast<double>(S) / factor + 0.5), 1.0, static_cast<double>(S)))),
        size(static_cast<double>(many) / static_cast<double>(few)) {}

  DETRACK_HOST_DEVICE double begin(std::int64_t k) const { return static_cast<double>(k) * size; }
  DETRACK_HOST_DEVICE double end(std::int64_t k) const { return std::min(begin(k) + size, static_cast<double>(many)); }
  /// How much of large pixel i lies in small pixel k, from static_cast<std::int64_t>(begin(k)) on while it is below end(k).
  DETRACK_HOST_DEVICE double overlap(std::int64_t k, std::int64_t i) const {
    return std::min(static_cast<double>(i + 1), end(k)) - std::max(static_cast<double>(i), begin(k));
  }
  DETRACK_HOST_DEVICE Taps taps(std::int64_t i) const {
    const double at = std::max((static_cast<double>(i) + 0.5) / size - 0.5, 0.0);
    const auto before = std::min(static_cast<std::int64_t>(at), few - 1);
    return {before, std::min(before + 1, few - 1), at - static_cast<double>(before)};
  }
};

/// A power of values in [0, 1] is read from a table of its value at k / kPowerSteps, linear in between: bytes have 256
/// values, but bilinear samples have more.
inline constexpr int kPowerSteps = 256;

/// Sums of uniform bytes are near enough to a Gaussian, and cheap. Values 4 n to 4 n + 3 of a crop, which lie in the order
/// channel, row, column, take theirs from the words of block n of Philox(noise_seed).
struct CropNoise {
  static constexpr double kDeviation = 147.8;  ///< of the sum of 4 bytes

  /// In [-510, 510].
  DETRACK_HOST_DEVICE static float sum(std::uint32_t word) {
    return static_cast<float>((word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24)) - 510.0f;
  }
};

}  // namespace detrack
