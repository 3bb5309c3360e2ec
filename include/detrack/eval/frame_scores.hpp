// What each frame of a run scores under a protocol and a convention.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "detrack/core/box.hpp"
#include "detrack/core/error.hpp"
#include "detrack/data/sequence.hpp"
#include "detrack/eval/convention.hpp"
#include "detrack/eval/metrics.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack {

/// The frames of one run that the curves are computed from, and those that the average overlap is.
struct FrameScores {
  std::vector<double> overlaps;                      ///< NaN or negative: below every threshold
  std::vector<double> centre_errors;                 ///< NaN or infinite: above every threshold
  std::vector<double> norm_errors;                   ///< the same; negative: counts everywhere
  std::vector<double> mean_overlaps;                 ///< of frames whose overlap enters ao and sr, in [0, 1]
  std::vector<double> frame_overlaps, frame_errors;  ///< of every frame, NaN where not scored, for plots
};

namespace detail {

inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// A run as a toolkit sees it: what cannot be a box is no box at all.
inline Box usable_box(const Box& box) {
  return box.finite() ? box : no_box();
}

/// A frame that counts: its measures, and whether ao and sr take it.
inline void add_frame(FrameScores& scores, std::size_t frame, double overlap, double centre, double norm) {
  scores.overlaps.push_back(overlap);
  scores.centre_errors.push_back(centre);
  scores.norm_errors.push_back(norm);
  scores.frame_overlaps[frame] = overlap >= 0 ? overlap : 0;
  scores.frame_errors[frame] = centre;
  if (frame > 0) scores.mean_overlaps.push_back(scores.frame_overlaps[frame]);
}

inline FrameScores frames_not_scored(std::size_t count) {
  FrameScores scores;
  scores.frame_overlaps.assign(count, kNaN);
  scores.frame_errors.assign(count, kNaN);
  return scores;
}

/// OTB and LaSOT in got-10k/toolkit: frame 0 counts as the truth, the longer of run and truth is cut.
inline FrameScores toolkit_frames(const Sequence& sequence, std::span<const Box> run) {
  const auto& truth = sequence.truth;
  FrameScores scores = frames_not_scored(truth.size());
  for (std::size_t i = 0; i < std::min(truth.size(), run.size()); ++i) {
    if (!truth[i].finite()) continue;
    const Box box = usable_box(i == 0 ? truth[0] : run[i]);
    add_frame(scores, i, toolkit_overlap(box, truth[i]), centre_error(box, truth[i]), toolkit_norm_error(box, truth[i]));
  }
  return scores;
}

/// GOT-10k in got-10k/toolkit: frame 0 does not count, nor frames with cover 0; boxes are bounded to the frame.
inline FrameScores got10k_frames(const Sequence& sequence, std::span<const Box> run) {
  const auto& truth = sequence.truth;
  FrameScores scores = frames_not_scored(truth.size());
  for (std::size_t i = 1; i < truth.size(); ++i) {
    if (!truth[i].finite() || (i < sequence.cover.size() && sequence.cover[i] == 0)) continue;
    Box box = i < run.size() ? usable_box(run[i]) : no_box(), target = truth[i];
    const double centre = centre_error(box, target), norm = toolkit_norm_error(box, target);
    if (sequence.frame_size && box.finite()) box = toolkit_bounded(box, *sequence.frame_size);
    if (sequence.frame_size) target = toolkit_bounded(target, *sequence.frame_size);
    add_frame(scores, i, toolkit_overlap(box, target), centre, norm);
  }
  return scores;
}

/// A run as pytracking repairs it: where a side is 0 the box of the frame before, and zeros for frames that are missing.
inline std::vector<Box> pytracking_run(const std::vector<Box>& truth, std::span<const Box> run) {
  std::vector<Box> boxes(run.begin(), run.begin() + static_cast<std::ptrdiff_t>(std::min(run.size(), truth.size())));
  for (std::size_t i = 1; i < boxes.size(); ++i)
    if ((boxes[i].w == 0 || boxes[i].h == 0) && truth[i].finite()) boxes[i] = boxes[i - 1];
  boxes.resize(truth.size());  // Box() is all zeros
  boxes[0] = truth[0];
  return boxes;
}

/// Every protocol in pytracking: all frames count, those without valid truth as misses, but not in normalised precision.
inline FrameScores pytracking_frames(const Sequence& sequence, std::span<const Box> run, bool lasot, bool ostrack) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto& truth = sequence.truth;
  const auto boxes = pytracking_run(truth, run);
  FrameScores scores = frames_not_scored(truth.size());
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const Box &t = truth[i], box = boxes[i].w < 0 || boxes[i].h < 0 ? no_box() : usable_box(boxes[i]);
    const bool hidden = (i < sequence.full_occlusion.size() && sequence.full_occlusion[i] != 0) ||
                        (i < sequence.out_of_view.size() && sequence.out_of_view[i] != 0);
    const bool valid = t.w > 0 && t.h > 0 && (ostrack || (t.x > 0 && t.y > 0)) && !hidden;
    if (valid) {
      add_frame(scores, i, pytracking_overlap(box, t), centre_error(box, t), pytracking_norm_error(box, t));
    } else {
      scores.overlaps.push_back(-1);
      scores.centre_errors.push_back(infinity);
      scores.norm_errors.push_back(lasot && (hidden || !t.finite()) ? infinity : -1);
    }
  }
  return scores;
}

/// TrackingNet-devkit: whole pixels, frame 0 counts as the truth; a missing line misses, a missing file is all zeros.
inline FrameScores trackingnet_frames(const Sequence& sequence, std::span<const Box> run) {
  const auto& truth = sequence.truth;
  FrameScores scores = frames_not_scored(truth.size());
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (!truth[i].finite()) continue;
    const Box t = rounded(truth[i]);
    const Box box = i == 0 ? t : run.empty() ? Box() : i < run.size() ? rounded(usable_box(run[i])) : no_box();
    add_frame(scores, i, trackingnet_overlap(box, t), centre_error(box, t), trackingnet_norm_error(box, t));
  }
  return scores;
}

}  // namespace detail

/// A run without boxes is a missing result. Errors: argument (the sequence has no truth at all).
inline FrameScores score_frames(Protocol protocol, Convention convention, const Sequence& sequence,
                                std::span<const Box> run) {
  if (sequence.truth.empty())
    fail(ErrorCode::argument, "score_frames: ", detail::in_quotes(sequence.name), ": expected true boxes, got none");
  if (convention != Convention::toolkit)
    return detail::pytracking_frames(sequence, run, protocol == Protocol::lasot, convention == Convention::ostrack);
  switch (protocol) {
    case Protocol::otb:
    case Protocol::lasot: break;
    case Protocol::got10k: return detail::got10k_frames(sequence, run);
    case Protocol::trackingnet: return detail::trackingnet_frames(sequence, run);
  }
  return detail::toolkit_frames(sequence, run);
}

}  // namespace detrack
