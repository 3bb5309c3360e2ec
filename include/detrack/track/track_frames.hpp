// Tracking through the frames of a source, with a word to the caller after each.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "detrack/image/frame_source.hpp"
#include "detrack/track/tracker.hpp"

namespace detrack {

/// Where tracking stands.
struct TrackProgress {
  const Frame& frame;
  std::optional<std::int64_t> frame_count;  ///< of the source, where it knows
  std::span<const TrackResult> results;     ///< a target each
};

/// Feeds every frame that `source` still has to targets that were added before. `on_frame` sees each frame's results and
/// ends the tracking by returning false. Returns the number of frames tracked.
/// Errors: those of the source; those of MultiTracker::update, naming source and frame; whatever `on_frame` throws.
inline std::int64_t track_frames(MultiTracker& targets, FrameSource& source,
                                 const std::function<bool(const TrackProgress&)>& on_frame) {
  const auto update = [&](const Frame& frame) {
    try {
      return targets.update(frame.image);
    } catch (const Error& error) {
      fail(error.code(), source.name(), ": frame ", frame.index, ": ", error.what());
    }
  };
  std::int64_t tracked = 0;
  while (const std::optional<Frame> frame = source.next()) {
    const auto results = update(*frame);
    ++tracked;
    if (!on_frame({*frame, source.frame_count(), results})) break;
  }
  return tracked;
}

}  // namespace detrack
