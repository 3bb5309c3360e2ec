// One target without pixels: its box, memories and state, from frame to frame. Plain host arithmetic in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/crop_region.hpp"
#include "detrack/track/trajectory_memory.hpp"
#include "detrack/track/visual_memory.hpp"

namespace detrack {

enum class TargetState {
  tracking,
  uncertain,  ///< a score is below its threshold in this frame
  lost        ///< uncertain for many frames in a row, until it is found
};

constexpr std::string_view to_string(TargetState state) {
  switch (state) {
    case TargetState::tracking: return "tracking";
    case TargetState::uncertain: return "uncertain";
    case TargetState::lost: return "lost";
  }
  return "unknown";
}

/// What a target is cropped by, from the weights file and the options.
struct TargetGeometry {
  double search_factor = 4, template_factor = 2;
  std::int64_t templates = 3;   ///< given to the network, the fixed one included
  std::int64_t trajectory = 0;  ///< previous boxes given to the network
};

/// Everything of a target that changes, for saving and restoring.
struct TargetRecord {
  std::int64_t frame = 0;              ///< frames since init()
  std::int64_t width = 0, height = 0;  ///< of the frames, pixels
  Box box;
  Box certain_box;  ///< of the last certain frame
  TargetState state = TargetState::tracking;
  std::int64_t uncertain_frames = 0;  ///< in a row, up to this frame
  std::vector<Box> trajectory;
  std::vector<std::int64_t> template_frames;
};

/// Each frame: search_region(), then the network, then place() and conclude().
class Target {
 public:
  struct Verdict {
    Box box;  ///< what is reported: in the frame
    TargetState state = TargetState::tracking;
    bool admitted = false;  ///< the view at `box` is to become a template
  };

  Target(const TargetGeometry& geometry, const TrackerOptions& options)
      : geometry_(geometry),
        confidence_(options.confidence),
        trajectory_(geometry.trajectory),
        visual_(options.visual_memory, geometry.templates) {}

  /// Frame 0. Errors: argument (a box that is not finite, has no area, or lies outside the frame).
  void init(const Box& box, std::int64_t width, std::int64_t height) {
    check_box("init", box, width, height);
    frame_ = 0;
    width_ = width;
    height_ = height;
    visual_.fill();
    relocate(box);
  }

  /// The user says where the target is: box and trajectory start anew, templates stay. Errors: argument.
  void relocate(const Box& box) {
    check_box("relocate", box, width_, height_);
    box_ = certain_box_ = box;
    trajectory_.fill(box);
    uncertain_frames_ = 0;
    state_ = TargetState::tracking;
  }

  /// Where the next frame is looked at: around the last box; while the target is held in wider crops, too.
  CropRegion search_region() const {
    double factor = geometry_.search_factor;
    if (holding())
      factor *= static_cast<double>(1 + (uncertain_frames_ - confidence_.hold_after) % confidence_.widest_search);
    return crop_around(box_, factor);
  }
  CropRegion template_region(const Box& box) const { return crop_around(box, geometry_.template_factor); }

  /// A predicted box in the frame's pixels, clipped to the frame; the last box where the prediction is none: not finite, or
  /// corners in the wrong order.
  Box place(const CropBox& predicted, const CropRegion& region) const {
    return place_in_frame(predicted, region, box_, static_cast<double>(width_), static_cast<double>(height_));
  }

  /// Takes over the frame's result. Scores that are no numbers are below every threshold.
  Verdict conclude(const Box& placed, double iou, double score) {
    ++frame_;
    const double enough =
        uncertain_frames_ > 0 ? std::max(confidence_.found_score, confidence_.min_score) : confidence_.min_score;
    const bool certain = score >= enough && iou >= confidence_.min_iou;
    uncertain_frames_ = certain ? 0 : uncertain_frames_ + 1;
    state_ = certain                                      ? TargetState::tracking
             : uncertain_frames_ < confidence_.lost_after ? TargetState::uncertain
                                                          : TargetState::lost;
    if (holding()) {
      if (!(box_ == certain_box_)) {
        box_ = certain_box_;  // where uncertain frames led is forgotten; the newest box of the trajectory is the last box
        trajectory_.push(box_);
      }
      return {clipped(box_), state_, false};
    }
    box_ = placed;
    if (certain) certain_box_ = placed;
    trajectory_.push(placed);
    const bool admitted = visual_.is_candidate(frame_) && visual_.admits(iou, score);
    if (admitted) visual_.push(frame_);
    return {placed, state_, admitted};
  }

