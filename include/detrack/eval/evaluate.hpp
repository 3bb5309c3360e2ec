// Scores the results of a tracker on a dataset.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/data/sequence.hpp"
#include "detrack/eval/convention.hpp"
#include "detrack/eval/evaluation.hpp"
#include "detrack/eval/frame_scores.hpp"
#include "detrack/eval/metrics.hpp"
#include "detrack/eval/reliability.hpp"
#include "detrack/eval/rules.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack {

struct EvaluationOptions {
  std::optional<Convention> convention = {};  ///< usual_convention() if not given
  bool skip_missing = false;                  ///< leave sequences without a result out, instead of refusing
  std::string tracker = {};
};

namespace detail {

/// Counts from which all scores follow. Those of several runs or sequences add up.
struct Tally {
  std::int64_t frames = 0;  ///< in the denominators of the curves
  std::vector<std::int64_t> success, precision, norm_precision;
  std::int64_t overlaps = 0, above_50 = 0, above_75 = 0;
  double overlap_sum = 0;
  std::int64_t updates = 0;
  double seconds = 0;

  void add(const FrameScores& scores, const Rules& rules) {
    frames += static_cast<std::int64_t>(scores.overlaps.size());
    count_hits(scores.overlaps, rules.thresholds.success, rules.success_hit, success);
    count_hits(scores.centre_errors, rules.thresholds.precision, Hit::at_most, precision);
    count_hits(scores.norm_errors, rules.thresholds.norm_precision, Hit::at_most, norm_precision);
    for (const double overlap : scores.mean_overlaps) {
      ++overlaps;
      overlap_sum += overlap;
      above_50 += overlap > 0.5;
      above_75 += overlap > 0.75;
    }
  }

  void add_times(std::span<const double> times) {
    for (std::size_t i = 1; i < times.size(); ++i) {
      if (!(std::isfinite(times[i]) && times[i] > 0)) continue;
      ++updates;
      seconds += times[i];
    }
  }

  Tally& operator+=(const Tally& other) {
    const auto add = [](auto& to, const auto& from) {
      to.resize(from.size());
      for (std::size_t i = 0; i < from.size(); ++i) to[i] += from[i];
    };
    frames += other.frames;
    add(success, other.success);
    add(precision, other.precision);
    add(norm_precision, other.norm_precision);
    overlaps += other.overlaps;
    above_50 += other.above_50;
    above_75 += other.above_75;
    overlap_sum += other.overlap_sum;
    updates += other.updates;
    seconds += other.seconds;
    return *this;
  }
};

inline double ratio(double part, std::int64_t whole) {
  return whole > 0 ? part / static_cast<double>(whole) : kNaN;
}

inline double read_off(const std::vector<double>& curve, Reading reading) {
  if (curve.empty()) return kNaN;
  switch (reading) {
    case Reading::mean: return mean(curve);
    case Reading::area: return unit_area(curve);
    case Reading::at_20: return curve[20];
  }
  return kNaN;
}

inline void read_scores(Scores& scores, const Rules& rules) {
  scores.auc = read_off(scores.success_curve, rules.success);
  scores.precision = read_off(scores.precision_curve, rules.precision);
  scores.norm_precision = read_off(scores.norm_precision_curve, rules.norm_precision);
}

inline Scores scores_of(const Tally& tally, const Rules& rules) {
  Scores scores;
  const auto curve = [&](const std::vector<std::int64_t>& hits) {
    std::vector<double> rates;
    for (const std::int64_t count : hits) rates.push_back(ratio(static_cast<double>(count), tally.frames));
    return rates;
  };
  scores.success_curve = curve(tally.success);
  scores.precision_curve = curve(tally.precision);
  scores.norm_precision_curve = curve(tally.norm_precision);
  read_scores(scores, rules);
  scores.ao = ratio(tally.overlap_sum, tally.overlaps);
  scores.sr50 = ratio(static_cast<double>(tally.above_50), tally.overlaps);
  scores.sr75 = ratio(static_cast<double>(tally.above_75), tally.overlaps);
  scores.fps = tally.seconds > 0 ? static_cast<double>(tally.updates) / tally.seconds : kNaN;
  return scores;
}

/// Means over the sequences that have something to score. Without times: fps is no mean.
inline Scores mean_scores(const std::vector<SequenceScores>& sequences, const Rules& rules) {
  Scores total;
  std::int64_t curves = 0, overlaps = 0;
  const auto add = [](std::vector<double>& to, const std::vector<double>& from) {
    to.resize(from.size());
    for (std::size_t i = 0; i < from.size(); ++i) to[i] += from[i];
  };
  double ao = 0, sr50 = 0, sr75 = 0;
  for (const SequenceScores& s : sequences) {
    if (s.scored > 0) {
      ++curves;
      add(total.success_curve, s.success_curve);
      add(total.precision_curve, s.precision_curve);
      add(total.norm_precision_curve, s.norm_precision_curve);
    }
    if (!std::isnan(s.ao)) ++overlaps, ao += s.ao, sr50 += s.sr50, sr75 += s.sr75;
  }
  for (auto* curve : {&total.success_curve, &total.precision_curve, &total.norm_precision_curve})
    for (double& rate : *curve) rate /= static_cast<double>(curves);
  if (curves > 0) read_scores(total, rules);
  total.ao = ratio(ao, overlaps);
  total.sr50 = ratio(sr50, overlaps);
  total.sr75 = ratio(sr75, overlaps);
  return total;
}

/// What is odd about a run and its truth.
inline void check_run(const Sequence& sequence, const std::vector<Box>& run, std::vector<std::string>& warnings) {
  const std::size_t length = sequence.truth.size();
  if (run.size() != length) warnings.push_back(concat(run.size(), " boxes in the result for ", length, " in the truth"));
  std::int64_t not_finite = 0, no_area = 0;
  for (std::size_t i = 1; i < std::min(run.size(), length); ++i) {
    not_finite += !run[i].finite();
    no_area += run[i].finite() && !run[i].valid();
  }
  if (not_finite > 0) warnings.push_back(concat(not_finite, " boxes that are not finite"));
  if (no_area > 0) warnings.push_back(concat(no_area, " boxes without area"));
}

/// Scores one sequence and adds the counts behind its scores to `total`.
inline SequenceScores evaluate_sequence(const Rules& rules, const Sequence& sequence, const SequenceResult& result,
                                        Tally& total) {
  SequenceScores scores;
  scores.name = sequence.name;
  scores.frames = static_cast<std::int64_t>(sequence.truth.size());
  scores.warnings = result.warnings;
  const auto warn = [&](const char* what) { scores.warnings.push_back(what); };
  Tally tally;
  const auto add_run = [&](const std::vector<Box>& run) {
    FrameScores frames = score_frames(rules.protocol, rules.convention, sequence, run);
    tally.add(frames, rules);
    if (!scores.overlaps.empty()) return;  // a repetition
    scores.scored = static_cast<std::int64_t>(frames.overlaps.size());
    scores.overlaps = std::move(frames.frame_overlaps);
    scores.centre_errors = std::move(frames.frame_errors);
  };
  if (result.runs.empty()) {
    add_run({});
    warn("no result: scored as boxes of zeros");
  }
  for (const std::vector<Box>& run : result.runs) {
    add_run(run);
    check_run(sequence, run, scores.warnings);
  }
  for (const auto& times : result.seconds) tally.add_times(times);
  static_cast<Scores&>(scores) = scores_of(tally, rules);
  total += tally;

  if (scores.scored == 0) warn("no frame to score");
  if (scores.frames == 1 && sequence.frames.size() > 1) warn("true box of the first frame only: the scores say nothing");
  if (rules.protocol == Protocol::got10k && rules.convention == Convention::toolkit && !sequence.frame_size)
    warn("the frame's size is not known: boxes are not bounded");
  return scores;
}

}  // namespace detail

