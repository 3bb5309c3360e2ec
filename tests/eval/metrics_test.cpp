// The measures of single frames and the curves, against values worked out by hand.
#include "detrack/eval/metrics.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "detrack/core/rng.hpp"

using namespace detrack;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

bool misses(double overlap) {
  std::vector<std::int64_t> hits;
  count_hits(std::vector<double>{overlap}, linspace(0, 1, 21), Hit::above, hits);
  return hits == std::vector<std::int64_t>(21, 0);
}

}  // namespace

TEST_CASE("metrics: overlaps of boxes that a person can count") {
  const Box a{0, 0, 4, 4};
  for (const auto overlap : {toolkit_overlap, pytracking_overlap, trackingnet_overlap}) {
    CHECK(overlap({2, 0, 4, 4}, a) == doctest::Approx(8.0 / 24).epsilon(1e-14));
    CHECK(overlap({1, 1, 2, 2}, a) == doctest::Approx(4.0 / 16).epsilon(1e-14));
    CHECK(overlap({4, 0, 4, 4}, a) == 0);  // touching
    CHECK(overlap({-9, -9, 4, 4}, a) == 0);
    CHECK(overlap(a, a) == 1);
    CHECK(misses(overlap(no_box(), a)));
  }
  CHECK(toolkit_overlap({0, 0, 0, 0}, {0, 0, 0, 0}) == 0);
  CHECK(std::isnan(trackingnet_overlap({0, 0, 0, 0}, {0, 0, 0, 0})));
  CHECK(toolkit_overlap({3, 3, -2, 2}, a) == 0);
  const Box endless{0, 0, 1e200, 1e200};
  CHECK(misses(toolkit_overlap(endless, endless)));
  // An area of 1e-8 is not small against 2^-52; one of 2^-52 is.
  const double side = std::ldexp(1.0, -26);
  CHECK(toolkit_overlap({0, 0, side, side}, {0, 0, side, side}) == 0.5);
  CHECK(pytracking_overlap({0, 0, 1, 1}, {0, 0, 1, 1}) == 1);
}

TEST_CASE("metrics: every product is rounded before it is summed, as numpy rounds it") {
  Philox random(3, 0);
  const auto number = [&] { return static_cast<double>(1 + random.below(99999)) / 1000; };
  const auto area = [](double w, double h) {
    volatile double rounded = w * h;  // what a compiler may not fuse with the sums below
    return rounded;
  };
  const auto overlap = [](double x, double y, double common) {
    volatile double sum = x + y;
    volatile double both = sum - common;
    return common / both;
  };
  for (int i = 0; i < 2000; ++i) {
    const Box a{0, 0, number(), number()}, b{0, 0, number(), number()};
    const double common = area(std::min(a.w, b.w), std::min(a.h, b.h));
    CHECK(toolkit_overlap(a, b) == overlap(area(a.w, a.h), area(b.w, b.h), common));
    const Box c{a.w, a.h, 1, 1}, d{b.w, b.h, 1, 1};
    volatile double squares = area(c.x - d.x, c.x - d.x) + area(c.y - d.y, c.y - d.y);
    CHECK(centre_error(c, d) == std::sqrt(squares));
  }
}

TEST_CASE("metrics: centre errors") {
  const Box truth{10, 20, 8, 4};
  CHECK(centre_error({13, 24, 8, 4}, truth) == 5);
  CHECK(centre_error({10, 20, 14, 12}, truth) == 5);  // half of (6, 8)
  CHECK(toolkit_norm_error({12, 20, 8, 4}, truth) == 0.25);
  CHECK(toolkit_norm_error({10, 21, 8, 4}, truth) == 0.25);
  CHECK(pytracking_norm_error({12, 20, 8, 4}, truth) == 0.25);
  CHECK(trackingnet_norm_error({13, 22, 8, 4}, truth) == doctest::Approx(std::hypot(3.0 / 8, 0.5)).epsilon(1e-15));
  CHECK(toolkit_norm_error({3, 0, 0.5, 0.5}, {0, 0, 0.5, 0.5}) == 3);  // sides below 1 count as 1
  CHECK(pytracking_norm_error({3, 0, 0.5, 0.5}, {0, 0, 0.5, 0.5}) == 6);
  CHECK(std::isnan(centre_error(no_box(), truth)));
}

TEST_CASE("metrics: the toolkit's bounds move a negative corner and leave the sides") {
  CHECK(toolkit_bounded({-5, -6, 20, 30}, {100, 80}) == Box{0, 0, 20, 30});
  CHECK(toolkit_bounded({90, 70, 20, 30}, {100, 80}) == Box{90, 70, 10, 10});
  CHECK(toolkit_bounded({190, 170, 20, 30}, {100, 80}) == Box{100, 80, 0, 0});
  CHECK(toolkit_bounded({10, 10, -5, 300}, {100, 80}) == Box{10, 10, 0, 70});
}

TEST_CASE("metrics: whole pixels, halves to even") {
  CHECK(rounded({0.5, 1.5, 2.5, 3.49}) == Box{0, 2, 2, 3});
  CHECK(rounded({-0.5, -1.5, 2.51, 7}) == Box{-0.0, -2, 3, 7});
}

TEST_CASE("metrics: thresholds are the doubles that numpy has") {
  const auto success = linspace(0, 1, 21);
  CHECK(success.size() == 21);
  CHECK(success[3] == 0.15000000000000002);
  CHECK(success[10] == 0.5);
  CHECK(success[15] == 0.75);
  CHECK(success.back() == 1);
  CHECK(linspace(0, 1, 101)[75] == 0.75);
  CHECK(linspace(0, 0.5, 51)[35] == 0.35000000000000003);
  CHECK(fractions(51, 100)[35] == 0.35);
  CHECK(fractions(51, 100)[20] == 0.2);
  CHECK(linspace(0, 50, 21)[1] == 2.5);
  CHECK(linspace(2, 5, 0).empty());
  CHECK(linspace(2, 5, 1) == std::vector<double>{2});
  CHECK(linspace(2, 5, 2) == std::vector<double>{2, 5});
}

TEST_CASE("metrics: hits at a threshold that is met exactly, and of what is no number") {
  const std::vector<double> values{0.25, 0.5, 0.5, kNan, -1, std::numeric_limits<double>::infinity()};
  const std::vector<double> thresholds{0, 0.5, 1};
  std::vector<std::int64_t> above, at_least, at_most;
  count_hits(values, thresholds, Hit::above, above);
  count_hits(values, thresholds, Hit::at_least, at_least);
  count_hits(values, thresholds, Hit::at_most, at_most);
  CHECK(above == std::vector<std::int64_t>{4, 1, 1});
  CHECK(at_least == std::vector<std::int64_t>{4, 3, 1});
  CHECK(at_most == std::vector<std::int64_t>{1, 4, 4});
  count_hits(values, thresholds, Hit::above, above);  // adds
  CHECK(above == std::vector<std::int64_t>{8, 2, 2});
}

TEST_CASE("metrics: means and areas of curves") {
  CHECK(mean(std::vector<double>{1, 0.5, 0}) == 0.5);
  CHECK(unit_area(std::vector<double>{1, 0.5, 0}) == 0.5);
  CHECK(unit_area(std::vector<double>{1, 0, 0}) == 0.25);
  CHECK(mean(std::vector<double>{1, 0, 0}) == doctest::Approx(1.0 / 3));
  CHECK(unit_area(std::vector<double>(21, 1.0)) == 1);
}
