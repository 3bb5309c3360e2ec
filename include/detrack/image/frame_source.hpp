// Where frames come from, one after the other: a video, a folder of pictures, a camera.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "detrack/image/image.hpp"

namespace detrack {

/// A decoded frame, alive as long as somebody holds it.
struct Frame {
  ImageView image;
  std::shared_ptr<const void> owner;  ///< keeps the pixels of `image`
  std::int64_t index = 0;             ///< 0 for the source's first frame
};

/// Delivers frames in order. One thread at a time.
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  /// The next frame, or nothing at the end. Errors: io, format, naming the source, the frame and the reason.
  virtual std::optional<Frame> next() = 0;
  /// Passes over `count` frames, exactly as reading them would, and returns how many there were. Errors: as next().
  virtual std::int64_t skip(std::int64_t count) {
    std::int64_t skipped = 0;
    while (skipped < count && next()) ++skipped;
    return skipped;
  }
  /// File, folder or device, for messages.
  virtual std::string name() const = 0;
  /// How many frames there are, where that is known before reading them (a container may be wrong about it).
  virtual std::optional<std::int64_t> frame_count() const { return {}; }
  /// After the last frame: whether the source promised more than it held, because it was cut off or lost some.
  virtual bool ended_early() const { return false; }
  /// Frames per second of the recording; 0 where there is no such thing.
  virtual double frame_rate() const { return 0; }
};

}  // namespace detrack
