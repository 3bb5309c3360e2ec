// What augmentation does to pixels.
#include "detrack/train/augment.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "detrack/core/tensor.hpp"

using namespace detrack;

namespace {

constexpr std::int64_t S = 24;

/// Values in [0, 1] that differ in every pixel and channel.
Tensor<float> ramp() {
  Tensor<float> crop({3, S, S});
  for (std::int64_t i = 0; i < crop.numel(); ++i) crop.data()[i] = static_cast<float>((i * 37) % 1000) / 1000.0f;
  return crop;
}

double mean(const Tensor<float>& crop) {
  double sum = 0;
  for (std::int64_t i = 0; i < crop.numel(); ++i) sum += static_cast<double>(crop.data()[i]);
  return sum / static_cast<double>(crop.numel());
}

double deviation(const Tensor<float>& crop) {
  double sum = 0;
  for (std::int64_t i = 0; i < crop.numel(); ++i) sum += std::pow(static_cast<double>(crop.data()[i]) - mean(crop), 2);
  return std::sqrt(sum / static_cast<double>(crop.numel()));
}

}  // namespace

TEST_CASE("augment: mirroring exchanges columns, twice is nothing") {
  Tensor<float> crop = ramp();
  const Tensor<float> before = ramp();
  Augmenter::mirror(crop.view());
  for (std::int64_t c = 0; c < 3; ++c)
    for (std::int64_t i = 0; i < S; ++i)
      for (std::int64_t j = 0; j < S; ++j) CHECK(crop.view()(c, i, j) == before.view()(c, i, S - 1 - j));
  Augmenter::mirror(crop.view());
  CHECK(std::equal(crop.data(), crop.data() + crop.numel(), before.data()));
}

TEST_CASE("augment: gains, gamma and gray as written down, cut to [0, 1]") {
  Augmenter augmenter;
  const Tensor<float> before = ramp();
  Tensor<float> crop = ramp();
  augmenter.apply(crop.view(), {});
  CHECK(std::equal(crop.data(), crop.data() + crop.numel(), before.data()));

  augmenter.apply(crop.view(), {.gamma = 1.5, .gain = {1.2, 0.8, 1}});
  for (std::int64_t c = 0; c < 3; ++c)
    for (std::int64_t k = 0; k < S * S; ++k) {
      const double v = static_cast<double>(before.data()[c * S * S + k]), gain = c == 0 ? 1.2 : c == 1 ? 0.8 : 1;
      CHECK(std::abs(static_cast<double>(crop.data()[c * S * S + k]) - std::min(gain * std::pow(v, 1.5), 1.0)) < 2e-3);
    }

  crop = ramp();
  augmenter.apply(crop.view(), {.grayscale = true});
  for (std::int64_t k = 0; k < S * S; ++k) {
    const float *b = before.data() + k, *a = crop.data() + k;
    CHECK(a[0] == a[S * S]);
    CHECK(a[0] == a[2 * S * S]);
    CHECK(std::abs(a[0] - (0.299f * b[0] + 0.587f * b[S * S] + 0.114f * b[2 * S * S])) < 1e-6f);
  }
  Tensor<float> extremes({3, S, S});
  for (std::int64_t i = 0; i < extremes.numel(); ++i) extremes.data()[i] = i % 2 ? 1.0f : 0.0f;
  augmenter.apply(extremes.view(), {.gamma = 0.7});
  for (std::int64_t i = 0; i < extremes.numel(); ++i) CHECK(extremes.data()[i] == (i % 2 ? 1.0f : 0.0f));
}

TEST_CASE("augment: blur keeps the mean and flat crops, noise has its deviation and hangs on its seed") {
  Augmenter augmenter;
  Tensor<float> flat({3, S, S});
  std::fill_n(flat.data(), flat.numel(), 0.4f);
  augmenter.apply(flat.view(), {.blur = 1.2});
  for (std::int64_t i = 0; i < flat.numel(); ++i) CHECK(std::abs(flat.data()[i] - 0.4f) < 1e-6f);
  Tensor<float> crop = ramp();
  const double before = deviation(crop), centre = mean(crop);
  augmenter.apply(crop.view(), {.blur = 1});
  CHECK(deviation(crop) < 0.8 * before);
  CHECK(std::abs(mean(crop) - centre) < 0.02);

  augmenter.apply(flat.view(), {.noise = 0.05, .noise_seed = 7});
  CHECK(std::abs(deviation(flat) - 0.05) < 0.005);
  CHECK(std::abs(mean(flat) - 0.4) < 0.005);
  Tensor<float> again({3, S, S}), other({3, S, S});
  std::fill_n(again.data(), again.numel(), 0.4f), std::fill_n(other.data(), other.numel(), 0.4f);
  augmenter.apply(again.view(), {.blur = 1.2}), augmenter.apply(again.view(), {.noise = 0.05, .noise_seed = 7});
  augmenter.apply(other.view(), {.noise = 0.05, .noise_seed = 8});
  CHECK(std::equal(again.data(), again.data() + again.numel(), flat.data()));
  CHECK_FALSE(std::equal(again.data(), again.data() + again.numel(), other.data()));
}

