// Crops of turned and stretched pictures: along each row the part that lies in the picture, in vectors.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "detrack/core/view.hpp"
#include "detrack/cpu/isa.hpp"
#include "detrack/ops/crop_plan.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// A coordinate of the picture along a row of a crop, and where it is in some bounds.
struct CropLine {
  struct Range {
    std::int64_t first = 0, last = 0;  ///< columns of the crop, up to and without the last
  };
  double begin = 0, step = 0;

  double at(std::int64_t j) const { return begin + static_cast<double>(j) * step; }

  /// The part of the range where the coordinate is in [low, high]. Where there is none: an empty one, inside the given one.
  Range within(double low, double high, Range range) const {
    const auto outside = [&](std::int64_t j) { return !(at(j) >= low && at(j) <= high); };
    if (std::abs(step) > 1e-9) {
      const double one = (low - begin) / step, other = (high - begin) / step;
      const auto column = [&](double at) {
        return static_cast<std::int64_t>(std::clamp(at, static_cast<double>(range.first), static_cast<double>(range.last)));
      };
      range = {column(std::floor(std::min(one, other))), column(std::ceil(std::max(one, other)) + 1)};
    }
    while (range.first < range.last && outside(range.first)) ++range.first;
    while (range.first < range.last && outside(range.last - 1)) --range.last;
    return range;
  }
};

/// Samples of a row of a crop whose neighbours are all in the picture, few enough to stay in the fastest cache. The steps
/// are loops of their own because the compiler makes vectors of all but the one that fetches.
class CropBlock {
 public:
  static constexpr std::int64_t kSize = 64;

  /// Bounds of coordinates in a picture. What is fetched at once is two bytes more than two pixels: not at the right edge.
  /// Whichever way a coordinate is rounded, the margin keeps it in the picture.
  static CropLine::Range usable(const RgbPicture& picture, const CropLine& columns, const CropLine& rows,
                                CropLine::Range range) {
    constexpr double kMargin = 1e-6;
    const auto width = static_cast<double>(picture.width), height = static_cast<double>(picture.height);
    const bool fits = 3 * picture.width * picture.height <= INT32_MAX;  // offsets are 32 bits
    if (!fits || std::endian::native != std::endian::little) return {range.last, range.last};
    return columns.within(kMargin, width - 2 - kMargin, rows.within(kMargin, height - 1 - kMargin, range));
  }

  /// `count` samples, at most kSize, from a usable column `first` on, into the three channels of a row of the crop.
  void sample(const RgbPicture& picture, const CropLine& columns, const CropLine& rows, std::int64_t first,
              std::int64_t count, const std::array<float*, 3>& y) {
    const auto n = static_cast<std::int32_t>(count), stride = static_cast<std::int32_t>(3 * picture.width);
    const double x = columns.at(first), step_x = columns.step, row_of = rows.at(first), step_y = rows.step;
    for (std::int32_t k = 0; k < n; ++k) {
      const double at_x = x + k * step_x, at_y = row_of + k * step_y;
      const auto column = static_cast<std::int32_t>(at_x), row = static_cast<std::int32_t>(at_y);
      right_[k] = static_cast<float>(at_x - column);
      down_[k] = static_cast<float>(at_y - row);
      offset_[k] = row * stride + 3 * column;
    }
    const std::uint8_t* data = picture.data;
    for (std::int32_t k = 0; k < n; ++k) {
      std::memcpy(upper_ + 2 * k, data + offset_[k], 8);
      std::memcpy(lower_ + 2 * k, data + offset_[k] + stride, 8);
    }
    float *red = y[0], *green = y[1], *blue = y[2];
    for (std::int32_t k = 0; k < n; ++k) {
      // A pixel and the next one: red, green, blue, red in one word, green, blue in the other, from the lowest byte on.
      const std::uint32_t a = upper_[2 * k], b = upper_[2 * k + 1], c = lower_[2 * k], d = lower_[2 * k + 1];
      red[k] = mix(k, a, a >> 24, c, c >> 24);
      green[k] = mix(k, a >> 8, b, c >> 8, d);
      blue[k] = mix(k, a >> 16, b >> 8, c >> 16, d >> 8);
    }
  }

