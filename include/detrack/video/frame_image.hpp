// Decoded frames as images: in place where ImageView knows the format, as RGB where it does not or the frame is rotated.
#pragma once

extern "C" {
#include <libavutil/display.h>
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "detrack/core/error.hpp"
#include "detrack/image/image.hpp"
#include "detrack/video/ffmpeg.hpp"

namespace detrack::detail {

/// How stored pixels are shown: axes exchanged first, then mirrored.
struct Orientation {
  bool transposed = false, mirror_x = false, mirror_y = false;
  bool operator==(const Orientation&) const = default;

  /// From a display matrix: shown x = m[0] x + m[3] y, shown y = m[1] x + m[4] y, to the nearest right angle.
  static Orientation of(const std::int32_t* m) {
    const auto size = [](std::int32_t x) { return std::abs(static_cast<std::int64_t>(x)); };
    const bool transposed = size(m[1]) + size(m[3]) > size(m[0]) + size(m[4]);
    return transposed ? Orientation{true, m[3] < 0, m[1] < 0} : Orientation{false, m[0] < 0, m[4] < 0};
  }
};

/// How Y, U and V of a frame become RGB.
struct FrameColour {
  int matrix = SWS_CS_ITU601;  ///< one of swscale's SWS_CS_*
  bool full_range = false;

  /// By the frame's tags. Without any, high definition is BT.709 and all else BT.601, as encoders take it to be.
  static FrameColour of(const AVFrame& frame) {
    const bool jpeg = frame.format == AV_PIX_FMT_YUVJ420P || frame.format == AV_PIX_FMT_YUVJ422P ||
                      frame.format == AV_PIX_FMT_YUVJ444P || frame.format == AV_PIX_FMT_YUVJ440P ||
                      frame.format == AV_PIX_FMT_YUVJ411P;
    const AVPixFmtDescriptor* format = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
    const bool gray = format && format->nb_components < 3;  // full range is FFmpeg's custom there
    const bool full = jpeg || frame.color_range == AVCOL_RANGE_JPEG || (gray && frame.color_range != AVCOL_RANGE_MPEG);
    switch (frame.colorspace) {
      case AVCOL_SPC_RGB:
      case AVCOL_SPC_UNSPECIFIED:
      case AVCOL_SPC_RESERVED: return {frame.height >= 720 && !jpeg ? SWS_CS_ITU709 : SWS_CS_ITU601, full};
      case AVCOL_SPC_BT470BG:
      case AVCOL_SPC_SMPTE170M: return {SWS_CS_ITU601, full};
      default: return {static_cast<int>(frame.colorspace), full};  // swscale numbers the others as H.273 does
    }
  }

  /// Nothing for the rare matrices that ImageView does not know (BT.2020, FCC, SMPTE 240M ...).
  std::optional<YuvColour> known() const {
    if (matrix == SWS_CS_ITU709) return YuvColour{YuvColour::Standard::bt709, full_range};
    if (matrix == SWS_CS_ITU601) return YuvColour{YuvColour::Standard::bt601, full_range};
    return {};
  }
};

/// The pixels of a frame as they lie, or nothing if they need a conversion.
inline std::optional<ImageView> view_of(const AVFrame& frame) {
  const auto packed = [&](PixelFormat format, YuvColour colour = {}) {
    return ImageView::packed(frame.data[0], frame.width, frame.height, format, frame.linesize[0], colour);
  };
  const auto colour = FrameColour::of(frame).known();
  switch (frame.format) {
    case AV_PIX_FMT_RGB24: return packed(PixelFormat::rgb);
    case AV_PIX_FMT_BGR24: return packed(PixelFormat::bgr);
    case AV_PIX_FMT_RGBA:
    case AV_PIX_FMT_RGB0: return packed(PixelFormat::rgba);
    case AV_PIX_FMT_BGRA:
    case AV_PIX_FMT_BGR0: return packed(PixelFormat::bgra);
    case AV_PIX_FMT_GRAY8:
      if (!FrameColour::of(frame).full_range) return {};  // which ImageView's gray is
      return packed(PixelFormat::gray);
    case AV_PIX_FMT_YUYV422:
      if (!colour || frame.width % 2 != 0) return {};
      return packed(PixelFormat::yuyv, *colour);
    case AV_PIX_FMT_NV12:
      if (!colour) return {};
      return ImageView::nv12(frame.data[0], frame.linesize[0], frame.data[1], frame.linesize[1], frame.width, frame.height,
                             *colour);
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P:
      if (!colour) return {};
      return ImageView::i420(frame.data[0], frame.linesize[0], frame.data[1], frame.linesize[1], frame.data[2],
                             frame.linesize[2], frame.width, frame.height, *colour);
    default: return {};
  }
}

/// A packed RGB frame as it is shown.
inline std::shared_ptr<AVFrame> oriented(const AVFrame& stored, const Orientation& how) {
  const auto shown = how.transposed ? make_frame(AV_PIX_FMT_RGB24, stored.height, stored.width)
                                    : make_frame(AV_PIX_FMT_RGB24, stored.width, stored.height);
  // Bytes from a shown pixel's source to that of the one right of it, and of the one below it.
  std::ptrdiff_t right = 3, below = stored.linesize[0];
  if (how.transposed) std::swap(right, below);
  const std::uint8_t* first = stored.data[0];
  if (how.mirror_x) first += (shown->width - 1) * right, right = -right;
  if (how.mirror_y) first += (shown->height - 1) * below, below = -below;
  constexpr int side = 16;  // of the tiles in which a transposed walk uses each cache line whole
  for (int row_begin = 0; row_begin < shown->height; row_begin += side)
    for (int begin = 0; begin < shown->width; begin += side) {
      const int row_end = std::min(row_begin + side, shown->height), end = std::min(begin + side, shown->width);
      for (int row = row_begin; row < row_end; ++row) {
        const std::uint8_t* from = first + row * below + begin * right;
        std::uint8_t* to = shown->data[0] + std::ptrdiff_t{row} * shown->linesize[0] + 3 * begin;
        for (int column = begin; column < end; ++column, from += right, to += 3) std::copy_n(from, 3, to);
      }
    }
  return shown;
}

/// Turns any frame into RGB, within three levels (exact rounding costs swscale twenty times the time); keeps what swscale
/// has set up for frames of one kind.
class RgbConverter {
 public:
  /// Errors: format (swscale does not read this pixel format). `where` begins their message.
  std::shared_ptr<AVFrame> operator()(const AVFrame& frame, const std::string& where) {
    const Kind kind{frame.width, frame.height, frame.format, FrameColour::of(frame)};
    if (!scaler_ || !(kind == kind_)) prepare(kind, where);
    auto rgb = make_frame(AV_PIX_FMT_RGB24, frame.width, frame.height);
    const int rows = sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, rgb->data, rgb->linesize);
    if (rows < 0) fail(ErrorCode::format, where, ": cannot be converted to RGB: ", reason(rows));
    if (frame.format == AV_PIX_FMT_GRAY8 && !kind.colour.full_range) expand_range(*rgb);  // swscale copies it as it is
    return rgb;
  }

 private:
  struct Kind {
    int width, height, format;
    FrameColour colour;
    bool operator==(const Kind& other) const {
      return width == other.width && height == other.height && format == other.format &&
             colour.matrix == other.colour.matrix && colour.full_range == other.colour.full_range;
    }
  };

  static void expand_range(AVFrame& rgb) {
    for (int row = 0; row < rgb.height; ++row) {
      std::uint8_t* samples = rgb.data[0] + std::ptrdiff_t{row} * rgb.linesize[0];
      for (int i = 0; i < 3 * rgb.width; ++i)
        samples[i] = static_cast<std::uint8_t>(std::clamp(((samples[i] - 16) * 255 + 109) / 219, 0, 255));
    }
  }

  void prepare(const Kind& kind, const std::string& where) {
    const auto format = static_cast<AVPixelFormat>(kind.format);
    const char* name = av_get_pix_fmt_name(format);
    scaler_.reset(sws_isSupportedInput(format)
                      ? sws_getContext(kind.width, kind.height, format, kind.width, kind.height, AV_PIX_FMT_RGB24,
                                       SWS_BILINEAR | SWS_FULL_CHR_H_INT, nullptr, nullptr, nullptr)
                      : nullptr);
    if (!scaler_) fail(ErrorCode::format, where, ": cannot be converted to RGB from pixel format ", name ? name : "unknown");
    sws_setColorspaceDetails(scaler_.get(), sws_getCoefficients(kind.colour.matrix), kind.colour.full_range,
                             sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
    kind_ = kind;
  }

  Av<SwsContext> scaler_;
  Kind kind_{};
};

}  // namespace detrack::detail
