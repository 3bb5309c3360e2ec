// Turned and stretched pictures: the map, boxes, and the pixels of crops.
#include "detrack/train/distortion.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "detrack/core/rng.hpp"
#include "detrack/core/tensor.hpp"
#include "detrack/cpu/backend.hpp"
#include "tests/train/bright_extent.hpp"

using namespace detrack;

namespace {

Image noise_picture(std::int64_t width, std::int64_t height) {
  Image image(width, height);
  Philox rng(3);
  for (std::int64_t i = 0; i < 3 * width * height; ++i) image.data()[i] = static_cast<std::uint8_t>(rng.next()[0]);
  return image;
}

Tensor<float> upright(const Image& image, const CropRegion& region, std::int64_t size) {
  auto ctx = cpu::make_context<float>({.threads = 1});
  Tensor<float> crop({3, size, size});
  ops::run(ctx, CropNormalise<float>{.frame = image.view().pixels(),
                                     .left = region.left(),
                                     .top = region.top(),
                                     .side = region.side,
                                     .y = crop.view()});
  return crop;
}

Tensor<float> cut(const Image& image, const CropRegion& region, const Distortion& by, std::int64_t size) {
  Tensor<float> crop({3, size, size});
  std::fill_n(crop.data(), crop.numel(), -1.0f);  // every pixel must be written
  CropPlan plan;
  plan.picture = {image.data(), image.height(), image.width()};
  plan.region = region;
  plan.distorted = true;
  plan.to_picture = by.inverse();
  auto ctx = cpu::make_context<float>({.threads = 1});
  ops::run(ctx, AugmentedCrops<float>{.plans = {&plan, {1}}, .y = crop.view().reshape({1, 3, size, size})});
  return crop;
}

double furthest(const Tensor<float>& a, const Tensor<float>& b) {
  double most = 0;
  for (std::int64_t i = 0; i < a.numel(); ++i)
    most = std::max(most, std::abs(static_cast<double>(a.data()[i]) - static_cast<double>(b.data()[i])));
  return most;
}

}  // namespace

TEST_CASE("distortion: areas stay, the inverse takes back, none changes no bit") {
  const Distortion by{.rotation = 0.7, .aspect = -0.4};
  const auto [a, b, c, d] = by.matrix();
  const auto [p, q, r, s] = by.inverse();
  CHECK(std::abs(a * d - b * c - 1) < 1e-12);
  CHECK(std::abs(a * p + b * r - 1) < 1e-12);
  CHECK(std::abs(a * q + b * s) < 1e-12);
  CHECK(std::abs(c * q + d * s - 1) < 1e-12);
  // A quarter turn to the right: what lay right lies below.
  const auto quarter = Distortion{.rotation = std::numbers::pi / 2}.matrix();
  CHECK(std::abs(quarter[0]) < 1e-12);
  CHECK(quarter[2] == 1);

  const Box box{10.1, 20.3, 30.7, 40.9};
  const CropRegion region = crop_around(box, 4);
  CHECK(distorted(box, {}) == box);
  CHECK(in_picture(region, 1, 2, {}) == region);
  CHECK(seen_in_picture(region, {}) == Box{region.left(), region.top(), region.side, region.side});
  CHECK(std::exp(by.aspect) ==
        doctest::Approx(distorted({0, 0, 5, 5}, {.aspect = -0.4}).w / distorted({0, 0, 5, 5}, {.aspect = -0.4}).h));
}

TEST_CASE("distortion: a box becomes that of the ellipse inscribed in it") {
  const Box box{10, 20, 30, 70};
  for (const Distortion by : {Distortion{0.3, 0}, {0, 0.5}, {-1.1, 0.3}, {2.5, -0.6}, {std::numbers::pi / 2, 0}}) {
    const auto [a, b, c, d] = by.matrix();
    double right = 0, down = 0;
    for (int k = 0; k < 20000; ++k) {
      const double angle = 2 * std::numbers::pi * k / 20000, x = 15 * std::cos(angle), y = 35 * std::sin(angle);
      right = std::max(right, a * x + b * y), down = std::max(down, c * x + d * y);
    }
    const Box now = distorted(box, by);
    CHECK(std::abs(now.w - 2 * right) < 1e-4);
    CHECK(std::abs(now.h - 2 * down) < 1e-4);
    CHECK(std::abs(now.centre_x() - 25) < 1e-9);
    CHECK(std::abs(now.centre_y() - 55) < 1e-9);
  }
}

