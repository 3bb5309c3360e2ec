// Resizing against values worked out by hand, and sizes that fit.
#include "detrack/image/resize.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>
#include <vector>

#include "detrack/image/size.hpp"
#include "tests/image/image_support.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;

namespace {

/// A row (or a column) whose red is these values, green their complement and blue 9.
Image strip(std::initializer_list<int> values, bool column = false) {
  const auto count = static_cast<std::int64_t>(values.size());
  Image image(column ? 1 : count, column ? count : 1);
  std::int64_t i = 0;
  for (const int value : values) {
    std::uint8_t* p = column ? image.pixel(i++, 0) : image.pixel(0, i++);
    p[0] = static_cast<std::uint8_t>(value), p[1] = static_cast<std::uint8_t>(255 - value), p[2] = 9;
  }
  return image;
}

std::vector<int> reds(const Image& image) {
  std::vector<int> values;
  for (std::int64_t i = 0; i < image.width() * image.height(); ++i) {
    const std::uint8_t* p = image.data() + 3 * i;
    values.push_back(p[0]);
    CHECK(std::abs(p[0] + p[1] - 255) <= 1);
    CHECK(p[2] == 9);
  }
  return values;
}

}  // namespace

TEST_CASE("shrinking averages areas") {
  using Values = std::vector<int>;
  CHECK(reds(resize(strip({0, 10, 20, 31}), 2, 1)) == Values{5, 26});  // 25.5 rounds up
  CHECK(reds(resize(strip({0, 90, 30}), 2, 1)) == Values{30, 50});     // (0 + 90/2) / 1.5, (90/2 + 30) / 1.5
  CHECK(reds(resize(strip({10, 20, 30, 40, 50}), 1, 1)) == Values{30});
  CHECK(reds(resize(strip({0, 90, 30}, true), 1, 2)) == Values{30, 50});
  Image square(2, 2);
  for (int i = 0; i < 12; ++i) square.data()[i] = static_cast<std::uint8_t>(10 * i);
  CHECK(test::colour_at(resize(square, 1, 1), 0, 0) == Colour{45, 55, 65});
}

TEST_CASE("enlarging is linear between pixel centres") {
  using Values = std::vector<int>;
  CHECK(reds(resize(strip({0, 100}), 4, 1)) == Values{0, 25, 75, 100});
  CHECK(reds(resize(strip({0, 100}, true), 1, 4)) == Values{0, 25, 75, 100});
  CHECK(reds(resize(strip({0, 60, 120}), 5, 1)) == Values{0, 24, 60, 96, 120});  // at -0.2, 0.4, 1, 1.6, 2.2
  CHECK(reds(resize(strip({77}), 3, 1)) == Values{77, 77, 77});
}

TEST_CASE("each axis goes its own way") {
  // Four columns into two, one row into three.
  const Image out = resize(strip({0, 10, 20, 31}), 2, 3);
  CHECK(reds(out) == std::vector<int>{5, 26, 5, 26, 5, 26});
}

TEST_CASE("resizing keeps plain images plain, and images of the same size as they are") {
  for (const auto& [w, h] : {std::pair{1, 1}, {3, 200}, {17, 5}, {64, 64}, {1000, 3}}) {
    const Image out = resize(test::plain_image(37, 23, {255, 128, 1}), w, h);
    CHECK(test::same_pixels(out, test::plain_image(w, h, {255, 128, 1})));
  }
  const Image noise = test::noise_image(21, 13, 8);
  CHECK(test::same_pixels(resize(noise, 21, 13), noise));
}

TEST_CASE("shrinking keeps the mean") {
  const Image noise = test::noise_image(97, 61, 9), small = resize(noise, 10, 7);
  const auto mean = [](const Image& image) {
    double sum = 0;
    for (std::int64_t i = 0; i < 3 * image.width() * image.height(); ++i) sum += image.data()[i];
    return sum / static_cast<double>(3 * image.width() * image.height());
  };
  CHECK(mean(small) == doctest::Approx(mean(noise)).epsilon(0.002));
}

TEST_CASE("resizing refuses sizes that are none") {
  const Image image(4, 4);
  CHECK(test::error_of(ErrorCode::argument, [&] { resize(image, 0, 4); }).find("got 0x4") != std::string::npos);
  CHECK(test::error_of(ErrorCode::argument, [&] { resize(image, 4, -1); }).find("got 4x-1") != std::string::npos);
  CHECK(test::error_of(ErrorCode::argument, [] { resize(Image(), 4, 4); }) ==
        "resize: image: expected pixels, got an empty image");
}

TEST_CASE("the largest size of the same shape that fits") {
  CHECK(fit({1920, 1080}, {320, 240}) == ImageSize{320, 180});
  CHECK(fit({1080, 1920}, {320, 240}) == ImageSize{135, 240});
  CHECK(fit({32, 24}, {320, 240}) == ImageSize{320, 240});
  CHECK(fit({10, 10}, {7, 100}) == ImageSize{7, 7});
  CHECK(fit({100000, 1}, {320, 240}) == ImageSize{320, 1});
  CHECK(fit({3, 2}, {100, 100}) == ImageSize{100, 67});
  CHECK(test::error_of(ErrorCode::argument, [] {
          fit({3, 0}, {9, 9});
        }) == "fit: expected sizes of at least 1x1, got 3x0 into 9x9");
}
