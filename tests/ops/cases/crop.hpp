// Cases of cropping frames.
#pragma once

#include "detrack/image/image.hpp"
#include "tests/support/memory.hpp"

namespace detrack::test {

struct CropCase {
  PixelFormat format = PixelFormat::rgb;
  std::int64_t width = 7, height = 5, S = 6;
  double left = 0, top = 0, side = 5;
  bool bottom_up = false;

  std::string name() const {
    return detrack::detail::concat("crop ", to_string(format), " ", width, "x", height, bottom_up ? " bottom up" : "", ", ",
                                   side, " from (", left, ", ", top, ") to ", S);
  }
  template <class T>
  auto forward(Memory<T>& m) const {
    return CropNormalise<T>{.frame = frame(m),
                            .left = left,
                            .top = top,
                            .side = side,
                            .mean = {0.485, 0.456, 0.406},
                            .std = {0.229, 0.224, 0.225},
                            .y = m.out("y", {3, S, S})};
  }

 private:
  using Bytes = View<const std::uint8_t>;

  template <class T>
  Pixels frame(Memory<T>& m) const {
    const auto bytes = [&](const char* name, std::int64_t rows, std::int64_t count) -> Bytes {
      return m.in(name, {rows, count}, below(255));  // 255 stands for NaN there
    };
    const std::int64_t half_width = (width + 1) / 2, half_height = (height + 1) / 2;
    Pixels p{.height = height, .width = width};
    switch (format) {
      case PixelFormat::rgb: p.planes = packed(bytes("pixels", height, 3 * width), 3, {0, 1, 2}); break;
      case PixelFormat::bgr: p.planes = packed(bytes("pixels", height, 3 * width), 3, {2, 1, 0}); break;
      case PixelFormat::rgba: p.planes = packed(bytes("pixels", height, 4 * width), 4, {0, 1, 2}); break;
      case PixelFormat::bgra: p.planes = packed(bytes("pixels", height, 4 * width), 4, {2, 1, 0}); break;
      case PixelFormat::gray: p.planes = packed(bytes("pixels", height, width), 1, {0, 0, 0}); break;
      case PixelFormat::nv12: {
        const Bytes uv = bytes("uv", half_height, 2 * half_width);
        p.planes = {plane(bytes("luma", height, width), 0, 1, 0, 0), plane(uv, 0, 2, 1, 1), plane(uv, 1, 2, 1, 1)};
        break;
      }
      case PixelFormat::i420:
        p.planes = {plane(bytes("luma", height, width), 0, 1, 0, 0), plane(bytes("u", half_height, half_width), 0, 1, 1, 1),
                    plane(bytes("v", half_height, half_width), 0, 1, 1, 1)};
        break;
      case PixelFormat::yuyv: {
        const Bytes all = bytes("pixels", height, 2 * width);
        p.planes = {plane(all, 0, 2, 0, 0), plane(all, 1, 4, 0, 1), plane(all, 3, 4, 0, 1)};
        break;
      }
    }
    p.is_rgb = format != PixelFormat::nv12 && format != PixelFormat::i420 && format != PixelFormat::yuyv;
    if (!p.is_rgb) p.to_rgb = YuvColour{.standard = YuvColour::Standard::bt709}.matrix();
    return p;
  }
  Pixels::Plane plane(const Bytes& bytes, std::int64_t offset, std::int64_t step, int shift_y, int shift_x) const {
    const Shape shape{((height - 1) >> shift_y) + 1, ((width - 1) >> shift_x) + 1};
    const std::int64_t stride = bytes.stride(0), first = bottom_up ? (bytes.extent(0) - 1) * stride : 0;
    return {{bytes.data() + first + offset, shape, {bottom_up ? -stride : stride, step}, bytes.device()}, shift_y, shift_x};
  }
  std::array<Pixels::Plane, 3> packed(const Bytes& bytes, std::int64_t step, std::array<std::int64_t, 3> offsets) const {
    return {plane(bytes, offsets[0], step, 0, 0), plane(bytes, offsets[1], step, 0, 0),
            plane(bytes, offsets[2], step, 0, 0)};
  }
};

inline std::vector<CropCase> crop_cases() {
  std::vector<CropCase> cases{{.left = 0.4, .top = -0.7}};
  for (const PixelFormat format : {PixelFormat::rgb, PixelFormat::bgr, PixelFormat::rgba, PixelFormat::bgra,
                                   PixelFormat::gray, PixelFormat::nv12, PixelFormat::i420, PixelFormat::yuyv}) {
    const std::int64_t odd = format == PixelFormat::yuyv ? 0 : 1;
    cases.push_back({.format = format, .width = 20 + odd, .height = 13, .S = 9, .left = 4.3, .top = 2.6, .side = 7.7});
    cases.push_back({.format = format, .width = 40 + odd, .height = 30, .S = 5, .left = 3, .top = -4.5, .side = 36});
    cases.push_back(
        {.format = format, .width = 16, .height = 9, .S = 16, .left = -2, .top = -3, .side = 21, .bottom_up = true});
    cases.push_back({.format = format, .width = 2, .height = 1, .S = 7, .left = -1, .top = -1, .side = 4});
  }
  for (const auto& [left, top] :
       {std::array{-9.0, 1.0}, {1.0, 30.0}, {-5.5, -5.5}, {4.5, 4.5}, {-1e300, 1e300}, {1e18, 0.0}})
    cases.push_back({.left = left, .top = top});                           // wholly or partly outside
  cases.push_back({.left = 2, .top = 1, .side = 1});                       // one pixel of the frame
  cases.push_back({.S = 1, .left = 2.25, .top = 1.5, .side = 3});          // one pixel of the crop
  cases.push_back({.S = 5, .left = 1, .top = 0, .side = 5});               // pixel for pixel
  cases.push_back({.width = 1, .height = 1, .left = -2.2, .top = -2.4});   // a frame of one pixel
  cases.push_back({.S = 33, .left = 3.3, .top = 2.2, .side = 1e-3});       // far below a pixel
  cases.push_back({.S = 40, .left = -49990, .top = -49990, .side = 1e5});  // the frame in one pixel of the crop
  cases.push_back({.S = 0});
  return cases;
}

}  // namespace detrack::test
