// Whether a tracker's confidence means anything: its scores and states beside the overlaps that its boxes had.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/eval/metrics.hpp"
#include "detrack/track/target.hpp"

namespace detrack {

/// What a tracker says of its box in one frame.
struct FrameConfidence {
  double score = 0;  ///< softmax score, in [0, 1]; NaN: not known
  double iou = 0;    ///< IoU score, in [0, 1]: the overlap that the tracker expects; NaN: not known
  TargetState state = TargetState::tracking;
};

inline constexpr double kLostOverlap = 0.1;  ///< a box that overlaps the truth by less has lost the target
inline constexpr std::size_t kReliabilityBins = 10;
inline constexpr std::array kTargetStates{TargetState::tracking, TargetState::uncertain, TargetState::lost};

/// Frames taken together; NaN where there are none.
struct OverlapStatistics {
  std::int64_t frames = 0;
  double mean_overlap = std::numeric_limits<double>::quiet_NaN();
  double lost = std::numeric_limits<double>::quiet_NaN();  ///< share of frames with an overlap below kLostOverlap
};

struct ReliabilityBin : OverlapStatistics {
  double mean_score = std::numeric_limits<double>::quiet_NaN();
};

/// A score against the overlap.
struct ReliabilityCurve {
  std::array<ReliabilityBin, kReliabilityBins> bins{};  ///< scores in [0, 0.1), [0.1, 0.2), ..., [0.9, 1]
  ReliabilityBin all{};                                 ///< all bins together
  /// Expected calibration error: the mean over all frames of |mean overlap - mean score| of the frame's bin. For the
  /// IoU score, which is to be the overlap, it is an error; for the softmax score, which is not, only its gap to the
  /// overlap.
  double calibration_error = std::numeric_limits<double>::quiet_NaN();
};

struct Reliability {
  std::int64_t frames = 0;  ///< with a confidence and an overlap
  ReliabilityCurve score, iou;
  std::array<OverlapStatistics, kTargetStates.size()> states{};  ///< in the order of kTargetStates
};

namespace detail {

inline OverlapStatistics overlap_statistics(const std::vector<double>& overlaps) {
  if (overlaps.empty()) return {};
  const auto lost = std::count_if(overlaps.begin(), overlaps.end(), [](double overlap) { return overlap < kLostOverlap; });
  return {static_cast<std::int64_t>(overlaps.size()), mean(overlaps),
          static_cast<double>(lost) / static_cast<double>(overlaps.size())};
}

inline ReliabilityBin reliability_bin(const std::vector<double>& scores, const std::vector<double>& overlaps) {
  if (scores.empty()) return {};
  return {overlap_statistics(overlaps), mean(scores)};
}

}  // namespace detail

/// Bins of one score, with the expected calibration error of Guo et al., "On Calibration of Modern Neural Networks", ICML
/// 2017, where the overlap stands for their accuracy. Bins are closed below, as numpy.histogram's (theirs are closed above):
/// a score of 0 is in the first. Frames are left out where the score is not in [0, 1] or the overlap not finite.
/// Errors: argument (a score for each overlap is expected).
inline ReliabilityCurve reliability_curve(std::span<const double> scores, std::span<const double> overlaps) {
  if (scores.size() != overlaps.size())
    fail(ErrorCode::argument, "reliability_curve: scores: expected ", overlaps.size(), ", one for each overlap, got ",
         scores.size());
  std::array<std::vector<double>, kReliabilityBins> binned_scores, binned_overlaps;
  std::vector<double> all_scores, all_overlaps;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!(scores[i] >= 0 && scores[i] <= 1) || !std::isfinite(overlaps[i])) continue;
    const std::size_t bin = std::min(static_cast<std::size_t>(scores[i] * kReliabilityBins), kReliabilityBins - 1);
    binned_scores[bin].push_back(scores[i]);
    binned_overlaps[bin].push_back(overlaps[i]);
    all_scores.push_back(scores[i]);
    all_overlaps.push_back(overlaps[i]);
  }
  ReliabilityCurve curve;
  curve.all = detail::reliability_bin(all_scores, all_overlaps);
  if (curve.all.frames == 0) return curve;
  curve.calibration_error = 0;
  for (std::size_t i = 0; i < kReliabilityBins; ++i) {
    const ReliabilityBin& bin = curve.bins[i] = detail::reliability_bin(binned_scores[i], binned_overlaps[i]);
    if (bin.frames > 0)
      curve.calibration_error += static_cast<double>(bin.frames) / static_cast<double>(curve.all.frames) *
                                 std::abs(bin.mean_overlap - bin.mean_score);
  }
  return curve;
}

/// Both scores and the states of frames, and the overlaps of the same frames; frames whose overlap is not finite (not
/// scored) are left out. Errors: argument (a confidence for each overlap is expected).
inline Reliability reliability_of(std::span<const FrameConfidence> confidences, std::span<const double> overlaps) {
  if (confidences.size() != overlaps.size())
    fail(ErrorCode::argument, "reliability_of: confidences: expected ", overlaps.size(), ", one for each overlap, got ",
         confidences.size());
  Reliability reliability;
  std::vector<double> scores, ious;
  std::array<std::vector<double>, kTargetStates.size()> of_state;
  for (std::size_t i = 0; i < confidences.size(); ++i) {
    scores.push_back(confidences[i].score);
    ious.push_back(confidences[i].iou);
    if (!std::isfinite(overlaps[i])) continue;
    ++reliability.frames;
    of_state[static_cast<std::size_t>(confidences[i].state)].push_back(overlaps[i]);
  }
  reliability.score = reliability_curve(scores, overlaps);
  reliability.iou = reliability_curve(ious, overlaps);
  for (std::size_t s = 0; s < of_state.size(); ++s) reliability.states[s] = detail::overlap_statistics(of_state[s]);
  return reliability;
}

}  // namespace detrack
