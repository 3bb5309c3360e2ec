// Cutting a square out of a camera frame of any pixel format, resampled and normalised: what the network sees.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "detrack/core/host_device.hpp"
#include "detrack/core/pixels.hpp"
#include "detrack/ops/op.hpp"

namespace detrack {

/// A frame, and the square of it that a crop shows.
struct CropSource {
  Pixels frame{};
  double left = 0, top = 0, side = 1;
};

/// Math:   y[c, i, j] = (v / 255 - mean[c]) / std[c], v the frame's channel c (red, green, blue) at row source(top, i) and
///         column source(left, j), bilinear between pixel centres, without antialiasing. Pixels outside the frame are black.
///         YUV becomes RGB bytes pixel by pixel first, so that the format makes no difference.
/// Shapes: frame: three planes of bytes, any strides, which may be one another (gray); y (3, S, S).
/// Coordinates and weights are computed in double. There is no backward: frames are data.
template <class T>
struct CropNormalise {
  static constexpr const char* kName = "crop_normalise";
  Pixels frame{};
  double left = 0, top = 0;  ///< the square's corner in frame pixels, anywhere: pixel i covers [i, i + 1)
  double side = 1;           ///< frame pixels, in (0, 2^31]
  /// (1) or absent. In place of the four above, and looked at when the operation is done: a recorded crop is of another
  /// place each time. What is there has the same meaning and bounds, unchecked; the frame must be the device's memory.
  View<const CropSource> at{};
  std::array<double, 3> mean{}, std{1, 1, 1};
  View<T> y{};

  template <class F>
  void views(F&& f) const {
    for (std::size_t i = 0; i < 3; ++i) f(kPlanes[i], frame.planes[i].samples);
    f("at", at), f("y", y);
  }
  /// The same with `at` looked up, where its memory is that of the processor which asks.
  DETRACK_HOST_DEVICE CropNormalise resolved() const {
    CropNormalise op = *this;
    if (at) op.frame = at(0).frame, op.left = at(0).left, op.top = at(0).top, op.side = at(0).side, op.at = {};
    return op;
  }
  void check() const;
  /// Two taps a direction, scale and offset.
  double flops() const { return 9.0 * static_cast<double>(y.numel()); }
  /// The pixels that the crop looks at, which are few of the frame's; planes that are one another count once.
  double bytes() const;

  /// Where output row or column `i` lies in the frame: 0 is the centre of the first pixel.
  DETRACK_HOST_DEVICE double source(double corner, std::int64_t i) const {
    return corner + (static_cast<double>(i) + 0.5) * side / static_cast<double>(y.extent(1)) - 0.5;
  }

 private:
  static constexpr const char* kPlanes[] = {"plane 0", "plane 1", "plane 2"};
  void check_source() const;
  void check_plane(std::size_t i) const;
  double pixels_seen(double corner, std::int64_t extent) const;
};

template <class T>
void CropNormalise<T>::check() const {
  using ops::expect;
  if (at)
    ops::expect_view(kName, "at", at, {1});
  else
    check_source();
  for (std::size_t c = 0; c < 3; ++c) {
    expect(std::isfinite(mean[c]), kName, "mean", "finite values", mean[c]);
    expect(std::isfinite(std[c]) && std[c] > 0, kName, "std", "finite values above 0", std[c]);
  }
  ops::expect_rank(kName, "y", y.shape(), 3);
  ops::expect_view(kName, "y", y, {3, y.extent(1), y.extent(1)});
}

template <class T>
void CropNormalise<T>::check_source() const {
  using ops::expect;
  expect(frame.height >= 1, kName, "height", "at least one row of pixels", static_cast<double>(frame.height));
  expect(frame.width >= 1, kName, "width", "at least one column of pixels", static_cast<double>(frame.width));
  for (std::size_t i = 0; i < 3; ++i) check_plane(i);
  expect(std::isfinite(left), kName, "left", "a finite coordinate", left);
  expect(std::isfinite(top), kName, "top", "a finite coordinate", top);
  expect(side > 0 && side <= 2147483648.0, kName, "side", "pixels in (0, 2^31]", side);
  if (frame.is_rgb) return;
  for (std::size_t c = 0; c < 3; ++c) {
    double largest = 255;  // what apply() may reach on its way, bytes taken at their largest
    for (std::size_t k = 0; k < 4; ++k) largest += (k < 3 ? 255.0 : 1.0) * std::abs(static_cast<double>(frame.to_rgb[c][k]));
    expect(largest < 2147483648.0, kName, "to_rgb", "rows whose sums stay within 32 bits", largest);
  }
}

template <class T>
void CropNormalise<T>::check_plane(std::size_t i) const {
  const Pixels::Plane& plane = frame.planes[i];
  const auto samples = [](std::int64_t pixels, int shift) { return ((pixels - 1) >> shift) + 1; };
  for (const int shift : {plane.shift_y, plane.shift_x})
    ops::expect(shift >= 0 && shift <= 8, kName, kPlanes[i], "shifts in [0, 8]", shift);
  if (!plane.samples) fail(ErrorCode::argument, kName, ": ", kPlanes[i], ": expected samples, got none");
  ops::expect_shape(kName, kPlanes[i], plane.samples.shape(),
                    {samples(frame.height, plane.shift_y), samples(frame.width, plane.shift_x)});
}

template <class T>
double CropNormalise<T>::pixels_seen(double corner, std::int64_t extent) const {
  const std::int64_t S = y.extent(1);
  const double first = std::max(std::floor(source(corner, 0)), 0.0);
  const double last = std::min(std::floor(source(corner, S - 1)) + 1, static_cast<double>(extent - 1));
  return std::clamp(last - first + 1, 0.0, 2.0 * static_cast<double>(S));
}

template <class T>
double CropNormalise<T>::bytes() const {
  double bytes = static_cast<double>(y.numel()) * sizeof(T);
  if (at) return bytes + 3 * 4 * static_cast<double>(y.numel() / 3);  // where it will look is not known: four taps a channel
  const double pixels = y.numel() == 0 ? 0 : pixels_seen(top, frame.height) * pixels_seen(left, frame.width);
  for (std::size_t i = 0; i < 3; ++i) {
    const Pixels::Plane& plane = frame.planes[i];
    if (i > 0 && plane.samples.data() == frame.planes[i - 1].samples.data()) continue;
    bytes += std::ldexp(pixels, -plane.shift_y - plane.shift_x);
  }
  return bytes;
}

}  // namespace detrack
