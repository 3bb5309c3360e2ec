// Crops changed for training: what each stage does, by hand and by what must stay.
#include "tests/ops/cases/augmented_crops.hpp"

#include <cmath>
#include <numbers>

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

namespace {

constexpr std::int64_t kSide = 24;

/// A square picture whose crop, as `plan` has it at first, is its pixels as they are.
struct Square {
  std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(3 * kSide * kSide);

  /// Values that differ from pixel to pixel and channel to channel.
  static Square ramp() {
    Square square;
    for (std::size_t i = 0; i < square.bytes.size(); ++i) square.bytes[i] = static_cast<std::uint8_t>(i * 37 % 251);
    return square;
  }
  static Square flat(int value) {
    Square square;
    std::fill(square.bytes.begin(), square.bytes.end(), static_cast<std::uint8_t>(value));
    return square;
  }

  RgbPicture picture() const { return {bytes.data(), kSide, kSide}; }
  std::uint8_t& operator()(std::int64_t c, std::int64_t i, std::int64_t j) {
    return bytes[static_cast<std::size_t>(3 * (i * kSide + j) + c)];
  }
  double value(std::int64_t c, std::int64_t i, std::int64_t j) const {
    return bytes[static_cast<std::size_t>(3 * (i * kSide + j) + c)] / 255.0;
  }
  CropPlan plan() const {
    CropPlan plan;
    plan.picture = picture();
    plan.region = {kSide / 2.0, kSide / 2.0, kSide};
    return plan;
  }
  CropPlan plan(const Photometric& p) const {
    CropPlan changed = plan();
    changed.photometric = p;
    return changed;
  }
};

/// (3, S, S), neither mean nor deviation taken away.
struct Crop {
  std::int64_t S;
  std::vector<double> values;

  double operator()(std::int64_t c, std::int64_t i, std::int64_t j) const {
    return values[static_cast<std::size_t>((c * S + i) * S + j)];
  }
  double mean() const {
    double sum = 0;
    for (const double x : values) sum += x;
    return sum / static_cast<double>(values.size());
  }
  double deviation() const {
    double sum = 0;
    for (const double x : values) sum += std::pow(x - mean(), 2);
    return std::sqrt(sum / static_cast<double>(values.size()));
  }
};

Crop crop_of(const CropPlan& plan, std::int64_t S = kSide) {
  plan.check();
  auto ctx = reference_context<double>();
  Crop crop{S, std::vector<double>(static_cast<std::size_t>(3 * S * S))};
  ops::run(ctx, AugmentedCrops<double>{.plans = {&plan, {1}}, .y = {crop.values.data(), {1, 3, S, S}}});
  return crop;
}

/// Checks every value against expected(c, i, j).
template <class F>
void expect(const Crop& crop, F&& expected, double bound = 1e-12) {
  double worst = 0;
  for (std::int64_t c = 0; c < 3; ++c)
    for (std::int64_t i = 0; i < crop.S; ++i)
      for (std::int64_t j = 0; j < crop.S; ++j) worst = std::max(worst, std::abs(crop(c, i, j) - expected(c, i, j)));
  CHECK(worst <= bound);
}

}  // namespace

TEST_CASE("augmented crops") {
  check_op(augmented_crops_cases());
}

TEST_CASE("augmented crops: without changes the crop of CropNormalise, mirrored on demand") {
  const Square square = Square::ramp();
  expect(crop_of(square.plan()), [&](auto c, auto i, auto j) { return square.value(c, i, j); });
  auto ctx = reference_context<double>();
  for (const CropRegion& region : {CropRegion{9.3, 14.1, 7.7}, {2, 23, 30.5}, {-4, 5, 12}}) {
    CropPlan plan = square.plan();
    plan.region = region;
    std::vector<double> values(3 * 81), mean(3), mirrored(3 * 81);
    const View<double> y(values.data(), {3, 9, 9}), flipped(mirrored.data(), {1, 3, 9, 9});
    const std::array<double, 3> means{0.4, 0.5, 0.6}, deviations{0.2, 0.3, 0.1};
    ops::run(ctx, CropNormalise<double>{.frame = square.picture().pixels(),
                                        .left = region.left(),
                                        .top = region.top(),
                                        .side = region.side,
                                        .mean = means,
                                        .std = deviations,
                                        .y = y});
    plan.flip = true;
    ops::run(ctx, AugmentedCrops<double>{.plans = {&plan, {1}}, .mean = means, .std = deviations, .y = flipped});
    for (std::int64_t c = 0; c < 3; ++c)
      for (std::int64_t i = 0; i < 9; ++i)
        for (std::int64_t j = 0; j < 9; ++j) CHECK(std::abs(y(c, i, j) - flipped(0, c, i, 8 - j)) < 1e-12);
  }
}

