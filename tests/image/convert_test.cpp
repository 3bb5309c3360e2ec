// Frames of any format as RGB images.
#include "detrack/image/convert.hpp"

#include <doctest/doctest.h>

#include <utility>
#include <vector>

#include "detrack/core/rng.hpp"
#include "tests/image/image_support.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;

namespace {

/// A frame of random bytes with gaps between its rows, top down or bottom up.
ImageView random_frame(std::vector<std::uint8_t>& memory, PixelFormat format, std::int64_t width, std::int64_t height,
                       bool bottom_up, Philox& random) {
  memory.resize(static_cast<std::size_t>(3 * (4 * width + 8) * (height + 1)));
  for (std::uint8_t& byte : memory) byte = static_cast<std::uint8_t>(random.below(256));
  const std::int64_t stride = 4 * width + 5, step = bottom_up ? -stride : stride;
  const auto plane = [&](int number, std::int64_t rows) {
    return memory.data() + number * stride * (height + 1) + (bottom_up ? stride * (rows - 1) : 0);
  };
  const std::int64_t half = (height + 1) / 2;
  const YuvColour colour{YuvColour::Standard::bt709, bottom_up};
  switch (format) {
    case PixelFormat::nv12: return ImageView::nv12(plane(0, height), step, plane(1, half), step, width, height, colour);
    case PixelFormat::i420:
      return ImageView::i420(plane(0, height), step, plane(1, half), step, plane(2, half), step, width, height, colour);
    default: return ImageView::packed(plane(0, height), width, height, format, step, colour);
  }
}

}  // namespace

TEST_CASE("conversion gives the bytes that kernels see, for every format, stride and odd size") {
  Philox random(4);
  std::vector<std::uint8_t> memory;
  for (const auto format : {PixelFormat::rgb, PixelFormat::bgr, PixelFormat::rgba, PixelFormat::bgra, PixelFormat::gray,
                            PixelFormat::nv12, PixelFormat::i420, PixelFormat::yuyv})
    for (const auto& [width, height] : {std::pair{1, 1}, {2, 1}, {7, 5}, {16, 9}, {64, 2}, {130, 33}}) {
      if (format == PixelFormat::yuyv && width % 2 != 0) continue;
      for (const bool bottom_up : {false, true}) {
        const ImageView view = random_frame(memory, format, width, height, bottom_up, random);
        const Pixels pixels = view.pixels();
        const Image image = to_rgb(view);
        REQUIRE(image.width() == width);
        REQUIRE(image.height() == height);
        int wrong = 0;
        for (int y = 0; y < height; ++y)
          for (int x = 0; x < width; ++x) wrong += test::colour_at(image, x, y) == test::colour_at(pixels, x, y) ? 0 : 1;
        CAPTURE(to_string(format));
        CHECK(wrong == 0);
      }
    }
}

TEST_CASE("conversion keeps the memory of an image of the right size") {
  const Image frame = test::noise_image(8, 6, 5);
  Image out(8, 6);
  const std::uint8_t* memory = out.data();
  to_rgb(frame, out);
  CHECK(out.data() == memory);
  CHECK(test::same_pixels(out, frame));

  Image other(6, 8);
  to_rgb(frame, other);
  CHECK(test::same_pixels(other, frame));
  const Image taken = std::move(other);
  to_rgb(frame, other);  // NOLINT: an image without pixels gets new ones
  CHECK(test::same_pixels(other, frame));
  CHECK(test::error_of(ErrorCode::argument, [&] { to_rgb(ImageView(), other); }) ==
        "to_rgb: view: expected a frame, got a view of nothing");
}
