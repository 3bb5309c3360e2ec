// How a crop of a picture is cut and changed, in numbers alone: what AugmentedCrops reads.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "detrack/core/crop_box.hpp"
#include "detrack/core/crop_region.hpp"
#include "detrack/core/host_device.hpp"
#include "detrack/core/pixels.hpp"
#include "detrack/ops/op.hpp"

namespace detrack {

/// A decoded picture in anybody's memory: red, green, blue of a pixel side by side, rows without gaps.
struct RgbPicture {
  const std::uint8_t* data = nullptr;  ///< (height, width, 3)
  std::int64_t height = 0, width = 0;

  /// Red, green, blue of one pixel, unchecked, where the memory is that of the processor which asks.
  DETRACK_HOST_DEVICE const std::uint8_t* pixel(std::int64_t row, std::int64_t column) const {
    return data + 3 * (row * width + column);
  }
  /// The same memory as three planes.
  Pixels pixels() const {
    const auto plane = [&](std::int64_t channel) {
      return Pixels::Plane{View<const std::uint8_t>(data + channel, {height, width}, {3 * width, 3}, {})};
    };
    return {.height = height, .width = width, .planes = {plane(0), plane(1), plane(2)}};
  }
};

/// What happens to the colours of one crop, in this order.
struct Photometric {
  bool grayscale = false;               ///< ITU-R BT.601 luma
  double gamma = 1;                     ///< v to this power: black and white stay
  std::array<double, 3> gain{1, 1, 1};  ///< of red, green, blue; the result is cut to [0, 1]
  double motion = 0;                    ///< length of the line that is blurred along, crop units
  double motion_direction = 0;          ///< radians from the x axis
  double blur = 0;                      ///< deviation of the Gaussian, pixels of the crop
  double low_resolution = 1;            ///< how many times fewer pixels a side the crop seems to have
  double noise = 0;                     ///< deviation, of full scale
  std::uint64_t noise_seed = 0;

  bool operator==(const Photometric&) const = default;
  DETRACK_HOST_DEVICE bool recolours() const { return gamma != 1 || gain[0] != 1 || gain[1] != 1 || gain[2] != 1; }
};

/// A patch of the same crop that hides a part of the target, crop units: `from` is where its pixels come from.
struct Occluder {
  CropBox to{};
  double from_x = 0, from_y = 0;

  bool operator==(const Occluder&) const = default;
};

/// A part of another picture over a part of the crop: `to`, crop units. `from` is shown in the square as wide as the longer
/// side of `to`, whose left top corner is that of `to`.
struct CropPatch {
  RgbPicture picture;
  CropRegion from;
  CropBox to{};
};

/// Trivially copyable, so that it travels to a device as it is.
struct CropPlan {
  static constexpr int kMostPatches = 2;

  RgbPicture picture;
  CropRegion region;       ///< a square of the distorted picture; its centre is a point of the picture as it is
  bool distorted = false;  ///< `to_picture` is used
  /// Row by row: what the crop shows at (u, v), pixels of the distorted picture from the crop's centre, is the picture's
  /// point centre + to_picture (u, v).
  std::array<double, 4> to_picture{1, 0, 0, 1};
  bool occluded = false;  ///< `occluder` is used
  Occluder occluder{};
  int patches = 0;
  std::array<CropPatch, kMostPatches> patch{};  ///< laid over the crop in this order, after the occluder
  Photometric photometric{};
  bool flip = false;  ///< mirrored, last of all

  /// What holds for plans of any crop size, but for the pictures' memory. Errors: argument.
  void check() const;

 private:
  static constexpr const char* kName = "crop plan";
  static void check_square(const RgbPicture& picture, const CropRegion& region);
  void check_colours() const;
};
static_assert(std::is_trivially_copyable_v<CropPlan>);

/// Rows [top, bottom) and columns [left, right) of a crop, or beyond its edges.
struct CropPixels {
  std::int64_t left, top, right, bottom;

