// An evaluation as JSON for programs and as a table for people.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "detrack/eval/convention.hpp"
#include "detrack/eval/evaluation.hpp"
#include "detrack/eval/fixed.hpp"
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

}  // namespace detail

/// {protocol, convention, tracker, overall, sequences: {<name>: ...}, thresholds, curves, choices, warnings}. `overall` and
/// each sequence have auc, precision, norm_precision, ao, sr50, sr75 and fps, null where there is nothing to score;
/// sequences also frames, scored and warnings; curves are the overall ones.
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
  const std::string text = summary_json(evaluation);
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
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
      row[2 + i] = std::isnan(values[i].second) ? "-" : detail::fixed(values[i].second, i + 1 == values.size() ? 1 : 3);
  };
  std::copy(titles.begin(), titles.end(), rows.emplace_back().begin());
  std::int64_t scored = 0;
  for (const SequenceScores& scores : evaluation.sequences) {
    add_row(scores.name, scores.scored, scores);
    scored += scores.scored;
  }
  add_row("overall", scored, evaluation.overall);
  std::array<std::size_t, 9> widths{};
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto& row : rows) {
    text += row[0] + std::string(widths[0] - row[0].size(), ' ');
    for (std::size_t i = 1; i < row.size(); ++i) text += "  " + std::string(widths[i] - row[i].size(), ' ') + row[i];
    text += '\n';
  }
  return text;
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
