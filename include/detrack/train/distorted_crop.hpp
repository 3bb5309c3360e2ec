// Crops of turned and stretched pictures.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "detrack/core/view.hpp"
#include "detrack/image/image.hpp"
#include "detrack/train/distortion.hpp"

namespace detrack {

/// CropNormalise with a mean of 0 and a deviation of 1 for pictures under a Distortion: bilinear between pixel centres,
/// without antialiasing, black outside the picture. Keeps scratch memory between calls.
class DistortedCrop {
 public:
  /// `region` as of in_picture(); y (3, S, S), values in [0, 1]. Of the sample at the crop's (u, v), which count from its
  /// centre in shares of its side, the picture's point is centre + side A^-1 (u, v).
  void operator()(const Image& image, const CropRegion& region, const Distortion& by, View<float> y) {
    const std::int64_t S = y.extent(1);
    const auto width = static_cast<double>(image.width()), height = static_cast<double>(image.height());
    const auto [a, b, c, d] = by.inverse();
    const double step = region.side / static_cast<double>(S), middle = static_cast<double>(S - 1) / 2;
    reserve(static_cast<std::size_t>(S));
    for (std::int64_t i = 0; i < S; ++i) {
      const double down = (static_cast<double>(i) - middle) * step, right = -middle * step;
      const Line columns{region.centre_x - 0.5 + a * right + b * down, a * step};
      const Line rows{region.centre_y - 0.5 + c * right + d * down, c * step};
      const Range seen = columns.within(-1, width, rows.within(-1, height, {0, S}));
      // Pixels are read as two words a row, two bytes more than two pixels have: not at the right edge.
      Range whole = columns.within(kMargin, width - 2 - kMargin, rows.within(kMargin, height - 1 - kMargin, seen));
      if (std::endian::native != std::endian::little || whole.first >= whole.last) whole = {seen.last, seen.last};
      for (std::int64_t k = 0; k < 3; ++k) {
        float* line = &y(k, i, 0);
        std::fill(line, line + seen.first, 0.0f);
        std::fill(line + seen.last, line + S, 0.0f);
      }
      for (std::int64_t j = seen.first; j < whole.first; ++j) at_edge(image, columns.at(j), rows.at(j), y, i, j);
      for (std::int64_t j = whole.last; j < seen.last; ++j) at_edge(image, columns.at(j), rows.at(j), y, i, j);
      if (whole.first == whole.last) continue;
      fetch(image, columns, rows, whole);
      for (std::int64_t k = 0; k < 3; ++k) mix(whole.last - whole.first, static_cast<int>(8 * k), &y(k, i, whole.first));
    }
  }

 private:
  static constexpr double kMargin = 1e-6;  ///< pixels: whichever way a coordinate is rounded, it is in the picture

  struct Range {
    std::int64_t first = 0, last = 0;  ///< columns of the crop, up to and without the last
  };

  /// A coordinate in the picture along a row of the crop.
  struct Line {
    double begin = 0, step = 0;

    double at(std::int64_t j) const { return begin + static_cast<double>(j) * step; }

    /// The part of the range where the coordinate is in [low, high]; an empty range lies within the given one.
    Range within(double low, double high, Range range) const {
      const auto outside = [&](std::int64_t j) { return !(at(j) >= low && at(j) <= high); };
      if (std::abs(step) > 1e-9) {
        const double one = (low - begin) / step, other = (high - begin) / step;
        const auto column = [&](double at) {
          return static_cast<std::int64_t>(
              std::clamp(at, static_cast<double>(range.first), static_cast<double>(range.last)));
        };
        range = {column(std::floor(std::min(one, other))), column(std::ceil(std::max(one, other)) + 1)};
      }
      while (range.first < range.last && outside(range.first)) ++range.first;
      while (range.first < range.last && outside(range.last - 1)) --range.last;
      return range;
    }
  };

