// The order of picture files.
#include "detrack/image/natural_order.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/error_of.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace detrack;

TEST_CASE("natural order: numbers count by their value") {
  CHECK(less_natural("image2", "image10"));
  CHECK_FALSE(less_natural("image10", "image2"));
  CHECK(less_natural("9.jpg", "10.jpg"));
  CHECK(less_natural("a1b2", "a1b10"));
  CHECK(less_natural("a", "b"));
  CHECK(less_natural("a", "a0"));
  CHECK(less_natural("", "a"));
  CHECK(less_natural("99999999999999999999999999", "100000000000000000000000000"));  // beyond any integer type
}

TEST_CASE("natural order: equal values keep a total order") {
  CHECK_FALSE(less_natural("1", "1"));
  CHECK(less_natural("01", "1") != less_natural("1", "01"));
  CHECK(less_natural("0", "1"));
  CHECK(less_natural("000", "1"));
  std::vector<std::string> names{"",   "0",   "00", "1",    "01",  "2", "10", "a",
                                 "a1", "a01", "a2", "a10b", "a10", "b", "-1", "1-"};
  for (const auto& x : names)
    for (const auto& y : names) {
      CHECK(less_natural(x, y) + less_natural(y, x) == (x == y ? 0 : 1));
      for (const auto& z : names)
        if (less_natural(x, y) && less_natural(y, z)) CHECK(less_natural(x, z));
    }
}

TEST_CASE("image files: pictures of the folder itself, in natural order") {
  const test::TemporaryFolder folder;
  for (const char* name : {"10.jpg", "9.JPG", "1.png", "2.jpeg", "3.bmp", "4.txt", "._5.jpg", ".jpg", "6.jpg.txt"})
    test::write_file(folder / name, {});
  std::filesystem::create_directory(folder / "7.jpg");
  std::vector<std::string> names;
  for (const auto& file : image_files(folder.path())) names.push_back(file.filename().string());
  CHECK(names == std::vector<std::string>{"1.png", "2.jpeg", "3.bmp", "9.JPG", "10.jpg"});
  CHECK(image_files(folder / "7.jpg").empty());
}

TEST_CASE("image files: a folder that is not there is an error that names it") {
  const test::TemporaryFolder folder;
  const std::string message = test::error_of(ErrorCode::io, [&] { image_files(folder / "none"); });
  CHECK(message == (folder / "none").string() + ": cannot read the folder: No such file or directory");
  test::write_file(folder / "file", {});
  test::error_of(ErrorCode::io, [&] { image_files(folder / "file"); });
}
