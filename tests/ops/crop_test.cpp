// Crops of frames: against a sum over all pixels of the frame, across pixel formats, and by hand.
#include "tests/ops/cases/crop.hpp"

#include "detrack/ops/plan_backend.hpp"
#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

namespace {

/// What the operation computes, said in another way: every pixel of the frame spreads over the crop's samples by a tent
/// one pixel to either side, and whatever is not in the frame adds nothing.
template <class T>
Array sum_of_tents(const CropNormalise<T>& op) {
  const std::int64_t S = op.y.extent(1);
  const auto tent = [](double d) { return std::max(0.0, 1 - std::abs(d)); };
  Array array{{3, S, S}, {}};
  for (std::size_t c = 0; c < 3; ++c)
    for (std::int64_t i = 0; i < S; ++i)
      for (std::int64_t j = 0; j < S; ++j) {
        const double scale = op.side / static_cast<double>(S);
        const double y = op.top - 0.5 + scale * (0.5 + static_cast<double>(i));
        const double x = op.left - 0.5 + scale * (0.5 + static_cast<double>(j));
        double sum = 0;
        for (std::int64_t row = 0; row < op.frame.height; ++row)
          for (std::int64_t column = 0; column < op.frame.width; ++column)
            sum += tent(y - static_cast<double>(row)) * tent(x - static_cast<double>(column)) * op.frame(row, column)[c];
        array.values.push_back((sum / 255 - op.mean[c]) / op.std[c]);
      }
  return array;
}

}  // namespace

TEST_CASE("crop") {
  check_op(crop_cases(), {"strides"});
}

TEST_CASE("crop: every case is the sum over the frame's pixels") {
  auto ctx = reference_context<double>();
  for (const CropCase& c : crop_cases()) {
    if (c.S == 0) continue;
    CAPTURE(c.name());
    Memory<double> memory(ctx, kStrided);
    const auto op = c.forward(memory);
    ops::run(ctx, op);
    require(compare(to_array(op.y), sum_of_tents(op), {.atol = 1e-9}));
  }
}

TEST_CASE("crop: a frame of 2 x 2 pixels, by hand") {
  auto ctx = reference_context<double>();
  const std::uint8_t pixels[12] = {0, 10, 255, 100, 20, 255, 200, 30, 255, 40, 40, 255};
  double y[3 * 4 * 4];
  CropNormalise<double> op{
      .frame = ImageView::packed(pixels, 2, 2, PixelFormat::rgb).pixels(), .side = 2, .y = View<double>(y, {3, 2, 2})};
  const auto expect_red = [&](std::vector<double> expected) {
    ops::run(ctx, op);
    const View<double> red = op.y.select(0, 0);
    for (double& v : expected) v /= 255;
    require(compare(to_array(red), {red.shape(), expected}, {.atol = 1e-14}));
  };
  expect_red({0, 100, 200, 40});  // the frame itself
  op.left = 0.5;                  // half a pixel to the right: the last column mixes with the black outside
  expect_red({50, 50, 120, 20});
  op.left = 0, op.top = -0.25;  // a quarter of a pixel up
  expect_red({0, 75, 150, 55});
  op.top = 0, op.side = 1, op.y = View<double>(y, {3, 1, 1});  // the first pixel
  expect_red({0});
  op.side = 2;  // the frame's centre
  expect_red({85});
  op.side = 2, op.y = View<double>(y, {3, 4, 4});                 // twice as large: samples at -0.25, 0.25, 0.75 and 1.25
  expect_red({0, 18.75, 56.25, 56.25, 37.5, 58.75, 76.25, 63.75,  //
              112.5, 126.25, 78.75, 41.25, 112.5, 120, 60, 22.5});
}

TEST_CASE("crop: channels come as red, green, blue, less their mean, over their deviation; black outside as well") {
  auto ctx = reference_context<double>();
  const std::uint8_t pixel[3] = {3 * 17, 2 * 17, 17};  // blue, green, red: 0.2, 0.4 / 3, 0.2 / 3
  double y[12];
  ops::run(ctx, CropNormalise<double>{.frame = ImageView::packed(pixel, 1, 1, PixelFormat::bgr).pixels(),
                                      .side = 2,
                                      .mean = {1. / 3, 0.5, 0.1},
                                      .std = {2, 0.5, 0.1},
                                      .y = View<double>(y, {3, 2, 2})});
  const double expected[12] = {(0.2 / 3 - 1. / 3) / 2, -1. / 6, -1. / 6, -1. / 6,  //
                               (0.4 / 3 - 0.5) / 0.5,  -1,      -1,      -1,       //
                               (0.2 - 0.1) / 0.1,      -1,      -1,      -1};
  for (std::size_t i = 0; i < 12; ++i) CHECK(y[i] == doctest::Approx(expected[i]).epsilon(1e-14));
}

