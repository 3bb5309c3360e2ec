// Boxes and their overlap.
#include "detrack/core/box.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "detrack/core/rng.hpp"

using namespace detrack;

namespace {

constexpr double kBoxInf = std::numeric_limits<double>::infinity(), kBoxNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("overlap of boxes, worked out by hand") {
  const Box a{10, 20, 4, 6};
  CHECK(iou(a, a) == 1);
  CHECK(iou(a, {12, 23, 4, 6}) == doctest::Approx(6.0 / 42));  // 2 x 3 in common
  CHECK(iou(a, {11, 21, 2, 3}) == doctest::Approx(6.0 / 24));  // inside
  CHECK(iou(a, {14, 20, 4, 6}) == 0);                          // side by side
  CHECK(iou(a, {100, 20, 4, 6}) == 0);
  CHECK(intersection(a, {12, 23, 4, 6}) == 6);
  CHECK(intersection(a, {14, 20, 4, 6}) == 0);
}

TEST_CASE("overlap is symmetric, in [0, 1], and what counting points says") {
  Philox random(1);
  for (int i = 0; i < 200; ++i) {
    const auto box = [&] {
      return Box{random.uniform() * 20, random.uniform() * 20, 1 + random.uniform() * 20, 1 + random.uniform() * 20};
    };
    const Box a = box(), b = box();
    CHECK(iou(a, b) == doctest::Approx(iou(b, a)).epsilon(1e-12));
    int both = 0, any = 0;
    for (int y = 0; y < 420; ++y)
      for (int x = 0; x < 420; ++x) {
        const double px = (x + 0.5) / 10, py = (y + 0.5) / 10;
        const auto in = [&](const Box& c) { return px >= c.x && px < c.right() && py >= c.y && py < c.bottom(); };
        both += in(a) && in(b) ? 1 : 0, any += in(a) || in(b) ? 1 : 0;
      }
    CHECK(iou(a, b) == doctest::Approx(static_cast<double>(both) / any).epsilon(0.05).scale(0.2));
  }
  for (int i = 0; i < 10000; ++i) {  // rounding must not lead beyond 1
    const Box a{random.normal() * 1e3, random.normal() * 1e3, random.uniform() * 100, random.uniform() * 100};
    REQUIRE(iou(a, a) <= 1);
    REQUIRE(iou(a, a) > 1 - 1e-9);
  }
}

TEST_CASE("the overlap of boxes that are none is 0, never NaN") {
  const Box good{0, 0, 10, 10};
  for (const double bad : {0.0, -1.0, kBoxNan, kBoxInf, -kBoxInf}) {
    CHECK(iou(good, {0, 0, bad, 10}) == 0);
    CHECK(iou({0, 0, 10, bad}, good) == 0);
  }
  for (const double bad : {kBoxNan, kBoxInf, -kBoxInf}) {
    CHECK(iou(good, {bad, 0, 10, 10}) == 0);
    CHECK_FALSE(Box{0, bad, 10, 10}.valid());
  }
  const Box huge{-1e200, -1e200, 2e200, 2e200}, tiny{0, 0, 1e-200, 1e-200}, far{1e308, 0, 1e308, 1};
  for (const Box& a : {huge, tiny, far, good})
    for (const Box& b : {huge, tiny, far}) {
      CHECK(iou(a, b) >= 0);
      CHECK(iou(a, b) <= 1);
    }
}
