// Views of frames in every pixel format, and what they refuse.
#include "detrack/image/image.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <new>
#include <string>
#include <vector>

#include "tests/image/image_support.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;
using test::colour_at;
using test::error_of;

namespace {

using Samples = std::vector<std::uint8_t>;

/// The standards' own equations, solved for RGB in double and rounded.
std::array<double, 3> rgb_of(int y, int u, int v, double kr, double kb, bool full_range) {
  const double luma = full_range ? y / 255.0 : (y - 16) / 219.0, scale = full_range ? 255.0 : 224.0;
  const double cb = (u - 128) / scale, cr = (v - 128) / scale;  // (B - Y) / (2 (1 - kb)), (R - Y) / (2 (1 - kr))
  const double r = luma + 2 * (1 - kr) * cr, b = luma + 2 * (1 - kb) * cb, g = (luma - kr * r - kb * b) / (1 - kr - kb);
  std::array<double, 3> rgb{r, g, b};
  for (double& c : rgb) c = std::clamp(std::round(255 * c), 0.0, 255.0);
  return rgb;
}

}  // namespace

TEST_CASE("packed formats, a frame of two by two") {
  const auto at = [](const ImageView& view, int x, int y) { return colour_at(view.pixels(), x, y); };
  const Samples three{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const auto rgb = ImageView::packed(three.data(), 2, 2, PixelFormat::rgb);
  CHECK(at(rgb, 0, 0) == Colour{1, 2, 3});
  CHECK(at(rgb, 1, 0) == Colour{4, 5, 6});
  CHECK(at(rgb, 1, 1) == Colour{10, 11, 12});
  const auto bgr = ImageView::packed(three.data(), 2, 2, PixelFormat::bgr);
  CHECK(at(bgr, 0, 0) == Colour{3, 2, 1});
  CHECK(at(bgr, 0, 1) == Colour{9, 8, 7});

  const Samples four{1, 2, 3, 250, 5, 6, 7, 251, 9, 10, 11, 252, 13, 14, 15, 253};
  const auto rgba = ImageView::packed(four.data(), 2, 2, PixelFormat::rgba);
  CHECK(at(rgba, 1, 0) == Colour{5, 6, 7});
  CHECK(at(rgba, 1, 1) == Colour{13, 14, 15});
  const auto bgra = ImageView::packed(four.data(), 2, 2, PixelFormat::bgra);
  CHECK(at(bgra, 0, 1) == Colour{11, 10, 9});

  const auto gray = ImageView::packed(three.data(), 2, 2, PixelFormat::gray);
  CHECK(at(gray, 1, 0) == Colour{2, 2, 2});
  CHECK(at(gray, 0, 1) == Colour{3, 3, 3});
  CHECK(gray.format() == PixelFormat::gray);
  CHECK(gray.width() == 2);
  CHECK(static_cast<bool>(gray));
  CHECK_FALSE(static_cast<bool>(ImageView()));
}

TEST_CASE("strides: gaps between rows, and rows stored bottom up") {
  const Samples memory{1, 2, 3, 99, 4, 5, 6, 99, 7, 8, 9};
  const auto gaps = ImageView::packed(memory.data(), 3, 3, PixelFormat::gray, 4);
  CHECK(colour_at(gaps.pixels(), 0, 1).r == 4);
  CHECK(colour_at(gaps.pixels(), 2, 2).r == 9);
  const auto bottom_up = ImageView::packed(memory.data() + 8, 3, 3, PixelFormat::gray, -4);
  CHECK(colour_at(bottom_up.pixels(), 0, 0).r == 7);
  CHECK(colour_at(bottom_up.pixels(), 2, 2).r == 3);
  const auto bgr = ImageView::packed(memory.data() + 5, 1, 2, PixelFormat::bgr, -5);
  CHECK(colour_at(bgr.pixels(), 0, 0) == Colour{99, 6, 5});
  CHECK(colour_at(bgr.pixels(), 0, 1) == Colour{3, 2, 1});
}

TEST_CASE("planar and half-resolution formats take the right samples, odd sizes too") {
  // A matrix that shows the samples themselves.
  ColourMatrix samples{};
  for (std::size_t i = 0; i < 3; ++i) samples[i][i] = 65536;
  const auto yuv = [&](const ImageView& view, int x, int y) {
    Pixels pixels = view.pixels();
    CHECK_FALSE(pixels.is_rgb);
    pixels.to_rgb = samples;
    return colour_at(pixels, x, y);
  };
  const Samples y{1, 2, 3, 4, 5, 6, 7, 8, 9};  // 3 x 3
  const Samples uv{20, 30, 21, 31, 22, 32, 23, 33}, u{20, 21, 22, 23}, v{30, 31, 32, 33};
  const auto nv12 = ImageView::nv12(y.data(), 0, uv.data(), 0, 3, 3);
  const auto i420 = ImageView::i420(y.data(), 3, u.data(), 2, v.data(), 2, 3, 3);
  for (const ImageView& view : {nv12, i420}) {
    CHECK(yuv(view, 0, 0) == Colour{1, 20, 30});
    CHECK(yuv(view, 1, 1) == Colour{5, 20, 30});
    CHECK(yuv(view, 2, 0) == Colour{3, 21, 31});
    CHECK(yuv(view, 0, 2) == Colour{7, 22, 32});
    CHECK(yuv(view, 2, 2) == Colour{9, 23, 33});
  }
  const auto flipped = ImageView::i420(y.data() + 6, -3, u.data() + 2, -2, v.data() + 2, -2, 3, 3);
  CHECK(yuv(flipped, 0, 0) == Colour{7, 22, 32});
  CHECK(yuv(flipped, 2, 2) == Colour{3, 21, 31});
  const auto one = ImageView::nv12(y.data(), 0, uv.data(), 0, 1, 1);
  CHECK(yuv(one, 0, 0) == Colour{1, 20, 30});

  const Samples yuyv{1, 20, 2, 30, 3, 21, 4, 31, 5, 22, 6, 32, 7, 23, 8, 33};  // 4 x 2
  const auto packed = ImageView::packed(yuyv.data(), 4, 2, PixelFormat::yuyv);
  CHECK(yuv(packed, 0, 0) == Colour{1, 20, 30});
  CHECK(yuv(packed, 1, 0) == Colour{2, 20, 30});
  CHECK(yuv(packed, 2, 0) == Colour{3, 21, 31});
  CHECK(yuv(packed, 3, 1) == Colour{8, 23, 33});
}

TEST_CASE("YUV becomes the RGB of the standards' equations, to one step") {
  for (const bool full : {false, true})
    for (const auto standard : {YuvColour::Standard::bt601, YuvColour::Standard::bt709}) {
      const bool bt601 = standard == YuvColour::Standard::bt601;
      const ColourMatrix matrix = YuvColour{standard, full}.matrix();
      double worst = 0;
      for (int y = 0; y < 256; y += 3)
        for (int u = 0; u < 256; u += 5)
          for (int v = 0; v < 256; v += 5) {
            const auto expected = rgb_of(y, u, v, bt601 ? 0.299 : 0.2126, bt601 ? 0.114 : 0.0722, full);
            const auto got = Pixels::apply(
                matrix, {static_cast<std::uint8_t>(y), static_cast<std::uint8_t>(u), static_cast<std::uint8_t>(v)});
            for (std::size_t c = 0; c < 3; ++c) worst = std::max(worst, std::abs(expected[c] - got[c]));
          }
      CHECK(worst <= 1);
      const std::uint8_t black = full ? 0 : 16, white = full ? 255 : 235;
      CHECK(Pixels::apply(matrix, {black, 128, 128}) == std::array<std::uint8_t, 3>{0, 0, 0});
      CHECK(Pixels::apply(matrix, {white, 128, 128}) == std::array<std::uint8_t, 3>{255, 255, 255});
    }
  // Red of 100 % in studio range, as test cards have it.
  const Samples red{81, 90, 81, 240};
  const auto view = ImageView::packed(red.data(), 2, 1, PixelFormat::yuyv);
  const Colour got = colour_at(view.pixels(), 1, 0);
  CHECK(got.r >= 254);
  CHECK(got.g <= 1);
  CHECK(got.b <= 1);
}

TEST_CASE("views refuse what cannot be a frame") {
  const Samples memory(64);
  const std::uint8_t* data = memory.data();
  const auto refused = [&](auto&& make) { return error_of(ErrorCode::argument, make); };
  const auto rgb = [&](const std::uint8_t* p, std::int64_t w, std::int64_t h, std::ptrdiff_t stride) {
    return refused([&] { ImageView::packed(p, w, h, PixelFormat::rgb, stride); });
  };
  CHECK(rgb(nullptr, 2, 2, 0) == "ImageView: plane 0: expected pixels, got a null pointer");
  CHECK(rgb(data, 0, 2, 0) == "ImageView: size: expected sides in [1, 1048576], got 0x2");
  CHECK(rgb(data, 2, -1, 0) == "ImageView: size: expected sides in [1, 1048576], got 2x-1");
  CHECK(rgb(data, ImageView::kMaxSide + 1, 1, 0).find("got 1048577x1") != std::string::npos);
  CHECK(rgb(data, 2, 2, 5) == "ImageView: plane 0: expected a stride of at least 6 bytes, got 5");
  CHECK(rgb(data, 2, 2, -5) == "ImageView: plane 0: expected a stride of at least 6 bytes, got -5");
  ImageView::packed(data, 2, 2, PixelFormat::rgb,
                    std::numeric_limits<std::ptrdiff_t>::min());  // large enough, and no overflow

  CHECK(refused([&] { ImageView::packed(data, 2, 2, PixelFormat::nv12); }) ==
        "ImageView::packed: format: expected one of a single plane, got nv12");
  CHECK(refused([&] { ImageView::packed(data, 2, 2, PixelFormat::i420); }).find("got i420") != std::string::npos);
  CHECK(refused([&] { ImageView::packed(data, 3, 2, PixelFormat::yuyv); }) ==
        "ImageView: width: expected an even number for yuyv, got 3");
  CHECK(refused([&] { ImageView::nv12(data, 0, nullptr, 0, 2, 2); }).find("plane 1") != std::string::npos);
  CHECK(refused([&] { ImageView::nv12(data, 0, data, 3, 3, 3); }) ==
        "ImageView: plane 1: expected a stride of at least 4 bytes, got 3");
  CHECK(refused([&] { ImageView::i420(data, 0, data, 0, data, 1, 3, 3); }) ==
        "ImageView: plane 2: expected a stride of at least 2 bytes, got 1");
  CHECK(refused([&] { Image(0, 1); }) == "Image: size: expected sides in [1, 1048576], got 0x1");
  CHECK(refused([] { Image().view(); }).find("got 0x0") != std::string::npos);
}

TEST_CASE("an image owns its pixels, and gives them away as a whole") {
  Image a(3, 2);
  CHECK(static_cast<bool>(a));
  CHECK(colour_at(a, 2, 1) == Colour{0, 0, 0});
  a.pixel(1, 2)[1] = 7;
  Image copy = a;
  copy.pixel(1, 2)[1] = 8;
  CHECK(colour_at(a, 2, 1) == Colour{0, 7, 0});
  CHECK(colour_at(a.view().pixels(), 2, 1) == Colour{0, 7, 0});

  const std::uint8_t* memory = a.data();
  Image b = std::move(a);
  CHECK(b.data() == memory);
  CHECK(b.width() == 3);
  CHECK(a.width() == 0);  // NOLINT: what is left is the point
  CHECK_FALSE(static_cast<bool>(a));
  a = std::move(b);
  CHECK(a.height() == 2);
  CHECK(b.height() == 0);
  Image& same = a;
  a = std::move(same);
  CHECK(a.width() == 3);
  CHECK(a.data() == memory);
  a = static_cast<const Image&>(same);
  CHECK(colour_at(a, 2, 1) == Colour{0, 7, 0});
}

#if !defined(__SANITIZE_ADDRESS__)  // which ends the program where memory does
TEST_CASE("an image stays as it is where there is no memory for the one it is to be") {
  Image image(3, 2);
  image.pixel(1, 2)[1] = 7;
  const Image large(5000, 4000);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_AS, &before) == 0);
  const rlimit none{1, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_AS, &none) == 0);
  bool thrown = false;
  try {
    image = large;
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  setrlimit(RLIMIT_AS, &before);
  CHECK(thrown);
  REQUIRE(image.width() == 3);
  CHECK(colour_at(image, 2, 1) == Colour{0, 7, 0});
}
#endif
