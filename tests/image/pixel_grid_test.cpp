// The grid from which boxes are read off: its lines lie where they say.
#include "detrack/image/pixel_grid.hpp"

#include <doctest/doctest.h>

#include <set>
#include <tuple>

#include "tests/image/image_support.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;

namespace {

/// The grid over a plain blue frame, and where blue shows that no line covers.
struct Shown {
  Image grid;
  std::int64_t left = 0, top = 0, width = 0, height = 0;

  explicit Shown(std::int64_t frame_width, std::int64_t frame_height) {
    grid = pixel_grid(test::plain_image(frame_width, frame_height, {0, 0, 200}));
    const auto is_frame = [&](std::int64_t x, std::int64_t y) {
      const Colour c = test::colour_at(grid, x, y);
      return c == Colour{0, 0, 200};
    };
    std::int64_t right = -1, bottom = -1;
    left = grid.width(), top = grid.height();
    for (std::int64_t y = 0; y < grid.height(); ++y)
      for (std::int64_t x = 0; x < grid.width(); ++x)
        if (is_frame(x, y)) {
          left = std::min(left, x), top = std::min(top, y), right = std::max(right, x + 1), bottom = std::max(bottom, y + 1);
        }
    width = right - left, height = bottom - top;
  }
};

}  // namespace

TEST_CASE("steps of a grid are round, grow with the room for labels, and divide each other") {
  std::int64_t last = 0;
  for (std::int64_t room = 1; room < 5000; ++room) {
    const auto steps = detail::grid_steps(room);
    REQUIRE(steps.coarse >= room);
    REQUIRE(steps.coarse < 3 * room + 5);
    REQUIRE(steps.coarse >= last);
    REQUIRE(steps.coarse % steps.fine == 0);
    last = steps.coarse;
  }
  CHECK(detail::grid_steps(26).coarse == 50);
  CHECK(detail::grid_steps(26).fine == 10);
  CHECK(detail::grid_steps(51).coarse == 100);
  CHECK(detail::grid_steps(101).coarse == 200);
  CHECK(detail::grid_steps(201).coarse == 250);
}

TEST_CASE("magnifying repeats pixels") {
  const Image image = test::noise_image(3, 2, 1), large = detail::magnify(image, 3);
  CHECK(large.width() == 9);
  CHECK(large.height() == 6);
  for (std::int64_t y = 0; y < 6; ++y)
    for (std::int64_t x = 0; x < 9; ++x) CHECK(test::colour_at(large, x, y) == test::colour_at(image, x / 3, y / 3));
}

TEST_CASE("small frames are magnified by a whole factor, large ones are not, and labels stand in margins") {
  for (const auto& [w, h, factor] : {std::tuple{160, 120, 10}, {300, 400, 4}, {640, 480, 2}, {1000, 700, 1}}) {
    const Shown shown(w, h);
    // The first line takes a part of the first pixel, and a line may lie on the last.
    CHECK(shown.width <= factor * w);
    CHECK(shown.width >= factor * w - 4);
    CHECK(shown.height <= factor * h);
    CHECK(shown.height >= factor * h - 4);
    CHECK(shown.left >= 30);
    CHECK(shown.top >= 40);
    CHECK(shown.grid.width() - shown.left - shown.width >= 30);
    CHECK(shown.grid.height() - shown.top - shown.height >= 25);
  }
  const Image tiny = pixel_grid(Image(1, 1));
  CHECK(tiny.width() >= 24);
}

TEST_CASE("strong lines lie at the left and upper edges of the pixels that their labels name") {
  // 640 x 480 is shown twice as large with labels every 50. Above the frame each label has a tick at its line.
  const Shown shown(640, 480);
  const std::int64_t left = shown.left - 2, top = shown.top - 2;  // a line and its shadow, a pixel each
  std::set<std::int64_t> ticks_x, ticks_y;
  for (std::int64_t x = left; x <= left + 1280; ++x)  // beside are labels of the other axis
    if (const Colour c = test::colour_at(shown.grid, x, top - 1); c == Colour{255, 220, 40} || c == Colour{90, 225, 255})
      ticks_x.insert(x - left);
  for (std::int64_t y = top; y <= top + 960; ++y)
    if (const Colour c = test::colour_at(shown.grid, left - 1, y); c == Colour{255, 220, 40} || c == Colour{90, 225, 255})
      ticks_y.insert(y - top);
  std::set<std::int64_t> expected_x, expected_y;
  for (std::int64_t at = 0; at <= 640; at += 50) expected_x.insert(2 * at);
  for (std::int64_t at = 0; at <= 480; at += 50) expected_y.insert(2 * at);
  CHECK(ticks_x == expected_x);
  CHECK(ticks_y == expected_y);
  // Between lines the frame is as it was; on them it is not.
  CHECK(test::colour_at(shown.grid, left + 2 * 105, top + 2 * 105) == Colour{0, 0, 200});
  CHECK_FALSE(test::colour_at(shown.grid, left + 2 * 100, top + 2 * 105) == Colour{0, 0, 200});
  CHECK_FALSE(test::colour_at(shown.grid, left + 2 * 105, top + 2 * 110) == Colour{0, 0, 200});
  // Each label has the colour of its line: neighbours differ.
  CHECK(test::colour_at(shown.grid, left + 2 * 100, top - 1) == Colour{255, 220, 40});
  CHECK(test::colour_at(shown.grid, left + 2 * 150, top - 1) == Colour{90, 225, 255});
}

TEST_CASE("a grid needs a frame") {
  CHECK(test::error_of(ErrorCode::argument, [] { pixel_grid(ImageView()); }).find("a view of nothing") != std::string::npos);
}