 private:
  /// Of bytes, the lowest ones of what is given: left and right, above and then below.
  float mix(std::int32_t k, std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) const {
    const auto value = [](std::uint32_t word) { return static_cast<float>(static_cast<std::int32_t>(word & 255)); };
    const float above = value(a) + right_[k] * (value(b) - value(a)), below = value(c) + right_[k] * (value(d) - value(c));
    return (above + down_[k] * (below - above)) * (1.0f / 255);
  }

  float right_[kSize], down_[kSize];
  std::int32_t offset_[kSize];
  std::uint32_t upper_[2 * kSize], lower_[2 * kSize];
};

/// One sample whose neighbours need not all be in the picture: the pixel (i, j) of a crop.
inline void sample_at_edge(const RgbPicture& picture, double x, double y, View<float> crop, std::int64_t i, std::int64_t j) {
  const auto column = static_cast<std::int64_t>(std::floor(x)), row = static_cast<std::int64_t>(std::floor(y));
  const double right = x - static_cast<double>(column), down = y - static_cast<double>(row);
  std::array<double, 3> sum{};
  for (const std::int64_t below : {0, 1})
    for (const std::int64_t after : {0, 1}) {
      if (row + below < 0 || row + below >= picture.height || column + after < 0 || column + after >= picture.width)
        continue;
      const double weight = (below ? down : 1 - down) * (after ? right : 1 - right);
      const std::uint8_t* pixel = picture.pixel(row + below, column + after);
      for (std::size_t k = 0; k < 3; ++k) sum[k] += weight * pixel[k];
    }
  for (std::size_t k = 0; k < 3; ++k) crop(static_cast<std::int64_t>(k), i, j) = static_cast<float>(sum[k] / 255);
}

/// What a plan's picture shows, which is distorted, into y (3, S, S), values in [0, 1].
inline void crop_distorted(const RgbPicture& picture, const CropRegion& region, const std::array<double, 4>& to_picture,
                           View<float> y) {
  const std::int64_t S = y.extent(1);
  const auto [a, b, c, d] = to_picture;
  const double step = region.side / static_cast<double>(S), right = -static_cast<double>(S - 1) / 2 * step;
  CropBlock block;
  for (std::int64_t i = 0; i < S; ++i) {
    const double down = static_cast<double>(2 * i + 1 - S) / 2 * step;
    const CropLine columns{region.centre_x - 0.5 + a * right + b * down, a * step};
    const CropLine rows{region.centre_y - 0.5 + c * right + d * down, c * step};
    const auto seen =
        columns.within(-1, static_cast<double>(picture.width), rows.within(-1, static_cast<double>(picture.height), {0, S}));
    auto whole = CropBlock::usable(picture, columns, rows, seen);
    if (whole.first >= whole.last) whole = {seen.last, seen.last};
    const std::array<float*, 3> line{&y(0, i, 0), &y(1, i, 0), &y(2, i, 0)};  // a channel each
    for (float* channel : line) {
      std::fill(channel, channel + seen.first, 0.0f);
      std::fill(channel + seen.last, channel + S, 0.0f);
    }
    for (std::int64_t j = seen.first; j < whole.first; ++j) sample_at_edge(picture, columns.at(j), rows.at(j), y, i, j);
    for (std::int64_t j = whole.first; j < whole.last; j += CropBlock::kSize)
      block.sample(picture, columns, rows, j, std::min(CropBlock::kSize, whole.last - j),
                   {line[0] + j, line[1] + j, line[2] + j});
    for (std::int64_t j = whole.last; j < seen.last; ++j) sample_at_edge(picture, columns.at(j), rows.at(j), y, i, j);
  }
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