TEST_CASE("augmented crops: a quarter turn, by hand, and a stretch that leaves the middle row where it was") {
  const Square square = Square::ramp();
  CropPlan plan = square.plan();
  plan.distorted = true;
  plan.to_picture = {0, 1, -1, 0};  // what lies right in the crop lies above in the picture
  expect(crop_of(plan), [&](auto c, auto i, auto j) { return square.value(c, kSide - 1 - j, i); });
  plan.to_picture = {1, 0, 0, 2};
  const Crop tall = crop_of(plan);
  for (std::int64_t j = 0; j < kSide; ++j) {  // rows 11 and 12 lie one pixel above and below the middle
    CHECK(std::abs(tall(1, 11, j) - (square.value(1, 10, j) + square.value(1, 11, j)) / 2) < 1e-12);
    CHECK(std::abs(tall(1, 12, j) - (square.value(1, 12, j) + square.value(1, 13, j)) / 2) < 1e-12);
    CHECK(tall(1, 0, j) == 0);  // black beyond the picture
  }
}

TEST_CASE("augmented crops: gains, gamma and gray as written down, cut to [0, 1]") {
  const Square square = Square::ramp();
  expect(
      crop_of(square.plan({.gamma = 1.5, .gain = {1.2, 0.8, 1}})),
      [&](auto c, auto i, auto j) {
        return std::min((c == 0 ? 1.2 : c == 1 ? 0.8 : 1) * std::pow(square.value(c, i, j), 1.5), 1.0);
      },
      2e-3);
  expect(crop_of(square.plan({.grayscale = true})), [&](auto, auto i, auto j) {
    return 0.299 * square.value(0, i, j) + 0.587 * square.value(1, i, j) + 0.114 * square.value(2, i, j);
  });
  Square extremes;
  for (std::size_t i = 0; i < extremes.bytes.size(); ++i) extremes.bytes[i] = i % 2 ? 255 : 0;
  expect(
      crop_of(extremes.plan({.gamma = 0.7})), [&](auto c, auto i, auto j) { return extremes.value(c, i, j); }, 0);
}

TEST_CASE("augmented crops: blur keeps the mean and flat crops, and is a Gaussian") {
  expect(crop_of(Square::flat(102).plan({.blur = 1.2})), [](auto, auto, auto) { return 0.4; });
  const Crop before = crop_of(Square::ramp().plan()), after = crop_of(Square::ramp().plan({.blur = 1}));
  CHECK(after.deviation() < 0.8 * before.deviation());
  CHECK(std::abs(after.mean() - before.mean()) < 0.02);
  Square point;
  point(1, 12, 11) = 255;
  const Crop spread = crop_of(point.plan({.blur = 1.5}));
  for (const auto& [i, j] : {std::array{0, 1}, {2, 0}, {-3, 2}, {4, 4}})
    CHECK(spread(1, 12 + i, 11 + j) / spread(1, 12, 11) == doctest::Approx(std::exp(-(i * i + j * j) / (2 * 1.5 * 1.5))));
  CHECK(spread(1, 12, 16) == 0);  // 5 away: beyond ceil(2.5 deviations)
  CHECK(spread(0, 12, 11) == 0);
}

