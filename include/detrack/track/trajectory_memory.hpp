// The last boxes of a target.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "detrack/core/box.hpp"
#include "detrack/core/error.hpp"

namespace detrack {

/// First in, first out, in frame pixels; always full: at the start every slot holds the first box.
class TrajectoryMemory {
 public:
  TrajectoryMemory() = default;
  explicit TrajectoryMemory(std::int64_t length) : boxes_(static_cast<std::size_t>(length)) {}

  void fill(const Box& box) { std::fill(boxes_.begin(), boxes_.end(), box); }
  /// Forgets the oldest box.
  void push(const Box& box) {
    if (boxes_.empty()) return;
    std::move(boxes_.begin() + 1, boxes_.end(), boxes_.begin());
    boxes_.back() = box;
  }
  /// Errors: argument, for another number of boxes than the memory holds.
  void restore(std::span<const Box> boxes) {
    if (boxes.size() != boxes_.size())
      fail(ErrorCode::argument, "TrajectoryMemory: expected ", boxes_.size(), " boxes, got ", boxes.size());
    std::copy(boxes.begin(), boxes.end(), boxes_.begin());
  }

  /// Oldest first.
  std::span<const Box> boxes() const { return boxes_; }

 private:
  std::vector<Box> boxes_;  // a handful: moving them costs less than a ring's arithmetic
};

}  // namespace detrack