TEST_CASE("augment: an occluder copies a rectangle, and leaves out what lies outside") {
  Augmenter augmenter;
  Tensor<float> crop = ramp();
  const Tensor<float> before = ramp();
  augmenter.cover(crop.view(), {.to = {0.25, 0.5, 0.5, 0.75}, .from_x = 0.5, .from_y = 0});
  for (std::int64_t c = 0; c < 3; ++c)
    for (std::int64_t i = 0; i < S; ++i)
      for (std::int64_t j = 0; j < S; ++j) {
        const bool covered = i >= 12 && i < 18 && j >= 6 && j < 12;
        CHECK(crop.view()(c, i, j) == (covered ? before.view()(c, i - 12, j + 6) : before.view()(c, i, j)));
      }
  for (const CropBox& to : {CropBox{-0.5, -0.5, 0.1, 0.1}, {0.9, 0.9, 3, 3}, {2, 2, 3, 3}, {0.5, 0.5, 0.5, 0.5}})
    augmenter.cover(crop.view(), {.to = to, .from_x = 0.9, .from_y = 0.9});  // the sanitizers look
}

TEST_CASE("augment: motion blur keeps the mean, goes along its line and is a point spread of 1") {
  Augmenter augmenter;
  Tensor<float> flat({3, S, S});
  std::fill_n(flat.data(), flat.numel(), 0.4f);
  augmenter.apply(flat.view(), {.motion = 0.3, .motion_direction = 0.9});
  for (std::int64_t i = 0; i < flat.numel(); ++i) CHECK(std::abs(flat.data()[i] - 0.4f) < 1e-6f);
  for (const double direction : {0.0, 0.4, std::numbers::pi / 4, 1.2, std::numbers::pi / 2, 2.8})
    for (const double length : {0.5, 3.0, 7.5}) {
      Tensor<float> point({3, S, S});
      std::fill_n(point.data(), point.numel(), 0.0f);
      point.view()(1, 12, 11) = 1;
      augmenter.apply(point.view(), {.motion = length / S, .motion_direction = direction});
      double sum = 0, x = 0, y = 0, along = 0, aside = 0;
      for (std::int64_t i = 0; i < S; ++i)
        for (std::int64_t j = 0; j < S; ++j) {
          const double v = static_cast<double>(point.view()(1, i, j)), right = static_cast<double>(j - 11),
                       down = static_cast<double>(i - 12);
          sum += v, x += v * right, y += v * down;
          along += v * std::pow(right * std::cos(direction) + down * std::sin(direction), 2);
          aside += v * std::pow(right * std::sin(direction) - down * std::cos(direction), 2);
        }
      CHECK(std::abs(sum - 1) < 1e-6);
      CHECK(std::abs(x) < 1e-6);
      CHECK(std::abs(y) < 1e-6);
      if (length > 1) CHECK(std::abs(std::sqrt(12 * along) - length) < 0.8);  // of a uniform line, and pixels
      CHECK(aside < 0.26);                                                    // less than a pixel thick
    }
}

TEST_CASE("augment: low resolution keeps flat crops and the mean, and takes away what is fine") {
  Augmenter augmenter;
  Tensor<float> flat({3, S, S});
  std::fill_n(flat.data(), flat.numel(), 0.4f);
  for (const double factor : {1.0, 1.01, 1.7, 3.0, 100.0}) {
    augmenter.apply(flat.view(), {.low_resolution = factor});
    for (std::int64_t i = 0; i < flat.numel(); ++i) CHECK(std::abs(flat.data()[i] - 0.4f) < 1e-6f);
  }
  Tensor<float> crop = ramp();
  const double before = deviation(crop), centre = mean(crop);
  augmenter.apply(crop.view(), {.low_resolution = 3});
  CHECK(deviation(crop) < 0.5 * before);
  CHECK(std::abs(mean(crop) - centre) < 0.02);
  // A slope stays a slope, but for the edges, where the outermost pixels go on.
  for (std::int64_t c = 0; c < 3; ++c)
    for (std::int64_t i = 0; i < S; ++i)
      for (std::int64_t j = 0; j < S; ++j) crop.view()(c, i, j) = static_cast<float>(i + 2 * j) / 100;
  augmenter.apply(crop.view(), {.low_resolution = 2.5});
  for (std::int64_t i = 3; i < S - 3; ++i)
    for (std::int64_t j = 3; j < S - 3; ++j)
      CHECK(std::abs(crop.view()(2, i, j) - static_cast<float>(i + 2 * j) / 100) < 1e-2f);
}

TEST_CASE("augment: a patch is copied, and leaves out what lies outside") {
  const Tensor<float> before = ramp();
  Tensor<float> crop = ramp(), patch({3, 8, 8});
  std::fill_n(patch.data(), patch.numel(), 2.0f);
  const CropBox to{0.25, 0.5, 0.5, 0.75 + 1.0 / 12};
  REQUIRE(Augmenter::patch_size(to, S) == 8);
  Augmenter::cover(crop.view(), to, patch.view());
  for (std::int64_t c = 0; c < 3; ++c)
    for (std::int64_t i = 0; i < S; ++i)
      for (std::int64_t j = 0; j < S; ++j)
        CHECK(crop.view()(c, i, j) == (i >= 12 && i < 20 && j >= 6 && j < 12 ? 2.0f : before.view()(c, i, j)));
  for (const CropBox& outside : {CropBox{-0.5, -0.5, 0.1, 0.1}, {0.9, 0.9, 9, 9}, {2, 2, 3, 3}, {-3, 0.2, 3, 0.3}}) {
    const std::int64_t n = Augmenter::patch_size(outside, S);
    CHECK(n <= S);
    Tensor<float> fitting({3, n, n});
    Augmenter::cover(crop.view(), outside, fitting.view());  // the sanitizers look
  }
}