TEST_CASE("augmented crops: noise has its deviation and hangs on its seed and the value's number alone") {
  const Square flat = Square::flat(102);
  const Crop noisy = crop_of(flat.plan({.noise = 0.05, .noise_seed = 7}));
  CHECK(std::abs(noisy.deviation() - 0.05) < 0.005);
  CHECK(std::abs(noisy.mean() - 0.4) < 0.005);
  const std::int64_t number = (1 * kSide + 5) * kSide + 3;  // channel 1, row 5, column 3
  const std::uint32_t word = Philox(7).at(number / 4)[number % 4];
  double sum = -510;
  for (int byte = 0; byte < 4; ++byte) sum += word >> (8 * byte) & 255;
  CHECK(noisy(1, 5, 3) == doctest::Approx(0.4 + sum * 0.05 / 147.8));
  CHECK_FALSE(crop_of(flat.plan({.noise = 0.05, .noise_seed = 8})).values == noisy.values);
  CropPlan mirrored = flat.plan({.noise = 0.05, .noise_seed = 7});
  mirrored.flip = true;  // mirrored after the noise
  expect(crop_of(mirrored), [&](auto c, auto i, auto j) { return noisy(c, i, kSide - 1 - j); });
  const Crop strong = crop_of(flat.plan({.noise = 4}));
  CHECK(*std::min_element(strong.values.begin(), strong.values.end()) == 0);
  CHECK(*std::max_element(strong.values.begin(), strong.values.end()) == 1);
}

TEST_CASE("augmented crops: an occluder copies a rectangle, and leaves out what lies outside") {
  const Square square = Square::ramp();
  CropPlan plan = square.plan();
  plan.occluded = true;
  plan.occluder = {.to = {0.25, 0.5, 0.5, 0.75}, .from_x = 0.5, .from_y = 0};
  expect(crop_of(plan), [&](auto c, auto i, auto j) {
    const bool covered = i >= 12 && i < 18 && j >= 6 && j < 12;
    return covered ? square.value(c, i - 12, j + 6) : square.value(c, i, j);
  });
  plan.occluder = {.to = {0.75, 0.75, 3, 3}, .from_x = 0.875, .from_y = 0.5};  // source columns end at the crop's edge
  expect(crop_of(plan), [&](auto c, auto i, auto j) {
    const bool covered = i >= 18 && j >= 18 && j < 21;
    return covered ? square.value(c, i - 6, j + 3) : square.value(c, i, j);
  });
}

TEST_CASE("augmented crops: patches show their pictures pixel by pixel, the last one on top, and end at the crop's edge") {
  const Square square = Square::ramp(), first = Square::flat(51), second = Square::flat(204);
  CropPlan plan = square.plan();
  plan.patches = 2;
  plan.patch[0] = {first.picture(), {12, 12, 4}, {0.25, 0.5, 0.5, 0.75 + 1.0 / 12}};  // rows 12 to 19, columns 6 to 11
  plan.patch[1] = {second.picture(), {12, 12, 4}, {-0.25, 0.75, 0.375, 2}};           // from row 18 on, columns up to 8
  expect(crop_of(plan), [&](auto c, auto i, auto j) {
    if (i >= 18 && j < 9) return 0.8;
    return i >= 12 && i < 20 && j >= 6 && j < 12 ? 0.2 : square.value(c, i, j);
  });
  // A patch whose square is as many pixels as its picture's: they come as they are, its corner first.
  plan.patches = 1;
  plan.patch[0] = {square.picture(), {4, 4, 8}, {0.5, 0.25, 0.5 + 4.0 / 24, 0.25 + 8.0 / 24}};
  expect(crop_of(plan), [&](auto c, auto i, auto j) {
    const bool covered = i >= 6 && i < 14 && j >= 12 && j < 16;
    return covered ? square.value(c, i - 6, j - 12) : square.value(c, i, j);
  });
}

TEST_CASE("augmented crops: motion blur keeps the mean, goes along its line and is a point spread of 1") {
  expect(crop_of(Square::flat(102).plan({.motion = 0.3, .motion_direction = 0.9})), [](auto, auto, auto) { return 0.4; });
  Square point;
  point(1, 12, 11) = 255;
  for (const double direction : {0.0, 0.4, std::numbers::pi / 4, 1.2, std::numbers::pi / 2, 2.8})
    for (const double length : {0.5, 3.0, 7.5}) {
      const Crop spread = crop_of(point.plan({.motion = length / kSide, .motion_direction = direction}));
      double sum = 0, x = 0, y = 0, along = 0, aside = 0;
      for (std::int64_t i = 0; i < kSide; ++i)
        for (std::int64_t j = 0; j < kSide; ++j) {
          const double v = spread(1, i, j), right = static_cast<double>(j - 11), down = static_cast<double>(i - 12);
          sum += v, x += v * right, y += v * down;
          along += v * std::pow(right * std::cos(direction) + down * std::sin(direction), 2);
          aside += v * std::pow(right * std::sin(direction) - down * std::cos(direction), 2);
        }
      CHECK(std::abs(sum - 1) < 1e-12);
      CHECK(std::abs(x) < 1e-12);
      CHECK(std::abs(y) < 1e-12);
      if (length > 1) CHECK(std::abs(std::sqrt(12 * along) - length) < 0.8);  // of a uniform line, and pixels
      CHECK(aside < 0.26);                                                    // less than a pixel thick
    }
}