TEST_CASE("distorted crop: without a distortion it is CropNormalise, inside the picture, across its edges and beyond") {
  const Image image = noise_picture(61, 47);
  for (const CropRegion region : {CropRegion{30.3, 22.7, 20.9},
                                  {30, 23, 47},
                                  {30, 20, 150},
                                  {1.2, 45.8, 33},
                                  {61, 10, 5},
                                  {30, 24, 3},
                                  {400, 400, 30},
                                  {-20, 20, 41},
                                  {30.5, 23.5, 32}})
    for (const std::int64_t size : {32, 7, 1})
      CHECK(furthest(cut(image, region, {}, size), upright(image, region, size)) < 2e-6);
  for (const std::int64_t side : {1, 2, 3}) {  // smaller than what is read at once
    const Image tiny = noise_picture(side, side);
    CHECK(furthest(cut(tiny, {0.7, 0.9, 4}, {}, 16), upright(tiny, {0.7, 0.9, 4}, 16)) < 2e-6);
    cut(tiny, {0.7, 0.9, 4}, {0.4, 0.2}, 16);  // the sanitizers look
  }
}

TEST_CASE("distorted crop: a quarter turn is a crop of the turned picture") {
  const Image image = noise_picture(61, 47);
  Image turned(47, 61);  // clockwise: the left column becomes the top row, bottom first
  for (std::int64_t y = 0; y < 61; ++y)
    for (std::int64_t x = 0; x < 47; ++x) std::copy_n(image.pixel(46 - x, y), 3, turned.pixel(y, x));
  for (const CropRegion region : {CropRegion{30.3, 22.7, 20.9}, {20, 30, 70}, {2, 2, 19}}) {
    const CropRegion there{47 - region.centre_y, region.centre_x, region.side};
    CHECK(furthest(cut(image, region, {.rotation = std::numbers::pi / 2}, 32), upright(turned, there, 32)) < 2e-6);
  }
}

TEST_CASE("distorted crop: samples lie where the inverse map says") {
  // A ramp: bilinear samples are exact, and tell where they come from.
  Image image(200, 180);
  for (std::int64_t y = 0; y < 180; ++y)
    for (std::int64_t x = 0; x < 200; ++x) {
      image.pixel(y, x)[0] = static_cast<std::uint8_t>(x);
      image.pixel(y, x)[1] = static_cast<std::uint8_t>(y);
    }
  const CropRegion region{103.3, 84.9, 60};
  const Distortion by{-0.6, 0.5};
  const auto [a, b, c, d] = by.inverse();
  const Tensor<float> crop = cut(image, region, by, 40);
  for (std::int64_t i = 0; i < 40; ++i)
    for (std::int64_t j = 0; j < 40; ++j) {
      const double u = 60 * ((static_cast<double>(j) + 0.5) / 40 - 0.5),
                   v = 60 * ((static_cast<double>(i) + 0.5) / 40 - 0.5);
      CHECK(std::abs(255 * static_cast<double>(crop.view()(0, i, j)) - (103.3 + a * u + b * v - 0.5)) < 1e-3);
      CHECK(std::abs(255 * static_cast<double>(crop.view()(1, i, j)) - (84.9 + c * u + d * v - 0.5)) < 1e-3);
      CHECK(crop.view()(2, i, j) == 0);
    }
}

TEST_CASE("distorted crop: an ellipse has the extent that its box is given") {
  const Box box{70, 60, 36, 64};
  const Image image = test::bright_ellipse(200, 180, box);
  for (const Distortion by : {Distortion{0.3, 0}, {0, 0.4}, {-1.1, 0.3}, {2.5, -0.6}}) {
    const Box now = distorted(box, by);
    const CropRegion region{now.centre_x() + 11, now.centre_y() - 7, 130};  // of the distorted picture
    const CropRegion there = in_picture(region, box.centre_x(), box.centre_y(), by);
    const CropBox seen = test::bright_extent(cut(image, there, by, 130).view()), expected = to_crop(now, region);
    for (std::size_t k = 0; k < 4; ++k) CHECK(std::abs(seen[k] - expected[k]) * 130 < 1.5);
  }
}
