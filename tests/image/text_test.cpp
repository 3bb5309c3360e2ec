// Letters on images.
#include "detrack/image/text.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "tests/image/image_support.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;

namespace {

/// The letters as rows of '#' and '.', from the top left corner of a black image.
std::string drawn(std::string_view text, std::int64_t width, std::int64_t height, int scale = 1, std::int64_t x = 0,
                  std::int64_t y = 0) {
  Image image(width, height);
  draw_text(image, x, y, text, {9, 200, 255}, scale);
  std::string rows;
  for (std::int64_t row = 0; row < height; ++row) {
    for (std::int64_t column = 0; column < width; ++column) {
      const Colour c = test::colour_at(image, column, row);
      CHECK((c == Colour{} || c == Colour{9, 200, 255}));
      rows += c == Colour{} ? '.' : '#';
    }
    rows += '\n';
  }
  return rows;
}

}  // namespace

TEST_CASE("letters have their shapes, their places and their sizes") {
  CHECK(drawn("1x", 13, 9) ==
        "..#..........\n"
        ".##..........\n"
        "..#...#...#..\n"
        "..#....#.#...\n"
        "..#.....#....\n"
        "..#....#.#...\n"
        ".###..#...#..\n"
        ".............\n"
        ".............\n");
  CHECK(text_size("1x") == ImageSize{13, 9});
  CHECK(text_size("1x", 3) == ImageSize{39, 27});
  CHECK(text_size("") == ImageSize{0, 9});
  const std::string twice = drawn("1", 12, 14, 2);
  CHECK(twice.substr(0, 4 * 13) ==
        "....##......\n"
        "....##......\n"
        "..####......\n"
        "..####......\n");
  CHECK(drawn("gy", 12, 9).find("#", 7 * 13) != std::string::npos);  // descenders stay within the height
}

TEST_CASE("what the font has not is a question mark, for each byte") {
  CHECK(drawn("?", 8, 9) == drawn("\n", 8, 9));
  CHECK(drawn("?", 8, 9) == drawn("\x7f", 8, 9));
  CHECK(drawn("a??b", 32, 9) == drawn("a\xc3\xa9"
                                      "b",
                                      32, 9));
  CHECK(drawn("??", 16, 9) == drawn(std::string_view("\0\xff", 2), 16, 9));
  CHECK(text_size("\x01\x80") == text_size("??"));
}

TEST_CASE("text outside of the image is left out") {
  const std::string empty = drawn("", 9, 9);
  CHECK(drawn("8", 4, 4, 1, -1, -2) ==
        "..#.\n"
        "##..\n"
        "..#.\n"
        "..#.\n");
  for (const std::int64_t far : {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(),
                                 std::int64_t{-100}, std::int64_t{9}}) {
    CHECK(drawn("8", 9, 9, 1, far, 0) == empty);
    CHECK(drawn("8", 9, 9, 1, 0, far) == empty);
    CHECK(drawn("8", 9, 9, 1000, far, far) == empty);
  }
  Image none;
  draw_text(none, 0, 0, "text", {});
  Image image(3, 3);
  CHECK(test::error_of(ErrorCode::argument, [&] { draw_text(image, 0, 0, "a", {}, 0); }) ==
        "draw_text: scale: expected 1 to 1000, got 0");
  CHECK(test::error_of(ErrorCode::argument, [] { text_size("a", 1001); }) ==
        "text_size: scale: expected 1 to 1000, got 1001");
}

TEST_CASE("a label is text on a rectangle of its own") {
  Image image(60, 30);
  const ImageSize size = draw_label(image, 5, 4, "a1", {255, 255, 255}, {0, 0, 90}, 2);
  int background = 0, ink = 0, outside = 0;
  for (std::int64_t y = 0; y < 30; ++y)
    for (std::int64_t x = 0; x < 60; ++x) {
      const Colour c = test::colour_at(image, x, y);
      const bool inside = x >= 5 && x < 5 + size.width && y >= 4 && y < 4 + size.height;
      background += c == Colour{0, 0, 90} && inside ? 1 : 0;
      ink += c == Colour{255, 255, 255} && inside ? 1 : 0;
      outside += !inside && !(c == Colour{}) ? 1 : 0;
    }
  CHECK(background + ink == size.width * size.height);
  CHECK(ink > 40);
  CHECK(outside == 0);
}
