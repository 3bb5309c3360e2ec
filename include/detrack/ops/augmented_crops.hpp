// Crops of decoded pictures, changed as training wants them: the pixels of a batch of samples.
#pragma once

#include <array>
#include <cmath>

#include "detrack/ops/crop_plan.hpp"
#include "detrack/ops/op.hpp"

namespace detrack {

/// Math:   for each plan, v of channel c at the crop's pixel (i, j), in [0, 1], becomes
///         1. the picture at centre + to_picture (j + 1/2 - S/2, i + 1/2 - S/2) side / S, bilinear between pixel centres,
///            without antialiasing, black outside (upright: the square itself, as CropNormalise);
///         2. where the occluder lies, v of another pixel, if that is in the crop;
///         3. where a patch lies, its picture, which fills patch_size() pixels a side and is cut as in 1; the last one
///         shows;
///         4. gray, power and gain, motion blur, blur, fewer pixels, noise, as Photometric and ops/crop_filters.hpp say;
///            blurs go on with the outermost pixels beyond the edges; noise is cut to [0, 1];
///         5. mirrored: left and right change places;
///         6. y[b, c, i, j] = (v - mean[c]) / std[c].
/// Shapes: plans (B); y (B, 3, S, S).
/// Plans are looked at when the operation is done, unchecked: CropPlan::check() is for whoever makes them, and their
/// pictures must be memory of the device. Coordinates and weights are computed in double. There is no backward: pictures are
/// data.
template <class T>
struct AugmentedCrops {
  static constexpr const char* kName = "augmented_crops";
  View<const CropPlan> plans{};
  std::array<double, 3> mean{}, std{1, 1, 1};
  View<T> y{};

  template <class F>
  void views(F&& f) const {
    f("plans", plans), f("y", y);
  }
  void check() const {
    using ops::expect;
    for (std::size_t c = 0; c < 3; ++c) {
      expect(std::isfinite(mean[c]), kName, "mean", "finite values", mean[c]);
      expect(std::isfinite(std[c]) && std[c] > 0, kName, "std", "finite values above 0", std[c]);
    }
    ops::expect_rank(kName, "y", y.shape(), 4);
    ops::expect_view(kName, "y", y, {y.extent(0), 3, y.extent(2), y.extent(2)});
    ops::expect_view(kName, "plans", plans, {y.extent(0)});
  }
  /// Two taps a direction, scale and offset: which crops have more is not known.
  double flops() const { return 9.0 * static_cast<double>(y.numel()); }
  /// Four taps a pixel.
  double bytes() const { return static_cast<double>(y.numel()) * (sizeof(T) + 4); }
};

}  // namespace detrack