  void reserve(std::size_t S) {
    if (right_.size() >= S) return;
    for (auto* weights : {&right_, &down_}) weights->resize(S);
    for (auto* place : {&column_, &row_}) place->resize(S);
    for (auto& pixels : pixels_) pixels.resize(S);
  }

  /// Weights and the four pixels of all samples of a range, each pixel a word: red in its lowest byte.
  void fetch(const Image& image, const Line& columns, const Line& rows, Range range) {
    const std::int64_t count = range.last - range.first, stride = 3 * image.width();
    const Line x{columns.at(range.first), columns.step}, y{rows.at(range.first), rows.step};
    float *right = right_.data(), *down = down_.data();
    std::int32_t *column = column_.data(), *row = row_.data();
    for (std::int32_t k = 0; k < static_cast<std::int32_t>(count); ++k) {
      const double at_x = x.begin + k * x.step, at_y = y.begin + k * y.step;
      column[k] = static_cast<std::int32_t>(at_x);
      row[k] = static_cast<std::int32_t>(at_y);
      right[k] = static_cast<float>(at_x - column[k]);
      down[k] = static_cast<float>(at_y - row[k]);
    }
    const std::uint8_t* data = image.data();
    std::uint32_t *a = pixels_[0].data(), *b = pixels_[1].data(), *c = pixels_[2].data(), *d = pixels_[3].data();
    for (std::int64_t k = 0; k < count; ++k) {
      const std::uint8_t* from = data + row[k] * stride + 3 * column[k];
      std::uint64_t upper, lower;
      std::memcpy(&upper, from, sizeof upper);
      std::memcpy(&lower, from + stride, sizeof lower);
      a[k] = static_cast<std::uint32_t>(upper);
      b[k] = static_cast<std::uint32_t>(upper >> 24);
      c[k] = static_cast<std::uint32_t>(lower);
      d[k] = static_cast<std::uint32_t>(lower >> 24);
    }
  }

  /// One channel of what was fetched.
  void mix(std::int64_t count, int shift, float* y) const {
    const float *right = right_.data(), *down = down_.data();
    const std::uint32_t *a = pixels_[0].data(), *b = pixels_[1].data(), *c = pixels_[2].data(), *d = pixels_[3].data();
    const auto channel = [shift](std::uint32_t pixel) {
      return static_cast<float>(static_cast<std::int32_t>(pixel >> shift & 255));
    };
    for (std::int64_t k = 0; k < count; ++k) {
      const float upper = channel(a[k]) + right[k] * (channel(b[k]) - channel(a[k]));
      const float lower = channel(c[k]) + right[k] * (channel(d[k]) - channel(c[k]));
      y[k] = (upper + down[k] * (lower - upper)) * (1.0f / 255);
    }
  }

  /// One sample whose neighbours need not all be in the picture.
  static void at_edge(const Image& image, double x, double y, View<float> crop, std::int64_t i, std::int64_t j) {
    const auto column = static_cast<std::int64_t>(std::floor(x)), row = static_cast<std::int64_t>(std::floor(y));
    const double right = x - static_cast<double>(column), down = y - static_cast<double>(row);
    std::array<double, 3> sum{};
    for (const std::int64_t below : {0, 1})
      for (const std::int64_t after : {0, 1}) {
        if (row + below < 0 || row + below >= image.height() || column + after < 0 || column + after >= image.width())
          continue;
        const double weight = (below ? down : 1 - down) * (after ? right : 1 - right);
        const std::uint8_t* pixel = image.pixel(row + below, column + after);
        for (std::size_t k = 0; k < 3; ++k) sum[k] += weight * pixel[k];
      }
    for (std::size_t k = 0; k < 3; ++k) crop(static_cast<std::int64_t>(k), i, j) = static_cast<float>(sum[k] / 255);
  }

  std::vector<float> right_, down_;
  std::vector<std::int32_t> column_, row_;
  std::array<std::vector<std::uint32_t>, 4> pixels_;
};

}  // namespace detrack
