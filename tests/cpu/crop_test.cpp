// The CPU backend's crops against the reference: sizes that the list of cases has no room for, and any kind of planes.
#include "detrack/image/image.hpp"
#include "tests/cpu/cpu_support.hpp"
#include "tests/support/compare.hpp"

using namespace detrack;
using namespace detrack::cpu_test;

namespace {

/// Crops of one frame by the CPU backend with one and two threads and by the reference: equal, and the threads bit for bit.
template <class T>
void check_crop(const Pixels& frame, std::int64_t S, double left, double top, double side, double bound) {
  CAPTURE(S);
  CAPTURE(left);
  CAPTURE(top);
  CAPTURE(side);
  const auto crop = [&](Context<T> ctx) {
    Field<T> y({3, S, S}, 3);
    y.fill(std::numeric_limits<T>::quiet_NaN());
    ops::run(ctx, CropNormalise<T>{.frame = frame,
                                   .left = left,
                                   .top = top,
                                   .side = side,
                                   .mean = {0.485, 0.456, 0.406},
                                   .std = {0.229, 0.224, 0.225},
                                   .y = y.view()});
    CHECK(y.guards_intact());
    return y.values();
  };
  const std::vector<double> expected = crop(reference_context<T>()), one = crop(cpu::make_context<T>({1}));
  CHECK(distance({one}, {expected}) <= bound);
  CHECK(crop(cpu::make_context<T>({some_threads()})) == one);
}

void check_crops(const Pixels& frame) {
  Philox rng(5);
  for (const std::int64_t S : {1, 3, 16, 64, 130})
    for (const double side : {0.3, 9.0, 61.5, 200.0, 1000.0}) {
      const double left = rng.uniform() * 90 - side / 2, top = rng.uniform() * 70 - side / 2;
      check_crop<float>(frame, S, left, top, side, 1e-6);
      check_crop<double>(frame, S, left, top, side, 1e-14);
    }
}

}  // namespace

TEST_CASE("cpu crop: every pixel format, up and down, within the frame and beyond it") {
  const std::int64_t width = 90, height = 71;
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(4 * width * height));
  Philox rng(4);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng.below(256));
  for (const PixelFormat format :
       {PixelFormat::rgb, PixelFormat::bgr, PixelFormat::rgba, PixelFormat::bgra, PixelFormat::gray, PixelFormat::yuyv}) {
    CAPTURE(to_string(format));
    check_crops(ImageView::packed(bytes.data(), width, height, format).pixels());
  }
  const std::uint8_t *u = bytes.data() + width * height, *v = u + 45 * 36;
  check_crops(ImageView::i420(bytes.data(), 0, u, 0, v, 0, width, height).pixels());
  check_crops(ImageView::nv12(bytes.data(), 0, u, 0, width, height).pixels());
}

TEST_CASE("cpu crop: planes of any order, steps and shifts") {
  std::vector<std::uint8_t> bytes(20000);
  Philox rng(6);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng.below(256));
  const std::uint8_t* middle = bytes.data() + 10000;
  const auto plane = [&](std::int64_t offset, std::int64_t down, std::int64_t right, int shift_y, int shift_x) {
    const Shape shape{(29 >> shift_y) + 1, (40 >> shift_x) + 1};
    return Pixels::Plane{{middle + offset, shape, {down, right}, {}}, shift_y, shift_x};
  };
  Pixels frame{.height = 30, .width = 41};
  const std::array<Pixels::Plane, 3> layouts[] = {
      {plane(1, 150, 3, 0, 0), plane(2, 150, 3, 0, 0), plane(0, 150, 3, 0, 0)},     // green, red, blue
      {plane(0, 150, 3, 0, 0), plane(0, 150, 3, 0, 0), plane(2, 150, 3, 0, 0)},     // one byte twice
      {plane(0, 150, 3, 0, 0), plane(1, 150, 3, 0, 0), plane(2, 153, 3, 0, 0)},     // rows of other lengths
      {plane(0, 150, 2, 0, 0), plane(1, 150, 2, 0, 0), plane(2, 150, 2, 0, 0)},     // overlapping pixels
      {plane(0, 150, -3, 0, 0), plane(1, 150, -3, 0, 0), plane(2, 150, -3, 0, 0)},  // mirrored
      {plane(0, 3, 120, 0, 0), plane(1, 3, 120, 0, 0), plane(2, 3, 120, 0, 0)},     // columns first
      {plane(0, -60, 1, 0, 0), plane(5, 20, 1, 2, 0), plane(9, 31, 7, 1, 3)},       // planes of other sizes
      {plane(0, 0, 0, 0, 0), plane(7, 0, 0, 8, 8), plane(3, 0, 1, 8, 0)}};          // one sample for all
  for (const auto& planes : layouts)
    for (const bool is_rgb : {true, false}) {
      CAPTURE(&planes - layouts);
      frame.planes = planes;
      frame.is_rgb = is_rgb;
      frame.to_rgb = YuvColour{.full_range = true}.matrix();
      check_crops(frame);
    }
}
