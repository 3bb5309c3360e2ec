// An evaluation as JSON for programs and as a table for people.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "detrack/eval/convention.hpp"
#include "detrack/eval/evaluation.hpp"
#include "detrack/eval/fixed.hpp"
#include "detrack/eval/reliability.hpp"
#include "detrack/io/atomic_file.hpp"
#include "detrack/io/json.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack {

namespace detail {

/// Names and values as they stand in summaries and tables, in this order.
inline std::array<std::pair<const char*, double>, 7> named_scores(const Scores& s) {
  return {{{"auc", s.auc},
           {"precision", s.precision},
           {"norm_precision", s.norm_precision},
           {"ao", s.ao},
           {"sr50", s.sr50},
           {"sr75", s.sr75},
           {"fps", s.fps}}};
}

using Json = nlohmann::ordered_json;

inline Json number_or_null(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

inline Json json_of(const Scores& scores) {
  Json json;
  for (const auto& [name, value] : named_scores(scores)) json[name] = number_or_null(value);
  return json;
}

inline Json json_of(const OverlapStatistics& statistics) {
  return {{"frames", statistics.frames},
          {"mean_overlap", number_or_null(statistics.mean_overlap)},
          {"lost", number_or_null(statistics.lost)}};
}

inline Json json_of(const ReliabilityCurve& curve) {
  Json json{{"frames", curve.all.frames}, {"calibration_error", number_or_null(curve.calibration_error)}};
  for (const ReliabilityBin& bin : curve.bins) {
    Json& one = json["bins"].emplace_back(json_of(static_cast<const OverlapStatistics&>(bin)));
    one["mean_score"] = number_or_null(bin.mean_score);
  }
  return json;
}

inline Json json_of(const Reliability& reliability) {
  Json json{{"frames", reliability.frames}, {"score", json_of(reliability.score)}, {"iou", json_of(reliability.iou)}};
  for (std::size_t s = 0; s < kTargetStates.size(); ++s)
    json["states"][std::string(to_string(kTargetStates[s]))] = json_of(reliability.states[s]);
  return json;
}

/// A score in a table: "-" where there is nothing to score.
inline std::string cell(double value, int decimals = 3) {
  return std::isnan(value) ? "-" : fixed(value, decimals);
}

/// Rows as lines: the first column to the left, the others to the right, two blanks between them.
template <std::size_t N>
std::string aligned(const std::vector<std::array<std::string, N>>& rows) {
  std::array<std::size_t, N> widths{};
  for (const auto& row : rows)
    for (std::size_t i = 0; i < N; ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto& row : rows) {
    text += row[0] + std::string(widths[0] - row[0].size(), ' ');
    for (std::size_t i = 1; i < N; ++i) text += "  " + std::string(widths[i] - row[i].size(), ' ') + row[i];
    text += '\n';
  }
  return text;
}

}  // namespace detail

/// {protocol, convention, tracker, overall, sequences: {<name>: ...}, reliability, thresholds, curves, choices, warnings}.
/// `overall` and each sequence have auc, precision, norm_precision, ao, sr50, sr75 and fps, null where there is nothing to
/// score; sequences also frames, scored and warnings; curves are the overall ones. `reliability`, where the tracker's scores
/// are known: frames; `score` and `iou` with frames, calibration_error and ten bins (frames, mean_overlap, lost,
/// mean_score); `states` by their names (frames, mean_overlap, lost); `lost` is the share of overlaps below 0.1.
inline std::string summary_json(const Evaluation& evaluation) {
  using detail::Json;
  Json json;
  json["protocol"] = to_string(evaluation.protocol);
  json["convention"] = to_string(evaluation.convention);
  json["tracker"] = evaluation.tracker;
  json["overall"] = detail::json_of(evaluation.overall);
  Json& sequences = json["sequences"] = Json::object();
  for (const SequenceScores& scores : evaluation.sequences) {
    Json& one = sequences[scores.name] = detail::json_of(scores);
    one["frames"] = scores.frames;
    one["scored"] = scores.scored;
    one["warnings"] = scores.warnings;
  }
  if (evaluation.reliability.frames > 0) json["reliability"] = detail::json_of(evaluation.reliability);
  const auto& at = evaluation.thresholds;
  json["thresholds"] = {{"success", at.success}, {"precision", at.precision}, {"norm_precision", at.norm_precision}};
  const auto curve = [](const std::vector<double>& rates) {
    Json points = Json::array();
    for (const double rate : rates) points.push_back(detail::number_or_null(rate));
    return points;
  };
  json["curves"] = {{"success", curve(evaluation.overall.success_curve)},
                    {"precision", curve(evaluation.overall.precision_curve)},
                    {"norm_precision", curve(evaluation.overall.norm_precision_curve)}};
  json["choices"] = evaluation.choices;
  json["warnings"] = evaluation.warnings;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";  // names of files need not be UTF-8
}

/// Writes summary_json() to `path`, all or nothing. Errors: io.
inline void write_summary(const Evaluation& evaluation, const std::filesystem::path& path) {
  write_atomically(path, summary_json(evaluation));
}

/// A line for each sequence and one for all: frames scored, AUC, P, PNorm, AO, SR50, SR75, FPS; "-" where there is nothing
/// to score. Lines end in a line feed.
inline std::string table(const Evaluation& evaluation) {
  constexpr std::array<const char*, 9> titles{"sequence", "frames", "AUC", "P", "PNorm", "AO", "SR50", "SR75", "FPS"};
  std::vector<std::array<std::string, 9>> rows;
  const auto add_row = [&](const std::string& name, std::int64_t frames, const Scores& scores) {
    auto& row = rows.emplace_back();
    row[0] = detail::escaped(name);
    row[1] = std::to_string(frames);
    const auto values = detail::named_scores(scores);
    for (std::size_t i = 0; i < values.size(); ++i)
      row[2 + i] = detail::cell(values[i].second, i + 1 == values.size() ? 1 : 3);
  };
  std::copy(titles.begin(), titles.end(), rows.emplace_back().begin());
  std::int64_t scored = 0;
  for (const SequenceScores& scores : evaluation.sequences) {
    add_row(scores.name, scores.scored, scores);
    scored += scores.scored;
  }
  add_row("overall", scored, evaluation.overall);
  return detail::aligned(rows);
}

/// Bins of both scores with their frames, mean score, mean overlap and share of overlaps below 0.1, calibration errors, and
/// the same by state; empty without confidences. Lines end in a line feed.
inline std::string confidence_table(const Reliability& reliability) {
  using detail::cell;
  if (reliability.frames == 0) return {};
  std::vector<std::array<std::string, 9>> bins{
      {"confidence", "frames", "score", "overlap", "<0.1", "frames", "IoU", "overlap", "<0.1"}};
  const auto add_bins = [&](const std::string& name, const ReliabilityBin& score, const ReliabilityBin& iou) {
    auto& row = bins.emplace_back();
    row[0] = name;
    std::size_t at = 1;
    for (const ReliabilityBin& bin : {score, iou})
      for (const std::string& text :
           {std::to_string(bin.frames), cell(bin.mean_score), cell(bin.mean_overlap), cell(bin.lost)})
        row[at++] = text;
  };
  for (std::size_t i = 0; i < kReliabilityBins; ++i) {
    const double low = static_cast<double>(i) / kReliabilityBins, high = static_cast<double>(i + 1) / kReliabilityBins;
    add_bins(detail::fixed(low, 1) + "-" + detail::fixed(high, 1), reliability.score.bins[i], reliability.iou.bins[i]);
  }
  add_bins("all", reliability.score.all, reliability.iou.all);
  std::vector<std::array<std::string, 4>> states{{"state", "frames", "overlap", "<0.1"}};
  for (std::size_t s = 0; s < kTargetStates.size(); ++s) {
    const OverlapStatistics& state = reliability.states[s];
    states.push_back({std::string(to_string(kTargetStates[s])), std::to_string(state.frames), cell(state.mean_overlap),
                      cell(state.lost)});
  }
  return detail::aligned(bins) + "calibration error: score " + cell(reliability.score.calibration_error) + ", IoU " +
         cell(reliability.iou.calibration_error) + '\n' + detail::aligned(states) + "<0.1: share of overlaps below 0.1\n";
}

/// By which rules the scores were computed, and what is odd about them: a line each.
inline std::string notes(const Evaluation& evaluation) {
  std::string text = "Protocol " + std::string(to_string(evaluation.protocol)) + ", convention " +
                     std::string(to_string(evaluation.convention)) + ":\n";
  for (const std::string& choice : evaluation.choices) text += "  " + choice + '\n';
  for (const std::string& warning : evaluation.warnings) text += "warning: " + warning + '\n';
  for (const SequenceScores& scores : evaluation.sequences)
    for (const std::string& warning : scores.warnings)
      text += "warning: " + detail::escaped(scores.name) + ": " + warning + '\n';
  return text;
}

}  // namespace detrack
