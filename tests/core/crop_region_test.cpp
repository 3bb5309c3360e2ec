// The geometry of crops.
#include "detrack/core/crop_region.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "detrack/core/rng.hpp"

using namespace detrack;

namespace {

/// Log-uniform between two bounds.
double between(Philox& random, double low, double high) {
  return low * std::pow(high / low, random.uniform());
}

}  // namespace

TEST_CASE("the side of a crop is rounded up and kept within bounds") {
  CHECK(crop_around({10, 20, 30, 30}, 4).side == 120);
  CHECK(crop_around({10, 20, 30, 31}, 4).side == std::ceil(4 * std::sqrt(930.0)));
  CHECK(crop_around({10, 20, 30.2, 30.2}, 4).side == 121);
  CHECK(crop_around({0, 0, 0.1, 0.1}, 4).side == 1);
  CHECK(crop_around({0, 0, 1, 1}, 0.25).side == 1);
  CHECK(crop_around({0, 0, 1e6, 1e6}, 4).side == 1e5);
  CHECK(crop_around({0, 0, 1e300, 1e300}, 4).side == 1e5);
  CHECK(crop_around({0, 0, 0, 5}, 4).side == 1);
}

TEST_CASE("a crop is centred on its box, to the last bit") {
  const CropRegion region = crop_around({10.3, 20.7, 5.1, 7.9}, 2);
  CHECK(region.centre_x == 10.3 + 5.1 / 2);
  CHECK(region.centre_y == 20.7 + 7.9 / 2);
  CHECK(region.left() == region.centre_x - region.side / 2);
  CHECK(region.top() == region.centre_y - region.side / 2);
}

TEST_CASE("crop units, worked out by hand") {
  const CropRegion region{100, 50, 40};  // from (80, 30) to (120, 70)
  const CropBox box = to_crop({80, 30, 40, 40}, region);
  CHECK(box == CropBox{0, 0, 1, 1});
  CHECK(to_crop({90, 40, 20, 10}, region) == CropBox{0.25, 0.25, 0.75, 0.5});
  CHECK(to_frame({0.25, 0.25, 0.75, 0.5}, region) == Box{90, 40, 20, 10});
  CHECK(to_frame({0.75, 0.5, 0.25, 0.25}, region) == Box{110, 50, -20, -10});
}

TEST_CASE("a box into a crop and back is itself to 1e-9 pixels") {
  Philox random(2);
  double worst = 0;
  const auto check = [&](const Box& box, const CropRegion& region) {
    const Box back = to_frame(to_crop(box, region), region);
    for (const double difference : {back.x - box.x, back.y - box.y, back.w - box.w, back.h - box.h})
      worst = std::max(worst, std::abs(difference));
  };
  for (int i = 0; i < 100000; ++i) {
    // Frames up to 16k, boxes from a hundredth of a pixel to larger than the frame, at its borders and beyond.
    const double width = between(random, 1, 16384), height = between(random, 1, 16384);
    const Box box{(random.uniform() * 1.4 - 0.2) * width, (random.uniform() * 1.4 - 0.2) * height,
                  between(random, 0.01, 3e4), between(random, 0.01, 3e4)};
    for (const double factor : {2.0, 4.0, 5.0}) {
      const CropRegion region = crop_around(box, factor);
      check(box, region);
      // Another box in the same crop: the next frame's.
      check({box.x + random.normal() * box.w, box.y + random.normal() * box.h, box.w * between(random, 0.5, 2), box.h},
            region);
    }
  }
  for (const Box& box : {Box{0, 0, 1, 1}, Box{16383, 8639, 1, 1}, Box{0.3, 0.7, 1, 1}, Box{-5000, -5000, 30000, 20000}})
    check(box, crop_around(box, 4));
  CHECK(worst < 1e-9);
}

TEST_CASE("clipping to the frame, worked out by hand") {
  CHECK(clip_to_frame({10, 20, 30, 40}, 200, 100) == Box{10, 20, 30, 40});    // inside: untouched
  CHECK(clip_to_frame({-10, 20, 30, 40}, 200, 100) == Box{0, 20, 20, 40});    // cut on the left
  CHECK(clip_to_frame({180, 70, 30, 40}, 200, 100) == Box{180, 70, 20, 30});  // cut on the right, below
  CHECK(clip_to_frame({-50, 20, 30, 40}, 200, 100) == Box{0, 20, 10, 40});    // outside: 10 pixels at the edge
  CHECK(clip_to_frame({500, 20, 30, 40}, 200, 100) == Box{190, 20, 10, 40});
  CHECK(clip_to_frame({500, 20, 4, 40}, 200, 100) == Box{196, 20, 4, 40});  // of a box that is smaller itself
  CHECK(clip_to_frame({-1000, -1000, 5000, 5000}, 200, 100) == Box{0, 0, 200, 100});
  CHECK(clip_to_frame({500, 500, 30, 30}, 8, 6) == Box{5, 3, 3, 3});  // m = min(W, H) / 2
  CHECK(clip_to_frame({50, 20, -30, 40}, 200, 100) == Box{50, 20, 0, 40});
}

TEST_CASE("a clipped box lies in the frame and keeps its margin, however absurd it was") {
  Philox random(3);
  const auto check = [](const Box& box, double width, double height) {
    const Box c = clip_to_frame(box, width, height);
    const double w = std::max(box.w, 0.0), h = std::max(box.h, 0.0), m = std::min({10.0, w, h, width / 2, height / 2});
    const double slack = 1e-9;  // a box is kept as a corner and a side
    const Box again = clip_to_frame(c, width, height);
    const bool inside = c.finite() && c.x >= 0 && c.x <= width - m && c.y >= 0 && c.y <= height - m &&
                        c.right() >= m - slack && c.right() <= width + slack && c.bottom() >= m - slack &&
                        c.bottom() <= height + slack;
    const bool large = c.w >= m - slack && c.h >= m - slack;
    const bool settled =
        std::abs(again.x - c.x) + std::abs(again.y - c.y) + std::abs(again.w - c.w) + std::abs(again.h - c.h) < 1e-8;
    if (!inside || !large || !settled)
      FAIL_CHECK(box.x << ',' << box.y << ',' << box.w << ',' << box.h << " in " << width << 'x' << height << " gives "
                       << c.x << ',' << c.y << ',' << c.w << ',' << c.h);
  };
  for (int i = 0; i < 100000; ++i) {
    const double width = std::ceil(between(random, 1, 16384)), height = std::ceil(between(random, 1, 16384));
    const double scale = between(random, 1, 100);
    check({random.normal() * width * scale, random.normal() * height * scale, random.normal() * width * scale,
           random.normal() * height * scale},
          width, height);
    check({random.uniform() * width, random.uniform() * height, between(random, 1e-3, width), between(random, 1e-3, height)},
          width, height);
  }
  for (const double x : {-1e308, -1e20, 0.0, 1e20, 1e308})
    for (const double w : {-1e308, -1.0, 0.0, 1e-300, 1.0, 1e20, 1e308})
      for (const double width : {1.0, 7.0, 1920.0}) check({x, x, w, w}, width, 9), check({x, -x, w, 5}, width, 9);
}
