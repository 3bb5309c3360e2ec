// Frames of video files and of numbered pictures, over FFmpeg's libraries.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "detrack/image/frame_source.hpp"
#include "detrack/video/ffmpeg.hpp"
#include "detrack/video/stream.hpp"

namespace detrack {

struct VideoReaderOptions {
  int threads = 0;  ///< of the decoder; 0: a quarter of the cores, between 1 and 4, which leaves the rest to the tracker
  std::int64_t max_pixels = std::int64_t{1} << 27;  ///< of a frame; larger ones are refused before they take memory
};

/// Every frame of a video file, or of pictures with a number in their name ("img_%04d.png", the first one below 10000 and
/// none missing before the last).
///
/// Frames come out as the decoder made them, without a copy: yuv420p, nv12, yuyv422, gray and 8-bit RGB are views with the
/// matrix and range of their tags; without tags a height of 720 or more is BT.709, less is BT.601. Other pixel formats, and
/// frames that are stored rotated (phones), are converted to RGB in the orientation in which they are shown. No tone
/// mapping; pixels are taken as square. A Frame may be held, given to another thread and outlive the reader.
///
/// Numbering: frame i is the i-th that the decoder delivers in order of display. Damage that the decoder conceals is not an
/// error; a packet of which it makes no frame is one, so that no number is skipped. Only broadcast and raw streams that were
/// joined in their middle start at the first frame that can be decoded.
class VideoReader final : public FrameSource {
 public:
  /// Errors: io (cannot be opened), format (not a video, no video stream, codec unknown, too large), argument (options).
  explicit VideoReader(const std::string& path_or_pattern, const VideoReaderOptions& options = {})
      : stream_(open(path_or_pattern), path_or_pattern, {.threads = options.threads, .max_pixels = options.max_pixels}) {}

  /// Errors: io, format (cannot be read or decoded, another size than frame 0). After an error there are no more frames.
  std::optional<Frame> next() override { return stream_.next(); }

  /// Passes over `count` frames, exactly as reading them would, and returns how many there were. They are decoded, since no
  /// container tells reliably which frame a key frame is; cost: next() without conversion. Errors: as next().
  std::int64_t skip(std::int64_t count) {
    std::int64_t done = 0;
    while (done < count && stream_.skip()) ++done;
    return done;
  }

  std::string name() const override { return stream_.name(); }
  /// From the index of MP4 and AVI files, and for pictures; other containers do not say.
  std::optional<std::int64_t> frame_count() const override { return stream_.frame_count(); }
  /// 0 for pictures.
  double frame_rate() const override { return stream_.frame_rate(); }

  /// After the last frame: whether the file was cut off, or fewer frames came out than its index lists. Known for MP4 and
  /// AVI; where frame_count() is unknown, damage may take whole frames away unnoticed.
  bool ended_early() const { return stream_.ended_early(); }

 private:
  static detail::Av<AVFormatContext> open(const std::string& path) {
    detail::silence_log();
    detail::AvOptions options;
    options.set("start_number_range", 10000);  // for pictures; others ignore it
    detail::Av<AVFormatContext> input;
    const std::string url = detail::file_url(path);
    const int code = detail::open_input(input, url, nullptr, options);
    if (code == AVERROR(EISDIR) || (code < 0 && avio_check(url.c_str(), AVIO_FLAG_READ) < 0))
      fail(ErrorCode::io, path, ": cannot open: ", detail::reason(code));
    if (code < 0) fail(ErrorCode::format, path, ": not a video that FFmpeg can read: ", detail::reason(code));
    return input;
  }

  detail::VideoStream stream_;
};

}  // namespace detrack