TEST_CASE("crop: the pixel format makes no difference, not in the last bit") {
  auto ctx = reference_context<double>();
  for (const CropCase& c : crop_cases()) {
    if (c.S == 0) continue;
    CAPTURE(c.name());
    Memory<double> memory(ctx);
    auto op = c.forward(memory);
    ops::run(ctx, op);
    const Array direct = to_array(op.y);
    Image converted(c.width, c.height);
    for (std::int64_t row = 0; row < c.height; ++row)
      for (std::int64_t column = 0; column < c.width; ++column) {
        const auto rgb = op.frame(row, column);
        std::copy(rgb.begin(), rgb.end(), converted.pixel(row, column));
      }
    op.frame = converted.view().pixels();
    ops::run(ctx, op);
    CHECK(to_array(op.y).values == direct.values);
  }
}

TEST_CASE("crop: an output over the frame is refused, planes that are one another are not") {
  auto ctx = reference_context<float>();
  std::vector<float> memory(3 * 16 * 16);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(memory.data());
  const CropNormalise<float> op{.frame = ImageView::packed(bytes, 8, 8, PixelFormat::gray).pixels(),
                                .side = 8,
                                .y = View<float>(memory.data(), {3, 4, 4})};
  require(throws(ErrorCode::alias, "crop_normalise: y: ", [&] { ops::run(ctx, op); }));
}

TEST_CASE("crop: arguments out of their range are refused") {
  auto ctx = reference_context<double>();
  const std::uint8_t pixels[27] = {};
  double y[27];
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  using Op = CropNormalise<double>;
  const Op good{.frame = ImageView::packed(pixels, 3, 3, PixelFormat::rgb).pixels(), .y = View<double>(y, {3, 3, 3})};
  ops::run(ctx, good);
  const auto refused = [&](const std::string& name, auto change, ErrorCode code = ErrorCode::argument) {
    Op op = good;
    change(op);
    require(throws(code, "crop_normalise: " + name + ": expected ", [&] { ops::run(ctx, op); }));
  };
  for (const double bad : {nan, inf, -inf}) {
    refused("left", [&](Op& op) { op.left = bad; });
    refused("top", [&](Op& op) { op.top = bad; });
    refused("side", [&](Op& op) { op.side = bad; });
    refused("mean", [&](Op& op) { op.mean[1] = bad; });
    refused("std", [&](Op& op) { op.std[2] = bad; });
  }
  refused("side", [&](Op& op) { op.side = 0; });
  refused("side", [&](Op& op) { op.side = -1; });
  refused("side", [&](Op& op) { op.side = 1e10; });
  refused("std", [&](Op& op) { op.std[0] = 0; });
  refused("height", [&](Op& op) { op.frame.height = 0; });
  refused("width", [&](Op& op) { op.frame.width = -1; });
  refused("plane 1", [&](Op& op) { op.frame.planes[1].shift_x = -1; });
  refused(
      "plane 1", [&](Op& op) { op.frame.planes[1].shift_x = 1; }, ErrorCode::shape);
  refused(
      "plane 2",
      [&](Op& op) {
        op.frame.height = 4, op.frame.planes[0] = op.frame.planes[1] = {View<const std::uint8_t>(pixels, {4, 3})};
      },
      ErrorCode::shape);
  refused("to_rgb", [&](Op& op) { op.frame.is_rgb = false, op.frame.to_rgb[0] = {1 << 23, 1 << 23, 0, 0}; });
  refused(
      "y",
      [&](Op& op) {
        op.y = View<double>(y, {3, 3, 2});
      },
      ErrorCode::shape);
  refused(
      "y",
      [&](Op& op) {
        op.y = View<double>(y, {1, 3, 3});
      },
      ErrorCode::shape);
  refused(
      "y",
      [&](Op& op) {
        op.y = View<double>(y, {3, 2, 2}, {9, 3, 2}, {});
      },
      ErrorCode::shape);
}

TEST_CASE("crop: a plan counts the pixels that a crop looks at, and touches none") {
  const auto counter = std::make_shared<PlanBackend<float>>();
  auto ctx = plan_context<float>(counter);
  std::uint8_t nowhere = 0;
  float none = 0;
  const auto bytes_of = [&](PixelFormat format, double left, double side) {
    ImageView frame;
    if (format == PixelFormat::i420)
      frame = ImageView::i420(&nowhere, 0, &nowhere, 0, &nowhere, 0, 1000, 800);
    else
      frame = ImageView::packed(&nowhere, 1000, 800, format);
    const double before = counter->total().bytes;
    ops::run(ctx, CropNormalise<float>{
                      .frame = frame.pixels(), .left = left, .top = 10, .side = side, .y = View<float>(&none, {3, 8, 8})});
    return counter->total().bytes - before - 3 * 8 * 8 * 4;
  };
  CHECK(bytes_of(PixelFormat::rgb, 10, 8) == 3 * 9 * 9);      // pixel for pixel, and the next one
  CHECK(bytes_of(PixelFormat::gray, 10, 8) == 9 * 9);         // one plane, however often it is named
  CHECK(bytes_of(PixelFormat::rgb, 10, 400) == 3 * 16 * 16);  // two taps a sample
  CHECK(bytes_of(PixelFormat::rgb, 996, 8) == 3 * 4 * 9);     // the frame ends
  CHECK(bytes_of(PixelFormat::rgb, 2000, 8) == 0);
  CHECK(counter->total().flops == 5 * 9 * 3 * 8 * 8);
  CHECK(counter->by_operation().at("crop_normalise").runs == 5);
}
