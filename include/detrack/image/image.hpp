// Images of 8 bits a sample: a borrowed view of anybody's memory in any camera format, and an owned RGB image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/core/pixels.hpp"

namespace detrack {

/// How pixels lie in memory, one byte a sample.
enum class PixelFormat {
  rgb,   ///< R G B
  bgr,   ///< B G R (OpenCV's default)
  rgba,  ///< R G B A; alpha is ignored
  bgra,  ///< B G R A
  gray,  ///< one sample
  nv12,  ///< a plane Y, then a plane of U V pairs, half as wide and high
  i420,  ///< planes Y, U and V, the latter two half as wide and high
  yuyv   ///< Y U Y V: two pixels share U and V (YUY2, what most USB cameras deliver)
};

constexpr std::string_view to_string(PixelFormat format) {
  switch (format) {
    case PixelFormat::rgb: return "rgb";
    case PixelFormat::bgr: return "bgr";
    case PixelFormat::rgba: return "rgba";
    case PixelFormat::bgra: return "bgra";
    case PixelFormat::gray: return "gray";
    case PixelFormat::nv12: return "nv12";
    case PixelFormat::i420: return "i420";
    case PixelFormat::yuyv: return "yuyv";
  }
  return "unknown";
}

/// How Y, U and V become RGB.
struct YuvColour {
  enum class Standard {
    bt601,  ///< standard definition, JPEG and most cameras
    bt709   ///< high definition
  };
  Standard standard = Standard::bt601;
  bool full_range = false;  ///< samples use 0 to 255 (JPEG), not 16 to 235 and 240

  /// The matrix in 16-bit fixed point, rounding included.   [ITU-R BT.601-7, BT.709-6]
  ColourMatrix matrix() const {
    const double kr = standard == Standard::bt601 ? 0.299 : 0.2126, kb = standard == Standard::bt601 ? 0.114 : 0.0722;
    const double kg = 1 - kr - kb;
    const double luma = full_range ? 1 : 255.0 / 219, chroma = full_range ? 1 : 255.0 / 224;
    const double u[3] = {0, -2 * kb * (1 - kb) / kg * chroma, 2 * (1 - kb) * chroma};
    const double v[3] = {2 * (1 - kr) * chroma, -2 * kr * (1 - kr) / kg * chroma, 0};
    const auto fixed = [](double x) { return static_cast<std::int32_t>(x * 65536 + (x < 0 ? -0.5 : 0.5)); };
    ColourMatrix m{};
    for (std::size_t c = 0; c < 3; ++c) {
      m[c] = {fixed(luma), fixed(u[c]), fixed(v[c]), 0};
      m[c][3] = 32768 - m[c][0] * (full_range ? 0 : 16) - (m[c][1] + m[c][2]) * 128;
    }
    return m;
  }
};

/// A frame in somebody's memory, without a copy: pointer, row stride and format for each plane. The memory must stay as it
/// is for as long as the view is used. Trivially copyable.
class ImageView {
 public:
  ImageView() = default;

  /// One plane: rgb, bgr, rgba, bgra, gray or yuyv. `stride` is the bytes from one row to the next, 0 for rows without
  /// gaps; negative for frames stored bottom up, `data` then being the top row.
  /// Errors: argument (null, an extent outside [1, kMaxSide], a stride smaller than a row, a planar format).
  static ImageView packed(const std::uint8_t* data, std::int64_t width, std::int64_t height, PixelFormat format,
                          std::ptrdiff_t stride = 0, YuvColour colour = {}) {
    const ImageView view(width, height, format, colour);
    if (format == PixelFormat::nv12 || format == PixelFormat::i420)
      fail(ErrorCode::argument, "ImageView::packed: format: expected one of a single plane, got ", to_string(format));
    return view.with_plane(0, data, stride);
  }

  /// Errors: argument, as packed().
  static ImageView nv12(const std::uint8_t* y, std::ptrdiff_t y_stride, const std::uint8_t* uv, std::ptrdiff_t uv_stride,
                        std::int64_t width, std::int64_t height, YuvColour colour = {}) {
    return ImageView(width, height, PixelFormat::nv12, colour).with_plane(0, y, y_stride).with_plane(1, uv, uv_stride);
  }