  /// The view at `box` is to become a template by the user's choice. Errors: argument (the box; no room for templates).
  void note_template(const Box& box) {
    check_box("template", box, width_, height_);
    if (geometry_.templates < 2)
      fail(ErrorCode::argument,
           "Target: template: expected a network with dynamic templates, got one with "
           "the fixed one only");
    visual_.push(frame_);
  }

  const Box& box() const { return box_; }
  TargetState state() const { return state_; }
  std::int64_t frame() const { return frame_; }
  std::int64_t width() const { return width_; }
  std::int64_t height() const { return height_; }
  const TrajectoryMemory& trajectory() const { return trajectory_; }
  const VisualMemory& visual_memory() const { return visual_; }

  TargetRecord record() const {
    const auto boxes = trajectory_.boxes();
    const auto frames = visual_.frames();
    return {frame_,
            width_,
            height_,
            box_,
            certain_box_,
            state_,
            uncertain_frames_,
            {boxes.begin(), boxes.end()},
            {frames.begin(), frames.end()}};
  }
  /// Errors: argument, where the record contradicts itself or does not fit the network; the target stays as it was.
  void restore(const TargetRecord& record) {
    const auto expect = [](bool ok, const char* what) {
      if (!ok) fail(ErrorCode::argument, "Target: restore: expected ", what);
    };
    for (const Box& box : {record.box, record.certain_box}) check_box("restore", box, record.width, record.height);
    expect(record.frame >= 0 && record.frame <= kMostFrames && record.uncertain_frames >= 0 &&
               record.uncertain_frames <= record.frame,
           "frame counts that are possible");
    for (const Box& box : record.trajectory) expect(box.valid(), "a trajectory of finite boxes");
    for (const std::int64_t frame : record.template_frames)
      expect(frame >= 0 && frame <= record.frame, "templates of frames that were seen");
    Target restored = *this;
    restored.trajectory_.restore(record.trajectory);
    restored.visual_.restore(record.template_frames);
    restored.frame_ = record.frame;
    restored.width_ = record.width;
    restored.height_ = record.height;
    restored.box_ = record.box;
    restored.certain_box_ = record.certain_box;
    restored.state_ = record.state;
    restored.uncertain_frames_ = record.uncertain_frames;
    *this = std::move(restored);
  }

 private:
  bool holding() const { return confidence_.hold_after > 0 && uncertain_frames_ >= confidence_.hold_after; }

  static void check_box(const char* what, const Box& box, std::int64_t width, std::int64_t height) {
    if (width < 1 || height < 1) fail(ErrorCode::argument, "Target: ", what, ": expected init() before");
    const Box frame{0, 0, static_cast<double>(width), static_cast<double>(height)};
    const bool sane = box.finite() && std::max({std::abs(box.x), std::abs(box.y), box.w, box.h}) <= kMaxCoordinate &&
                      std::min(box.w, box.h) >= kMinBoxSide;
    if (!sane || !(intersection(box, frame) > 0))
      fail(ErrorCode::argument, "Target: ", what, ": box: expected x,y,w,h that overlap the ", width, "x", height,
           " frame, sides of at least ", kMinBoxSide, ", got ", box.x, ",", box.y, ",", box.w, ",", box.h);
  }

  Box clipped(const Box& box) const { return clip_to_frame(box, static_cast<double>(width_), static_cast<double>(height_)); }

  static constexpr double kMaxCoordinate = 1e7;  // pixels: far beyond any frame
  static constexpr std::int64_t kMostFrames = 1'000'000'000'000'000;  // at 1,000 a second 30,000 years

  TargetGeometry geometry_;
  ConfidenceOptions confidence_;
  TrajectoryMemory trajectory_;
  VisualMemory visual_;
  std::int64_t frame_ = 0, width_ = 0, height_ = 0;
  Box box_, certain_box_;
  TargetState state_ = TargetState::tracking;
  std::int64_t uncertain_frames_ = 0;
};

}  // namespace detrack
