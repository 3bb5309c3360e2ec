// Frames of a camera, over libavdevice (Video4Linux on Linux).
#pragma once

extern "C" {
#include <libavdevice/avdevice.h>
}

#include <cstdint>
#include <optional>
#include <string>

#include "detrack/core/error.hpp"
#include "detrack/image/frame_source.hpp"
#include "detrack/video/ffmpeg.hpp"
#include "detrack/video/stream.hpp"

namespace detrack {

/// What to ask the camera for; 0 and empty: its own choice. Drivers may settle for something near.
struct CameraOptions {
  int width = 0, height = 0;
  double frame_rate = 0;
  std::string format{};         ///< FFmpeg's name of a pixel format or codec: "yuyv422", "nv12", "mjpeg" ...
  std::string driver = "v4l2";  ///< FFmpeg's name of an input device
};

/// A camera such as "/dev/video0".
///
/// Latency: next() waits for a frame, or takes the newest of those that wait in the driver and leaves the others out, so
/// that a slow tracker sees the present and not a queue (streams whose frames depend on each other, such as H.264, cannot
/// leave any out). Frame::index counts frames delivered. Raw frames lie in the driver's buffers while they are held: hold
/// few. Frames that do not decode are left out; five seconds without a frame, or a camera that is pulled out, are an error.
class Camera final : public FrameSource {
 public:
  /// Errors: io (no such device, no rights, in use), argument (the device refuses an option), not_available (FFmpeg was
  /// built without the driver).
  explicit Camera(const std::string& device, const CameraOptions& options = {})
      : stream_(open(device, options), device, {.max_pixels = std::int64_t{1} << 27, .live = true}) {}

  /// Errors: io, format.
  std::optional<Frame> next() override { return stream_.next(); }
  std::string name() const override { return stream_.name(); }
  double frame_rate() const override { return stream_.frame_rate(); }

 private:
  static detail::Av<AVFormatContext> open(const std::string& device, const CameraOptions& wanted) {
    detail::silence_log();
    static const bool registered = (avdevice_register_all(), true);
    static_cast<void>(registered);
    const AVInputFormat* driver = av_find_input_format(wanted.driver.c_str());
    if (!driver) fail(ErrorCode::not_available, device, ": this build of FFmpeg has no input device '", wanted.driver, "'");
    detail::AvOptions options;
    if (wanted.width > 0 || wanted.height > 0) options.set("video_size", detail::concat(wanted.width, 'x', wanted.height));
    if (wanted.frame_rate > 0) options.set("framerate", detail::concat(wanted.frame_rate));
    if (!wanted.format.empty()) options.set("input_format", wanted.format);
    detail::Av<AVFormatContext> input;
    const int code = detail::open_input(input, device, driver, options, AVFMT_FLAG_NONBLOCK);
    if (code < 0)
      fail(detail::from_system(code) ? ErrorCode::io : ErrorCode::argument, device, ": cannot open: ", detail::reason(code));
    return input;
  }

  detail::VideoStream stream_;
};

}  // namespace detrack