  DETRACK_HOST_DEVICE bool hold(std::int64_t i, std::int64_t j) const {
    return i >= top && i < bottom && j >= left && j < right;
  }
};

/// The pixel edge next to a place in crop units; those far outside are brought nearer. One rounding, so that it is the same
/// edge everywhere.
DETRACK_HOST_DEVICE inline std::int64_t pixel_edge(double at, std::int64_t S) {
  return static_cast<std::int64_t>(std::floor(std::fma(std::min(std::max(at, -4.0), 4.0), static_cast<double>(S), 0.5)));
}

/// The pixels of a crop (S, S) that a box covers, those outside as well.
DETRACK_HOST_DEVICE inline CropPixels pixels_under(const CropBox& box, std::int64_t S) {
  return {pixel_edge(box[0], S), pixel_edge(box[1], S), pixel_edge(box[2], S), pixel_edge(box[3], S)};
}

/// Pixels a side of the square that a patch's picture fills, at most those of the crop (S, S), at least one.
DETRACK_HOST_DEVICE inline std::int64_t patch_size(const CropPixels& to, std::int64_t S) {
  const std::int64_t w = to.right - to.left, h = to.bottom - to.top, longer = w > h ? w : h;
  return longer < 1 ? 1 : longer < S ? longer : S;
}

/// The pixels that a patch covers: those of its box as far as its square and the crop reach.
DETRACK_HOST_DEVICE inline CropPixels covered_by_patch(const CropPixels& to, std::int64_t S) {
  const std::int64_t n = patch_size(to, S);
  const auto first = [](std::int64_t at) { return at > 0 ? at : 0; };
  const auto last = [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t fits = begin + n < S ? begin + n : S;
    return end < fits ? end : fits;
  };
  return {first(to.left), first(to.top), last(to.left, to.right), last(to.top, to.bottom)};
}

inline void CropPlan::check() const {
  using ops::expect;
  check_square(picture, region);
  for (const double x : to_picture) expect(std::abs(x) <= 1e6, kName, "to_picture", "numbers in [-10^6, 10^6]", x);
  for (const double x : occluder.to) expect(std::isfinite(x), kName, "occluder", "a finite box", x);
  expect(std::isfinite(occluder.from_x) && std::isfinite(occluder.from_y), kName, "occluder", "a finite place",
         occluder.from_x);
  expect(patches >= 0 && patches <= kMostPatches, kName, "patches", "at most 2", patches);
  for (int k = 0; k < patches; ++k) {
    const CropPatch& one = patch[static_cast<std::size_t>(k)];
    check_square(one.picture, one.from);
    for (const double x : one.to) expect(std::isfinite(x), kName, "patch", "a finite box", x);
  }
  check_colours();
}

inline void CropPlan::check_square(const RgbPicture& picture, const CropRegion& region) {
  using ops::expect;
  for (const std::int64_t extent : {picture.height, picture.width})
    expect(extent >= 1 && extent <= std::int64_t{1} << 20, kName, "picture", "sides in [1, 2^20] pixels",
           static_cast<double>(extent));
  for (const double x : {region.centre_x, region.centre_y}) expect(std::isfinite(x), kName, "region", "a finite centre", x);
  expect(region.side > 0 && region.side <= 2147483648.0, kName, "side", "pixels in (0, 2^31]", region.side);
}

inline void CropPlan::check_colours() const {
  using ops::expect;
  const Photometric& p = photometric;
  expect(std::isfinite(p.gamma) && p.gamma > 0, kName, "gamma", "a finite value above 0", p.gamma);
  for (const double gain : p.gain) expect(gain >= 0 && gain <= 1e6, kName, "gain", "values in [0, 10^6]", gain);
  for (const double x : {p.motion, p.blur, p.noise})
    expect(std::isfinite(x) && x >= 0, kName, "motion, blur, noise", "finite values from 0 on", x);
  expect(std::isfinite(p.motion_direction), kName, "motion_direction", "finite radians", p.motion_direction);
  expect(std::isfinite(p.low_resolution) && p.low_resolution >= 1, kName, "low_resolution", "a finite value from 1 on",
         p.low_resolution);
}

}  // namespace detrack