TEST_CASE("augmented crops: low resolution keeps flat crops and the mean, and takes away what is fine") {
  for (const double factor : {1.0, 1.01, 1.7, 3.0, 100.0})
    expect(crop_of(Square::flat(102).plan({.low_resolution = factor})), [](auto, auto, auto) { return 0.4; });
  const Crop before = crop_of(Square::ramp().plan()), after = crop_of(Square::ramp().plan({.low_resolution = 3}));
  CHECK(after.deviation() < 0.5 * before.deviation());
  CHECK(std::abs(after.mean() - before.mean()) < 0.02);
  // A slope stays a slope, but for the edges, where the outermost pixels go on.
  Square slope;
  for (std::int64_t i = 0; i < kSide; ++i)
    for (std::int64_t j = 0; j < kSide; ++j) slope(2, i, j) = static_cast<std::uint8_t>(3 * (i + 2 * j));
  const Crop low = crop_of(slope.plan({.low_resolution = 2.5}));
  for (std::int64_t i = 3; i < kSide - 3; ++i)
    for (std::int64_t j = 3; j < kSide - 3; ++j) CHECK(std::abs(low(2, i, j) - slope.value(2, i, j)) < 1e-2);
  // Half as many pixels, by hand: the mean of four, then a quarter of the next small pixel.
  const Square ramp = Square::ramp();
  const Crop half = crop_of(ramp.plan({.low_resolution = 2}));
  const auto small = [&](std::int64_t i, std::int64_t j) {
    return (ramp.value(0, 2 * i, 2 * j) + ramp.value(0, 2 * i, 2 * j + 1) + ramp.value(0, 2 * i + 1, 2 * j) +
            ramp.value(0, 2 * i + 1, 2 * j + 1)) /
           4;
  };
  CHECK(half(0, 0, 0) == doctest::Approx(small(0, 0)));
  CHECK(half(0, 0, 5) == doctest::Approx(0.75 * small(0, 2) + 0.25 * small(0, 3)));
  CHECK(half(0, 6, 0) == doctest::Approx(0.75 * small(3, 0) + 0.25 * small(2, 0)));
}

TEST_CASE("augmented crops: plans out of their range are refused") {
  const Square square = Square::ramp();
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  const auto refused = [&](const std::string& what, const std::function<void(CropPlan&)>& change) {
    CropPlan plan = square.plan();
    plan.check();
    change(plan);
    require(throws(ErrorCode::argument, "crop plan: " + what + ": expected ", [&] { plan.check(); }));
  };
  refused("picture", [](CropPlan& p) { p.picture.width = 0; });
  refused("picture", [](CropPlan& p) { p.patches = 1, p.patch[0].from = {1, 1, 1}; });
  refused("patches", [](CropPlan& p) { p.patches = 3; });
  refused("side", [](CropPlan& p) { p.region.side = 0; });
  refused("side", [](CropPlan& p) { p.region.side = 1e10; });
  refused("gain", [](CropPlan& p) { p.photometric.gain[1] = -1; });
  refused("gamma", [](CropPlan& p) { p.photometric.gamma = 0; });
  refused("low_resolution", [](CropPlan& p) { p.photometric.low_resolution = 0.5; });
  refused("motion, blur, noise", [](CropPlan& p) { p.photometric.noise = -0.1; });
  for (const double bad : {nan, inf}) {
    refused("region", [=](CropPlan& p) { p.region.centre_y = bad; });
    refused("to_picture", [=](CropPlan& p) { p.to_picture[2] = bad; });
    refused("occluder", [=](CropPlan& p) { p.occluder.to[0] = bad; });
    refused("motion_direction", [=](CropPlan& p) { p.photometric.motion_direction = bad; });
    refused("motion, blur, noise", [=](CropPlan& p) { p.photometric.blur = bad; });
  }
}