  /// Errors: argument, as packed().
  static ImageView i420(const std::uint8_t* y, std::ptrdiff_t y_stride, const std::uint8_t* u, std::ptrdiff_t u_stride,
                        const std::uint8_t* v, std::ptrdiff_t v_stride, std::int64_t width, std::int64_t height,
                        YuvColour colour = {}) {
    return ImageView(width, height, PixelFormat::i420, colour)
        .with_plane(0, y, y_stride)
        .with_plane(1, u, u_stride)
        .with_plane(2, v, v_stride);
  }

  std::int64_t width() const { return width_; }
  std::int64_t height() const { return height_; }
  PixelFormat format() const { return format_; }
  /// Of nv12, i420 and yuyv.
  YuvColour colour() const { return colour_; }
  /// First pixel of the top row of a plane in memory (null beyond the last one), and the bytes from one row to the next.
  const std::uint8_t* data(std::size_t plane = 0) const { return data_[plane]; }
  std::ptrdiff_t stride(std::size_t plane = 0) const { return stride_[plane]; }
  explicit operator bool() const { return width_ > 0; }

  /// The same planes, said to be memory of a device (a decoder's, say): for trackers whose network runs there. Nothing else of
  /// the library reads such a view.
  ImageView on(Device device) const {
    ImageView view = *this;
    view.device_ = device;
    return view;
  }
  Device device() const { return device_; }

  /// The same memory as three strided planes, which is what kernels read.
  Pixels pixels() const {
    Pixels p{.height = height_, .width = width_};
    const auto plane = [&](std::size_t memory, std::int64_t offset, std::int64_t step, int shift_y, int shift_x) {
      const Shape shape{(height_ + (1 << shift_y) - 1) >> shift_y, (width_ + (1 << shift_x) - 1) >> shift_x};
      return Pixels::Plane{{data_[memory] + offset, shape, {stride_[memory], step}, device_}, shift_y, shift_x};
    };
    switch (format_) {
      case PixelFormat::rgb: p.planes = {plane(0, 0, 3, 0, 0), plane(0, 1, 3, 0, 0), plane(0, 2, 3, 0, 0)}; break;
      case PixelFormat::bgr: p.planes = {plane(0, 2, 3, 0, 0), plane(0, 1, 3, 0, 0), plane(0, 0, 3, 0, 0)}; break;
      case PixelFormat::rgba: p.planes = {plane(0, 0, 4, 0, 0), plane(0, 1, 4, 0, 0), plane(0, 2, 4, 0, 0)}; break;
      case PixelFormat::bgra: p.planes = {plane(0, 2, 4, 0, 0), plane(0, 1, 4, 0, 0), plane(0, 0, 4, 0, 0)}; break;
      case PixelFormat::gray: p.planes = {plane(0, 0, 1, 0, 0), plane(0, 0, 1, 0, 0), plane(0, 0, 1, 0, 0)}; break;
      case PixelFormat::nv12: p.planes = {plane(0, 0, 1, 0, 0), plane(1, 0, 2, 1, 1), plane(1, 1, 2, 1, 1)}; break;
      case PixelFormat::i420: p.planes = {plane(0, 0, 1, 0, 0), plane(1, 0, 1, 1, 1), plane(2, 0, 1, 1, 1)}; break;
      case PixelFormat::yuyv: p.planes = {plane(0, 0, 2, 0, 0), plane(0, 1, 4, 0, 1), plane(0, 3, 4, 0, 1)}; break;
    }
    p.is_rgb = format_ != PixelFormat::nv12 && format_ != PixelFormat::i420 && format_ != PixelFormat::yuyv;
    if (!p.is_rgb) p.to_rgb = colour_.matrix();
    return p;
  }

  static constexpr std::int64_t kMaxSide = 1 << 20;  ///< pixels; keeps every product of extents within 64 bits

