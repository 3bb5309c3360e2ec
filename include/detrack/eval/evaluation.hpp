// What a tracker scored: per sequence, overall, and by which rules.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "detrack/core/box.hpp"
#include "detrack/eval/convention.hpp"
#include "detrack/eval/reliability.hpp"

namespace detrack {

/// What a tracker returned for one sequence.
struct SequenceResult {
  std::string name;                            ///< the sequence's
  std::vector<std::vector<Box>> runs;          ///< a box for each frame, the first the given one. One run, or GOT-10k's
                                               ///< repetitions; none where there is no result
  std::vector<std::vector<double>> seconds;    ///< for each run those of each frame, the first that of init; may be empty
  std::vector<std::string> warnings;           ///< what reading it found
  std::vector<FrameConfidence> confidences{};  ///< of the first run, for each frame; the first says nothing; may be empty
};

/// Fractions in [0, 1]; NaN where there is nothing to score.
struct Scores {
  double auc = std::numeric_limits<double>::quiet_NaN();             ///< area under the success curve
  double precision = std::numeric_limits<double>::quiet_NaN();       ///< centre error
  double norm_precision = std::numeric_limits<double>::quiet_NaN();  ///< centre error in units of the target's size
  double ao = std::numeric_limits<double>::quiet_NaN();              ///< average overlap, frame 0 left out
  double sr50 = std::numeric_limits<double>::quiet_NaN();            ///< overlap above 0.5, frame 0 left out
  double sr75 = std::numeric_limits<double>::quiet_NaN();            ///< overlap above 0.75, frame 0 left out
  double fps = std::numeric_limits<double>::quiet_NaN();             ///< 1 / mean seconds of update; NaN without times
  std::vector<double> success_curve;                                 ///< at Thresholds::success
  std::vector<double> precision_curve;                               ///< at Thresholds::precision
  std::vector<double> norm_precision_curve;                          ///< at Thresholds::norm_precision
};

struct SequenceScores : Scores {
  std::string name;
  std::int64_t frames = 0;            ///< with an annotation line
  std::int64_t scored = 0;            ///< of these, those that a score is computed from
  std::vector<double> overlaps;       ///< of the first run, one for each of `frames`; NaN where not scored
  std::vector<double> centre_errors;  ///< the same, pixels
  std::vector<std::string> warnings;
};

/// Where the curves are taken.
struct Thresholds {
  std::vector<double> success;         ///< overlap
  std::vector<double> precision;       ///< pixels
  std::vector<double> norm_precision;  ///< target sizes
};

struct Evaluation {
  Protocol protocol = Protocol::otb;
  Convention convention = Convention::toolkit;
  std::string tracker;  ///< for titles
  Thresholds thresholds;
  std::vector<SequenceScores> sequences;  ///< in the order of the dataset
  Scores overall;
  Reliability reliability;            ///< over the frames of all sequences, frame 0 left out; without confidences no frames
  std::vector<std::string> choices;   ///< every rule that was followed, as sentences for people
  std::vector<std::string> warnings;  ///< what is odd about the whole; those of a sequence are with it
};

}  // namespace detrack
