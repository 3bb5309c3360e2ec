// Changes crops of pictures: mirroring, colours, blur, resolution, noise, covering.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "detrack/core/rng.hpp"
#include "detrack/core/view.hpp"
#include "detrack/train/low_resolution.hpp"
#include "detrack/train/motion_blur.hpp"
#include "detrack/train/sample_recipe.hpp"

namespace detrack {

/// Works in place on raw crops (3, S, S), host memory, values in [0, 1]; keeps scratch memory between calls.
class Augmenter {
 public:
  /// Left and right change places.
  static void mirror(View<float> crop) {
    const std::int64_t S = crop.extent(2);
    for (std::int64_t c = 0; c < 3; ++c)
      for (std::int64_t i = 0; i < crop.extent(1); ++i) std::reverse(&crop(c, i, 0), &crop(c, i, 0) + S);
  }

  void apply(View<float> crop, const Photometric& p) {
    if (p.grayscale) to_gray(crop);
    const bool gains = p.gain != std::array<double, 3>{1, 1, 1};
    if (p.gamma != 1 || gains) recolour(crop, p);
    if (p.motion > 0) motion_blur_(crop, p.motion * static_cast<double>(crop.extent(1)), p.motion_direction);
    if (p.blur > 0) blur(crop, p.blur);
    if (p.low_resolution > 1) low_resolution_(crop, p.low_resolution);
    if (p.noise > 0) add_noise(crop, p.noise, p.noise_seed);
  }

  /// Copies a rectangle of the crop over another one; parts outside are left out.
  void cover(View<float> crop, const Occluder& occluder) {
    const std::int64_t S = crop.extent(1);
    const auto pixel = [S](double at) { return pixel_of(at, S); };
    const std::int64_t left = pixel(occluder.to[0]), top = pixel(occluder.to[1]);
    const std::int64_t right = std::min(pixel(occluder.to[2]), S), bottom = std::min(pixel(occluder.to[3]), S);
    const std::int64_t dx = pixel(occluder.from_x) - left, dy = pixel(occluder.from_y) - top;
    before_.assign(crop.data(), crop.data() + crop.numel());
    const View<const float> before(before_.data(), crop.shape());
    for (std::int64_t c = 0; c < 3; ++c)
      for (std::int64_t i = std::max<std::int64_t>(top, 0); i < bottom; ++i)
        for (std::int64_t j = std::max<std::int64_t>(left, 0); j < right; ++j)
          if (i + dy >= 0 && i + dy < S && j + dx >= 0 && j + dx < S) crop(c, i, j) = before(c, i + dy, j + dx);
  }

  /// Pixels of the square that a patch's picture fills, at most those of the crop (S, S), at least one.
  static std::int64_t patch_size(const CropBox& to, std::int64_t S) {
    const std::int64_t w = pixel_of(to[2], S) - pixel_of(to[0], S), h = pixel_of(to[3], S) - pixel_of(to[1], S);
    return std::clamp<std::int64_t>(std::max(w, h), 1, S);
  }

  /// Copies a patch (3, n, n), its left top corner first, into a rectangle of the crop; what does not fit is left out.
  static void cover(View<float> crop, const CropBox& to, View<const float> patch) {
    const std::int64_t S = crop.extent(1), n = patch.extent(1), left = pixel_of(to[0], S), top = pixel_of(to[1], S);
    const std::int64_t right = std::min({pixel_of(to[2], S), left + n, S}),
                       bottom = std::min({pixel_of(to[3], S), top + n, S});
    for (std::int64_t c = 0; c < 3; ++c)
      for (std::int64_t i = std::max<std::int64_t>(top, 0); i < bottom; ++i)
        for (std::int64_t j = std::max<std::int64_t>(left, 0); j < right; ++j) crop(c, i, j) = patch(c, i - top, j - left);
  }

 private:
  /// The pixel edge next to a place in crop units; those far outside are brought nearer.
  static std::int64_t pixel_of(double at, std::int64_t S) {
    return static_cast<std::int64_t>(std::floor(std::clamp(at, -4.0, 4.0) * static_cast<double>(S) + 0.5));
  }