 private:
  ImageView(std::int64_t width, std::int64_t height, PixelFormat format, YuvColour colour)
      : width_(width), height_(height), format_(format), colour_(colour) {
    if (width < 1 || height < 1 || width > kMaxSide || height > kMaxSide)
      fail(ErrorCode::argument, "ImageView: size: expected sides in [1, ", kMaxSide, "], got ", width, "x", height);
    if (format == PixelFormat::yuyv && width % 2 != 0)
      fail(ErrorCode::argument, "ImageView: width: expected an even number for yuyv, got ", width);
  }

  /// Bytes of a row of plane `i`.
  std::int64_t row_bytes(std::size_t i) const {
    switch (format_) {
      case PixelFormat::rgb:
      case PixelFormat::bgr: return 3 * width_;
      case PixelFormat::rgba:
      case PixelFormat::bgra: return 4 * width_;
      case PixelFormat::gray: return width_;
      case PixelFormat::nv12: return i == 0 ? width_ : (width_ + 1) / 2 * 2;
      case PixelFormat::i420: return i == 0 ? width_ : (width_ + 1) / 2;
      case PixelFormat::yuyv: return 2 * width_;
    }
    return 0;
  }

  ImageView with_plane(std::size_t i, const std::uint8_t* data, std::ptrdiff_t stride) const {
    if (!data) fail(ErrorCode::argument, "ImageView: plane ", i, ": expected pixels, got a null pointer");
    const std::int64_t least = row_bytes(i);
    if (stride != 0 && stride < least && stride > -least)
      fail(ErrorCode::argument, "ImageView: plane ", i, ": expected a stride of at least ", least, " bytes, got ", stride);
    ImageView view = *this;
    view.data_[i] = data;
    view.stride_[i] = stride == 0 ? least : stride;
    return view;
  }

  const std::uint8_t* data_[3] = {};
  std::ptrdiff_t stride_[3] = {};
  std::int64_t width_ = 0, height_ = 0;
  PixelFormat format_ = PixelFormat::rgb;
  YuvColour colour_;
  Device device_;
};

/// An RGB image that owns its memory, rows without gaps. Reads as an ImageView.
class Image {
 public:
  Image() = default;
  /// Black. Errors: argument, for sides outside [1, ImageView::kMaxSide]; std::bad_alloc.
  Image(std::int64_t width, std::int64_t height) : width_(width), height_(height) {
    if (width < 1 || height < 1 || width > ImageView::kMaxSide || height > ImageView::kMaxSide)
      fail(ErrorCode::argument, "Image: size: expected sides in [1, ", ImageView::kMaxSide, "], got ", width, "x", height);
    bytes_.resize(static_cast<std::size_t>(3 * width * height));
  }
  Image(const Image&) = default;
  Image& operator=(const Image& other) { return *this = Image(other); }  // all or nothing, should memory come to its end
  /// Leaves `other` without pixels.
  Image(Image&& other) noexcept { swap(other); }
  Image& operator=(Image&& other) noexcept {
    Image moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~Image() = default;

  std::int64_t width() const { return width_; }
  std::int64_t height() const { return height_; }
  explicit operator bool() const { return !bytes_.empty(); }
  std::uint8_t* data() { return bytes_.data(); }
  const std::uint8_t* data() const { return bytes_.data(); }
  /// Red, green, blue of one pixel, unchecked.
  std::uint8_t* pixel(std::int64_t row, std::int64_t column) { return data() + 3 * (row * width_ + column); }
  const std::uint8_t* pixel(std::int64_t row, std::int64_t column) const { return data() + 3 * (row * width_ + column); }

  /// Errors: argument, for an image without pixels.
  ImageView view() const { return ImageView::packed(data(), width_, height_, PixelFormat::rgb); }
  operator ImageView() const { return view(); }

 private:
  void swap(Image& other) noexcept {
    std::swap(width_, other.width_);
    std::swap(height_, other.height_);
    bytes_.swap(other.bytes_);
  }

  std::int64_t width_ = 0, height_ = 0;
  std::vector<std::uint8_t> bytes_;
};

}  // namespace detrack
