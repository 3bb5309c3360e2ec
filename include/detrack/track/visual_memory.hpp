// Which frames' views of the target the network is given as templates, and when a new one enters.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "detrack/track/options.hpp"

namespace detrack {

/// The first frame's template stays; the others are first in, first out, all copies of the first frame's at the start.
/// This is the book-keeping: which frame each template came from. The pixels are with the network (NetworkRun).
class VisualMemory {
 public:
  VisualMemory() = default;
  VisualMemory(const VisualMemoryOptions& options, std::int64_t templates)
      : options_(options), frames_(static_cast<std::size_t>(templates), 0) {}

  /// All templates are views of frame 0.
  void fill() { std::fill(frames_.begin(), frames_.end(), 0); }

  /// interval(t) = 5 * 2^min(5, floor(t / 100)) frames, by default.
  std::int64_t interval(std::int64_t frame) const {
    return options_.first_interval << std::min(options_.max_doublings, frame / options_.doubling);
  }
  bool is_candidate(std::int64_t frame) const {
    return options_.mode != VisualMemoryOptions::Mode::fixed && frames_.size() > 1 && frame > 0 &&
           frame % interval(frame) == 0;
  }
  /// Whether a candidate of these scores enters. One that is refused is not tried again.
  bool admits(double iou, double score) const {
    return options_.mode == VisualMemoryOptions::Mode::always || (iou > options_.min_iou && score > options_.min_score);
  }
  /// Forgets the oldest dynamic template.
  void push(std::int64_t frame) {
    if (frames_.size() < 2) return;
    std::move(frames_.begin() + 2, frames_.end(), frames_.begin() + 1);
    frames_.back() = frame;
  }
  /// Errors: argument, for another number of templates.
  void restore(std::span<const std::int64_t> frames) {
    if (frames.size() != frames_.size())
      fail(ErrorCode::argument, "VisualMemory: expected ", frames_.size(), " templates, got ", frames.size());
    std::copy(frames.begin(), frames.end(), frames_.begin());
  }

  /// The frame each template came from: the fixed one first, then the dynamic ones, oldest first.
  std::span<const std::int64_t> frames() const { return frames_; }

 private:
  VisualMemoryOptions options_;
  std::vector<std::int64_t> frames_;
};

}  // namespace detrack