  /// ITU-R BT.601 luma.
  static void to_gray(View<float> crop) {
    const std::int64_t n = crop.extent(1) * crop.extent(2);
    float *r = crop.data(), *g = r + n, *b = g + n;
    for (std::int64_t i = 0; i < n; ++i) r[i] = g[i] = b[i] = 0.299f * r[i] + 0.587f * g[i] + 0.114f * b[i];
  }

  static void recolour(View<float> crop, const Photometric& p) {
    const std::int64_t n = crop.extent(1) * crop.extent(2);
    // Bytes have 256 values, but bilinear samples have more: the power from a table, linear between its points.
    constexpr int kPoints = 256;
    std::array<double, kPoints + 2> powers{};
    for (int k = 0; k < kPoints + 2; ++k)
      powers[static_cast<std::size_t>(k)] = std::pow(static_cast<double>(k) / kPoints, p.gamma);
    for (std::int64_t c = 0; c < 3; ++c) {
      std::array<float, kPoints + 2> table{};
      for (std::size_t k = 0; k < table.size(); ++k)
        table[k] = static_cast<float>(std::min(p.gain[static_cast<std::size_t>(c)] * powers[k], 1.0));
      const float* points = table.data();
      float* v = crop.data() + c * n;
      for (std::int64_t i = 0; i < n; ++i) {
        const float at = v[i] * kPoints;
        const auto k = static_cast<std::int32_t>(std::min(std::max(at, 0.0f), float{kPoints}));  // 32 bits: in vectors
        v[i] = points[k] + (at - static_cast<float>(k)) * (points[k + 1] - points[k]);
      }
    }
  }

  /// Separable; beyond the edges the outermost pixels go on.
  void blur(View<float> crop, double deviation) {
    const int radius = std::clamp(static_cast<int>(std::ceil(2.5 * deviation)), 1, 16);
    std::vector<float> weights;
    double sum = 0;
    for (int k = -radius; k <= radius; ++k) sum += std::exp(-k * k / (2 * deviation * deviation));
    for (int k = -radius; k <= radius; ++k)
      weights.push_back(static_cast<float>(std::exp(-k * k / (2 * deviation * deviation)) / sum));
    const std::int64_t S = crop.extent(1);
    const auto add_taps = [&](float* to, auto&& from) {
      std::fill(to, to + S, 0.0f);
      for (int k = -radius; k <= radius; ++k) {
        const float weight = weights[static_cast<std::size_t>(k + radius)];
        const float* v = from(k);
        for (std::int64_t j = 0; j < S; ++j) to[j] += weight * v[j];
      }
    };
    for (std::int64_t c = 0; c < 3; ++c) {
      float* const plane = &crop(c, 0, 0);
      before_.resize(static_cast<std::size_t>(S + 2 * radius));
      for (std::int64_t i = 0; i < S; ++i) {
        float* const row = plane + i * S;
        std::fill_n(before_.begin(), radius, row[0]);
        std::copy(row, row + S, before_.begin() + radius);
        std::fill_n(before_.begin() + radius + S, radius, row[S - 1]);
        add_taps(row, [&](int k) { return before_.data() + radius + k; });
      }
      before_.assign(plane, plane + S * S);
      for (std::int64_t i = 0; i < S; ++i)
        add_taps(plane + i * S, [&](int k) { return before_.data() + std::clamp<std::int64_t>(i + k, 0, S - 1) * S; });
    }
  }

  /// Sums of uniform bytes are near enough to a Gaussian, and cheap: deviation of the sum of 4 bytes is 147.8.
  static void add_noise(View<float> crop, double deviation, std::uint64_t seed) {
    Philox rng(seed);
    const auto scale = static_cast<float>(deviation / 147.8);
    float* v = crop.data();
    for (std::int64_t i = 0; i < crop.numel(); i += 4) {
      const auto block = rng.next();
      for (std::int64_t k = 0; k < std::min<std::int64_t>(4, crop.numel() - i); ++k) {
        const std::uint32_t b = block[static_cast<std::size_t>(k)];
        const auto sum = static_cast<float>((b & 255) + (b >> 8 & 255) + (b >> 16 & 255) + (b >> 24));
        v[i + k] = std::clamp(v[i + k] + scale * (sum - 510.0f), 0.0f, 1.0f);
      }
    }
  }

  std::vector<float> before_;
  MotionBlur motion_blur_;
  LowResolution low_resolution_;
};

}  // namespace detrack
