// Box, flag and time files: what is read, what is refused, and how it is said.
#include "detrack/data/annotation.hpp"

#include <doctest/doctest.h>

#include <clocale>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "detrack/core/rng.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace detrack;
using test::error_of;

namespace {

std::string refusal(const std::string& text) {
  return error_of(ErrorCode::format, [&] { parse_boxes(text, "a.txt"); });
}

}  // namespace

TEST_CASE("boxes: commas, tabs, blanks and mixtures of them read the same") {
  const std::vector<Box> two{{1, 2.5, 30, 4}, {-5, 0.25, 7, 800}};
  for (const char* text :
       {"1,2.5,30,4\n-5,0.25,7,8e2\n", "1\t2.5\t30\t4\n-5\t.25\t7\t800", "1 2.5 30 4\r\n-5 0.25 7 800\r\n",
        "  1 , 2.5,\t30 ,4  \n -5,0.25 7\t+800\n\n", "1,2.5,30,4\n-5,0.25,7,800\n\n  \n\r\n",
        "\xef\xbb\xbf"
        "1,2.5,30,4\n-5,0.25,7,8E+2"})
    CHECK(parse_boxes(text) == two);
  CHECK(parse_boxes("").empty());
  CHECK(parse_boxes("\n \n").empty());
}

TEST_CASE("boxes: numbers that are not finite are read as they stand") {
  const auto boxes = parse_boxes("nan,NaN,-nan,NAN\ninf,-inf,1,2\n1,2,3,4\n");
  REQUIRE(boxes.size() == 3);
  CHECK(std::isnan(boxes[0].x + boxes[0].y + boxes[0].w + boxes[0].h));
  CHECK(boxes[1].x == std::numeric_limits<double>::infinity());
  CHECK(boxes[1].y == -std::numeric_limits<double>::infinity());
  CHECK(boxes[2] == Box{1, 2, 3, 4});
}

TEST_CASE("boxes: every digit counts, whatever the locale of the program") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8"}) std::setlocale(LC_ALL, name);
  const auto boxes = parse_boxes("0.1,123456789.123456789,1e-300,2.2250738585072014e-308\n");
  std::setlocale(LC_ALL, before.c_str());
  CHECK(boxes[0] == Box{0.1, 123456789.123456789, 1e-300, 2.2250738585072014e-308});
}

TEST_CASE("boxes: the corners of a polygon give the upright box around them") {
  CHECK(parse_boxes("5,1,9,4,6,8,2,5\n1,2,3,4") == std::vector<Box>{{2, 1, 7, 7}, {1, 2, 3, 4}});
  CHECK(std::isnan(parse_boxes("nan,1,9,4,6,8,2,5")[0].w));
}

TEST_CASE("boxes: what is wrong is named with file and line") {
  CHECK(refusal("1,2,3,4\n1,2,3\n") == "a.txt: line 2: expected 4 numbers (x, y, w, h) or 8 (corners), got 3");
  CHECK(refusal("1,2,3,4,5") == "a.txt: line 1: expected 4 numbers (x, y, w, h) or 8 (corners), got 5");
  CHECK(refusal("1,2,x3,4") == "a.txt: line 1: expected a number, got 'x3'");
  CHECK(refusal("1,,3,4") == "a.txt: line 1: expected a number, got ''");
  CHECK(refusal(",1,2,3,4") == "a.txt: line 1: expected a number, got ''");
  CHECK(refusal("1,2,3,4,") == "a.txt: line 1: expected a number, got ''");
  CHECK(refusal("1,2,3,4x") == "a.txt: line 1: expected a number, got '4x'");
  CHECK(refusal("1,2,3,+-4") == "a.txt: line 1: expected a number, got '+-4'");
  CHECK(refusal("1,2,3,1e400") == "a.txt: line 1: expected a number, got '1e400'");
  CHECK(refusal("1;2;3;4") == "a.txt: line 1: expected a number, got '1;2;3;4'");
  CHECK(refusal("1,2,3,4\n\n1,2,3,4\n") == "a.txt: line 2: expected numbers, got a blank line before others");
  CHECK(refusal("1,2,3,\x1b[31m") == "a.txt: line 1: expected a number, got '\\x1b[31m'");
  CHECK(refusal(std::string("1,2,3,\0", 7)) == "a.txt: line 1: expected a number, got '\\x00'");
  CHECK(refusal(std::string(100000, 'y')).size() < 200);
}

TEST_CASE("boxes: a file is read, or said to be missing") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "a.txt", test::to_bytes("1,2,3,4\n5 6 7 8"));
  CHECK(read_boxes(folder / "a.txt") == std::vector<Box>{{1, 2, 3, 4}, {5, 6, 7, 8}});
  test::write_file(folder / "b.txt", test::to_bytes("1,2\n"));
  CHECK(error_of(ErrorCode::format, [&] {
          read_boxes(folder / "b.txt");
        }).starts_with((folder / "b.txt").string() + ": line 1: "));
  CHECK(error_of(ErrorCode::io, [&] {
          read_boxes(folder / "c.txt");
        }).starts_with((folder / "c.txt").string() + ": cannot open"));
  error_of(ErrorCode::io, [&] { read_boxes(folder.path()); });
}

TEST_CASE("flags: one a line or all in one line") {
  const test::TemporaryFolder folder;
  const auto flags = [&](const char* text) {
    test::write_file(folder / "f", test::to_bytes(text));
    return read_flags(folder / "f");
  };
  const std::vector<std::uint8_t> expected{0, 1, 8, 255};
  CHECK(flags("0\n1\n8\n255\n") == expected);
  CHECK(flags("0,1,8,255") == expected);
  CHECK(flags("0\t1.0\r\n8 255\n") == expected);
  for (const char* bad : {"0\n-1\n", "256", "0.5", "nan", "inf"})
    CHECK(error_of(ErrorCode::format, [&] { flags(bad); }).find("expected a whole number in [0, 255], got ") !=
          std::string::npos);
}

TEST_CASE("tables: rows as they are") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "t", test::to_bytes("0.5,0.25\n1\n2 3 4\n"));
  CHECK(read_table(folder / "t") == std::vector<std::vector<double>>{{0.5, 0.25}, {1}, {2, 3, 4}});
}

TEST_CASE("boxes: damaged text is read or refused, never anything else") {
  const std::string good = "12.5,7,30.25,nan\r\n1e2\t-4 , 5.5,6\n0.125 2,3\t4\n1,2,3,4,5,6,7,8\n\n";
  const std::string alphabet = "0123456789.,+-eE\t \r\nnaif\xff";
  Philox random(7, 0);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random.below(n)); };
  int parsed = 0, refused = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text = good;
    for (std::size_t damage = 0, count = 1 + below(3); damage < count; ++damage) {
      const std::size_t at = below(text.size() + 1);
      switch (below(4)) {
        case 0: text.insert(at, 1, alphabet[below(alphabet.size())]); break;
        case 1: text.erase(at, 1 + below(4)); break;
        case 2: text.resize(at); break;
        default: text.insert(at, text.substr(below(text.size() + 1), below(12)));
      }
    }
    std::vector<char> block(text.begin(), text.end());  // exactly this size: sanitizers see a read too far
    try {
      parse_boxes({block.data(), block.size()});
      ++parsed;
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::format);
      ++refused;
    }
  }
  CHECK(parsed > 1000);
  CHECK(refused > 1000);
}
