// Drawing: which pixels change, and that no box changes any others.
#include "detrack/image/draw.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "detrack/core/rng.hpp"
#include "tests/image/image_support.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;

namespace {

constexpr Colour kInk{255, 0, 0};

/// The image as rows of '#' (ink), '.' (black) and '?' (anything else).
std::string shape_of(const Image& image) {
  std::string text;
  for (std::int64_t y = 0; y < image.height(); ++y) {
    for (std::int64_t x = 0; x < image.width(); ++x) {
      const Colour c = test::colour_at(image, x, y);
      text += c == kInk ? '#' : c == Colour{} ? '.' : '?';
    }
    text += '\n';
  }
  return text;
}

std::string outline(const Box& box, int thickness) {
  Image image(8, 6);
  draw_rectangle(image, box, kInk, thickness);
  return shape_of(image);
}

std::string filled(const Box& box) {
  Image image(6, 4);
  fill_rectangle(image, box, kInk);
  return shape_of(image);
}

}  // namespace

TEST_CASE("outlines") {
  CHECK(outline({1, 1, 5, 4}, 1) ==
        "........\n"
        ".#####..\n"
        ".#...#..\n"
        ".#...#..\n"
        ".#####..\n"
        "........\n");
  CHECK(outline({2, 1, 5, 4}, 2) ==
        ".#######\n"
        ".#######\n"
        ".##...##\n"
        ".##...##\n"
        ".#######\n"
        ".#######\n");
  CHECK(outline({0, 0, 8, 6}, 3) ==
        "########\n"
        "########\n"
        "##....##\n"
        "##....##\n"
        "########\n"
        "########\n");
  CHECK(outline({-3, 2, 6, 20}, 1) ==
        "........\n"
        "........\n"
        "###.....\n"
        "..#.....\n"
        "..#.....\n"
        "..#.....\n");
  CHECK(outline({3, 2, 2, 2}, 9) == outline({-50, -50, 100, 100}, 200));  // all ink
  CHECK(outline({3.4, 2.4, 0, 0}, 1) ==
        "........\n"
        "........\n"
        "...#....\n"
        "........\n"
        "........\n"
        "........\n");
  CHECK(outline({-1, -1, 10, 8}, 1) == outline({0, 0, -1, 5}, 1));  // around the image: nothing
  Image image(4, 4);
  CHECK(test::error_of(ErrorCode::argument, [&] {
          draw_rectangle(image, {0, 0, 2, 2}, kInk, 0);
        }) == "draw_rectangle: thickness: expected at least 1 pixel, got 0");
}

TEST_CASE("filled rectangles cover the pixels whose centres they cover") {
  CHECK(filled({1, 1, 3, 2}) ==
        "......\n"
        ".###..\n"
        ".###..\n"
        "......\n");
  CHECK(filled({1.4, 0.6, 3, 2}) == filled({1, 1, 3, 2}));
  CHECK(filled({1.6, 0.4, 3, 2}) == filled({2, 0, 3, 2}));
  CHECK(filled({-7, -7, 9, 9}) == filled({0, 0, 2, 2}));
  CHECK(filled({-1e300, -1e300, 2e300, 2e300}) == filled({0, 0, 6, 4}));
}

TEST_CASE("opacity mixes colours") {
  Image image = test::plain_image(3, 1, {100, 200, 0});
  fill_rectangle(image, {0, 0, 1, 1}, {200, 0, 255}, 0.5);
  CHECK(test::colour_at(image, 0, 0) == Colour{150, 100, 128});
  CHECK(test::colour_at(image, 1, 0) == Colour{100, 200, 0});
  fill_rectangle(image, {1, 0, 1, 1}, {200, 0, 255}, 0);
  fill_rectangle(image, {1, 0, 1, 1}, {200, 0, 255}, -3);
  fill_rectangle(image, {1, 0, 1, 1}, {200, 0, 255}, std::nan(""));
  CHECK(test::colour_at(image, 1, 0) == Colour{100, 200, 0});
  fill_rectangle(image, {1, 0, 1, 1}, {200, 0, 255}, 1e9);
  CHECK(test::colour_at(image, 1, 0) == Colour{200, 0, 255});
}

TEST_CASE("absurd boxes draw nothing, or only what lies inside") {
  constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const std::string empty = filled({50, 50, 1, 1});
  CHECK(empty.find('#') == std::string::npos);
  for (const Box& box :
       {Box{nan, 0, 2, 2}, Box{0, nan, 2, 2}, Box{0, 0, nan, 2}, Box{0, 0, 2, nan}, Box{0, 0, -1, 2}, Box{0, 0, 2, -inf},
        Box{-inf, 0, inf, 2}, Box{inf, 0, 1, 1}, Box{1e300, 1e300, 1e300, 1e300}, Box{-1e308, 0, 5, 5}})
    CHECK(filled(box) == empty);
  CHECK(filled({2, 1, inf, inf}) == filled({2, 1, 100, 100}));
  Philox random(6);
  for (int i = 0; i < 2000; ++i) {  // the sanitizers watch
    const double scale = std::pow(10, random.uniform() * 300 - 5);
    const Box box{random.normal() * scale, random.normal() * scale, random.normal() * scale, random.normal() * scale};
    Image image(9, 7);
    draw_rectangle(image, box, kInk, 1 + static_cast<int>(random.below(2)) * std::numeric_limits<int>::max() / 2);
    fill_rectangle(image, box, kInk, random.normal());
  }
  Image none;
  draw_rectangle(none, {0, 0, 5, 5}, kInk);
  fill_rectangle(none, {0, 0, 5, 5}, kInk);
}

TEST_CASE("an image into another, cut at the edges") {
  const Image stamp = test::plain_image(3, 2, kInk);
  const auto stamped = [&](std::int64_t x, std::int64_t y) {
    Image image(5, 4);
    draw_image(image, stamp, x, y);
    return shape_of(image);
  };
  CHECK(stamped(1, 1) == ".....\n.###.\n.###.\n.....\n");
  CHECK(stamped(-2, -1) == "#....\n.....\n.....\n.....\n");
  CHECK(stamped(4, 3) == ".....\n.....\n.....\n....#\n");
  const std::string empty = stamped(5, 0);
  CHECK(empty.find('#') == std::string::npos);
  for (const std::int64_t far : {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    CHECK(stamped(far, 0) == empty);
    CHECK(stamped(0, far) == empty);
  }
  // The right part of it.
  Image gradient(3, 1), image(2, 1);
  for (int x = 0; x < 3; ++x) gradient.pixel(0, x)[0] = static_cast<std::uint8_t>(10 * x);
  draw_image(image, gradient, -1, 0);
  CHECK(test::colour_at(image, 0, 0).r == 10);
  CHECK(test::colour_at(image, 1, 0).r == 20);
  Image none;
  draw_image(none, stamp, 0, 0);
  draw_image(image, none, 0, 0);
}