/// Scores results, one for each sequence and in their order. A result without runs is a missing one: left out with
/// `skip_missing`, scored as zeros by TrackingNet-devkit, otherwise an error.
/// Errors: argument (results that do not belong to the sequences; missing ones, naming them).
inline Evaluation evaluate(Protocol protocol, std::span<const Sequence> sequences, std::span<const SequenceResult> results,
                           const EvaluationOptions& options = {}) {
  Evaluation evaluation;
  evaluation.protocol = protocol;
  evaluation.convention = options.convention.value_or(usual_convention(protocol));
  evaluation.tracker = options.tracker;
  Rules rules = rules_of(protocol, evaluation.convention);
  if (results.size() != sequences.size())
    fail(ErrorCode::argument, "evaluate: results: expected ", sequences.size(), ", one for each sequence, got ",
         results.size());
  std::string missing;
  std::size_t missing_count = 0;
  detail::Tally tally;
  std::vector<FrameConfidence> confidences;
  std::vector<double> overlaps;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    if (results[i].name != sequences[i].name)
      fail(ErrorCode::argument, "evaluate: result ", i, ": expected that of ", detail::in_quotes(sequences[i].name),
           ", got that of ", detail::in_quotes(results[i].name));
    if (results[i].runs.empty() && (options.skip_missing || !rules.missing_is_zeros)) {
      if (missing_count++ < 5) missing += (missing.empty() ? "" : ", ") + detail::in_quotes(sequences[i].name);
      continue;
    }
    const SequenceScores& scores =
        evaluation.sequences.emplace_back(detail::evaluate_sequence(rules, sequences[i], results[i], tally));
    for (std::size_t t = 1; t < std::min(results[i].confidences.size(), scores.overlaps.size()); ++t) {
      confidences.push_back(results[i].confidences[t]);
      overlaps.push_back(scores.overlaps[t]);
    }
  }
  if (missing_count > 5) missing += ", ...";
  if (missing_count > 0 && !options.skip_missing)
    fail(ErrorCode::argument, "evaluate: expected results for all ", sequences.size(), " sequences, got none for ",
         missing_count, ": ", missing);
  if (missing_count > 0)
    evaluation.warnings.push_back(
        detail::concat(missing_count, " of ", sequences.size(), " sequences without a result, left out: ", missing));
  const Scores all = detail::scores_of(tally, rules);
  evaluation.overall = rules.frame_weighted ? all : detail::mean_scores(evaluation.sequences, rules);
  if (protocol == Protocol::got10k) {
    evaluation.overall.ao = all.ao;
    evaluation.overall.sr50 = all.sr50;
    evaluation.overall.sr75 = all.sr75;
  }
  evaluation.overall.fps = all.fps;
  evaluation.reliability = reliability_of(confidences, overlaps);
  evaluation.thresholds = std::move(rules.thresholds);
  evaluation.choices = std::move(rules.choices);
  return evaluation;
}

}  // namespace detrack
