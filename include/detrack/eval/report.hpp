// Evaluations as one HTML page that needs nothing but itself: scores, curves, confidence, pictures, overlaps over time.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/version.hpp"
#include "detrack/eval/convention.hpp"
#include "detrack/eval/curve_plot.hpp"
#include "detrack/eval/evaluation.hpp"
#include "detrack/eval/html.hpp"
#include "detrack/eval/line_style.hpp"
#include "detrack/eval/reliability.hpp"
#include "detrack/eval/reliability_plot.hpp"
#include "detrack/eval/report_style.hpp"
#include "detrack/eval/summary.hpp"
#include "detrack/eval/time_plot.hpp"
#include "detrack/io/atomic_file.hpp"

namespace detrack {

/// A frame of a sequence with boxes drawn on it.
struct FilmTile {
  std::string jpeg;  ///< a JPEG file's bytes
  std::int64_t frame = 0;
  double overlap = std::numeric_limits<double>::quiet_NaN();  ///< of prediction and truth there; NaN: not scored
};

struct FilmStrip {
  std::string sequence;
  std::vector<FilmTile> tiles;
};

/// What a page shows. All strings are plain text and may come from anywhere.
struct Report {
  std::string title;                                       ///< empty: one is made
  std::vector<std::pair<std::string, std::string>> facts;  ///< what was run, as name and value: dataset, weights, date, ...
  std::vector<Evaluation> evaluations;                     ///< the one reported on, then those it is compared with
  std::vector<FilmStrip> strips;
  std::string strip_legend;  ///< which box is which in the strips
};

namespace detail {

/// "OTB" rather than "otb".
constexpr const char* title_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::otb: return "OTB";
    case Protocol::got10k: return "GOT-10k";
    case Protocol::lasot: return "LaSOT";
    case Protocol::trackingnet: return "TrackingNet";
  }
  return "unknown";
}

/// Whose reading of a protocol a convention is.
constexpr const char* program_of(Protocol protocol, Convention convention) {
  switch (convention) {
    case Convention::toolkit: return protocol == Protocol::trackingnet ? "TrackingNet-devkit" : "got-10k/toolkit";
    case Convention::pytracking: return "pytracking";
    case Convention::ostrack: return "OSTrack";
  }
  return "unknown";
}

/// "the OTB protocol as got-10k/toolkit computes it (otb, toolkit)"
inline std::string wording_of(const Evaluation& e) {
  return std::string("the ") + title_of(e.protocol) + " protocol as " + program_of(e.protocol, e.convention) +
         " computes it (" + std::string(to_string(e.protocol)) + ", " + std::string(to_string(e.convention)) + ")";
}

/// "12,345"
inline std::string html_count(std::int64_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t place = digits.size(); place > 3; place -= 3) digits.insert(place - 3, ",");
  return digits;
}

/// Scores in the order of named_scores(), for people.
using ScoreTexts = std::array<std::string, 7>;
inline ScoreTexts score_texts(const Scores& scores) {
  ScoreTexts texts;
  const auto values = named_scores(scores);
  for (std::size_t i = 0; i < texts.size(); ++i) texts[i] = html_number(values[i].second, i + 1 < texts.size() ? 3 : 1);
  return texts;
}

/// Builds the page of a report, part by part.
class ReportPage {
 public:
  explicit ReportPage(const Report& report) : report_(report) {
    for (std::size_t k = 0; k < report.evaluations.size(); ++k)
      for (const SequenceScores& scores : report.evaluations[k].sequences) sequence(scores.name).scores[k] = &scores;
    for (const FilmStrip& strip : report.strips) sequence(strip.sequence).strip = &strip;
  }

  std::string html() {
    add_head();
    if (!report_.evaluations.empty()) {
      add_overall();
      add_curves();
      if (has_confidence()) add_confidence();
      add_rules();
      add_bars();
      add_tables();
    }
    add_sequences();
    page_ += "</main>\n<footer>Made by detrack " + version() + ". This file needs no other.</footer>\n</body>\n</html>\n";
    return std::move(page_);
  }

 private:
  struct Sequence {
    std::string name;
    std::map<std::size_t, const SequenceScores*> scores;  ///< by evaluation
    const FilmStrip* strip = nullptr;
  };
  static constexpr std::size_t kManySequences = 60;  ///< more are folded up

  /// By name: those of the first evaluation in its order, then what the others and the strips have besides.
  Sequence& sequence(const std::string& name) {
    const auto [place, is_new] = places_.emplace(name, sequences_.size());
    if (is_new) sequences_.push_back({name, {}, nullptr});
    return sequences_[place->second];
  }
  static std::string version() {
    return std::to_string(DETRACK_VERSION_MAJOR) + "." + std::to_string(DETRACK_VERSION_MINOR) + "." +
           std::to_string(DETRACK_VERSION_PATCH);
  }

  std::size_t trackers() const { return report_.evaluations.size(); }
  bool has_confidence() const {
    return std::any_of(report_.evaluations.begin(), report_.evaluations.end(),
                       [](const Evaluation& e) { return e.reliability.frames > 0; });
  }
  std::string tracker(std::size_t k) const {
    const std::string& name = report_.evaluations[k].tracker;
    return name.empty() ? "tracker " + std::to_string(k + 1) : html_text(name);
  }
  std::string title() const {
    if (!report_.title.empty()) return html_text(report_.title);
    if (trackers() == 0) return "Sequences";
    if (trackers() == 1) return "Evaluation of " + tracker(0);
    return tracker(0) + " compared with " + (trackers() == 2 ? tracker(1) : std::to_string(trackers() - 1) + " trackers");
  }
  static std::string line_sample(std::size_t k) {
    return R"(<svg viewBox="0 0 36 12" aria-hidden="true">)" + line_svg(k, "M1 6H35") + "</svg>";
  }
  /// With places where the line may break.
  static std::string breakable(const std::string& name) {
    std::string html;
    for (const char c : html_text(name)) {
      html += c;
      if (c == '_') html += "<wbr>";
    }
    return html;
  }
  std::string anchor(const Sequence& sequence) const { return "s" + std::to_string(places_.at(sequence.name)); }
  std::string link(const Sequence& sequence) const {
    return "<a href=\"#" + anchor(sequence) + "\">" + breakable(sequence.name) + "</a>";
  }

  /// A line for each tracker with its name and, if there is one, a score; best first.
  std::string legend(const std::string& classes, double Scores::*score) const {
    std::vector<std::size_t> order(trackers());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto value = [&](std::size_t k) {
      const double v = score ? report_.evaluations[k].overall.*score : 0;
      return std::isnan(v) ? -1 : v;
    };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return value(a) > value(b); });
    std::string html = "<ul class=\"" + classes + "\">";
    for (const std::size_t k : order)
      html += "<li>" + line_sample(k) + "<span>" + tracker(k) + "</span>" +
              (score ? "<b>" + html_number(report_.evaluations[k].overall.*score) + "</b>" : "") + "</li>";
    return html + "</ul>\n";
  }

  /// A list in a box, if there is anything to warn of.
  static std::string warnings(const std::vector<std::string>& all) {
    constexpr std::size_t kMost = 100;
    if (all.empty()) return {};
    std::string html = "<div class=\"warnings\"><b>Warnings</b><ul>";
    for (std::size_t i = 0; i < std::min(all.size(), kMost); ++i) html += "<li>" + html_text(all[i], 500) + "</li>";
    if (all.size() > kMost) html += "<li>and " + html_count(static_cast<std::int64_t>(all.size() - kMost)) + " more</li>";
    return html + "</ul></div>\n";
  }

  static constexpr const char* kScoreHeads =
      "<th scope=\"col\">AUC</th><th scope=\"col\">Precision</th><th scope=\"col\">Norm. precision</th>"
      "<th scope=\"col\">AO</th><th scope=\"col\">SR 0.5</th><th scope=\"col\">SR 0.75</th><th scope=\"col\">FPS</th>";

  /// Cells of a row; those that read as `best` does are bold.
  static std::string score_cells(const Scores& scores, const ScoreTexts& best = {}) {
    std::string html;
    const ScoreTexts texts = score_texts(scores);
    for (std::size_t i = 0; i < texts.size(); ++i)
      html += (texts[i] == best[i] ? "<td class=\"best\">" : "<td>") + texts[i] + "</td>";
    return html;
  }

  void add_head();
  void add_overall();
  void add_curves();
  void add_confidence();
  void add_rules();
  void add_bars();
  void add_tables();
  void add_sequences();
  void add_sequence(const Sequence& sequence);

  const Report& report_;
  std::vector<Sequence> sequences_;
  std::map<std::string, std::size_t> places_;
  std::string page_;
};

inline void ReportPage::add_head() {
  page_ +=
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>" +
      title() + "</title>\n<style>" + kReportStyle + "</style>\n</head>\n<body>\n<header>\n<h1>" + title() + "</h1>\n";
  if (trackers() > 0) {
    const Evaluation& first = report_.evaluations[0];
    std::int64_t frames = 0, scored = 0;
    for (const SequenceScores& scores : first.sequences) frames += scores.frames, scored += scores.scored;
    page_ += "<p class=\"soft\">" + html_count(static_cast<std::int64_t>(first.sequences.size())) +
             (first.sequences.size() == 1 ? " sequence, " : " sequences, ") + html_count(scored) + " of " +
             html_count(frames) + " frames scored, by " + wording_of(first) + ".</p>\n";
  }
  if (!report_.facts.empty()) {
    page_ += "<dl class=\"facts\">";
    for (const auto& [name, value] : report_.facts)
      page_ += "<dt>" + html_text(name) + "</dt><dd>" + html_text(value, 1000) + "</dd>";
    page_ += "</dl>\n";
  }
  page_ += "<nav aria-label=\"Parts of this page\">";
  if (trackers() > 0)
    page_ +=
        std::string("<a href=\"#overall\">Overall</a><a href=\"#curves\">Curves</a>") +
        (has_confidence() ? "<a href=\"#confidence\">Confidence</a>" : "") +
        "<a href=\"#rules\">How it was scored</a><a href=\"#bars\">Sequences by AUC</a><a href=\"#tables\">All scores</a>";
  page_ += "<a href=\"#frames\">Frame by frame</a></nav>\n</header>\n<main>\n";
}

inline void ReportPage::add_overall() {
  page_ += "<h2 id=\"overall\">Overall</h2>\n";
  if (trackers() == 1) {
    constexpr const char* names[] = {"AUC", "Precision", "Norm. precision", "Average overlap", "SR 0.5", "SR 0.75", "FPS"};
    const ScoreTexts texts = score_texts(report_.evaluations[0].overall);
    page_ += "<dl class=\"tiles\">";
    for (std::size_t i = 0; i < texts.size(); ++i)
      page_ += std::string("<div><dt>") + names[i] + "</dt><dd>" + texts[i] + "</dd></div>";
    page_ += "</dl>\n";
    return;
  }
  std::array<double, 7> best;
  best.fill(-1);
  bool same_rules = true;
  for (const Evaluation& e : report_.evaluations) {
    const auto values = named_scores(e.overall);
    for (std::size_t i = 0; i < best.size(); ++i) best[i] = std::max(best[i], values[i].second);  // a NaN is not taken
    same_rules =
        same_rules && e.protocol == report_.evaluations[0].protocol && e.convention == report_.evaluations[0].convention;
  }
  const ScoreTexts best_texts = score_texts({.auc = best[0],
                                             .precision = best[1],
                                             .norm_precision = best[2],
                                             .ao = best[3],
                                             .sr50 = best[4],
                                             .sr75 = best[5],
                                             .fps = best[6],
                                             .success_curve = {},
                                             .precision_curve = {},
                                             .norm_precision_curve = {}});
  page_ +=
      "<p class=\"soft\">Fractions from 0 to 1, FPS in frames per second; the best of each in bold.</p>\n"
      "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Tracker</th><th scope=\"col\">Sequences</th>";
  page_ += std::string(kScoreHeads) + "</tr></thead><tbody>\n";
  for (std::size_t k = 0; k < trackers(); ++k) {
    const Evaluation& e = report_.evaluations[k];
    page_ += "<tr><th scope=\"row\">" + tracker(k) + (same_rules ? "" : "<br><small>" + wording_of(e) + "</small>") +
             "</th><td>" + html_count(static_cast<std::int64_t>(e.sequences.size())) + "</td>" +
             score_cells(e.overall, best_texts) + "</tr>\n";
  }
  page_ += "</tbody></table></div>\n";
  if (!same_rules) page_ += warnings({"The trackers were scored by different rules: their numbers do not compare."});
}

inline void ReportPage::add_curves() {
  struct Kind {
    const char *title, *x_label, *y_label;
    double Scores::*score;
    std::vector<double> Scores::*curve;
    std::vector<double> Thresholds::*thresholds;
    int decimals;
  };
  const Kind kinds[] = {{"Success", "overlap threshold (IoU)", "share of frames above", &Scores::auc, &Scores::success_curve,
                         &Thresholds::success, 1},
                        {"Precision", "centre error threshold (px)", "share of frames within", &Scores::precision,
                         &Scores::precision_curve, &Thresholds::precision, 0},
                        {"Normalised precision", "centre error threshold (target sides)", "share of frames within",
                         &Scores::norm_precision, &Scores::norm_precision_curve, &Thresholds::norm_precision, 1}};
  page_ += "<h2 id=\"curves\">Curves</h2>\n<div class=\"three\">\n";
  for (const Kind& kind : kinds) {
    CurvePlot plot{.label = std::string(kind.title) + " plot: " + kind.y_label + " each " + kind.x_label,
                   .x_label = kind.x_label,
                   .y_label = kind.y_label,
                   .x_max = 0,
                   .x_decimals = kind.decimals};
    for (std::size_t k = 0; k < trackers(); ++k) {
      const Evaluation& e = report_.evaluations[k];
      const std::vector<double>& thresholds = e.thresholds.*kind.thresholds;
      for (const double t : thresholds) plot.x_max = std::isfinite(t) ? std::max(plot.x_max, t) : plot.x_max;
      plot.curves.push_back({thresholds, e.overall.*kind.curve, k});
    }
    if (plot.x_max == 0) plot.x_max = 1;
    for (int i = 0; i <= 5; ++i) plot.x_ticks.push_back(plot.x_max * i / 5);
    page_ += std::string("<figure class=\"card\"><figcaption>") + kind.title + "</figcaption>\n" + curve_svg(plot) +
             legend("legend", kind.score) + "</figure>\n";
  }
  page_ +=
      "</div>\n<p class=\"soft\">Beside each name: the area under the success curve (AUC), precision and normalised "
      "precision, as the rules below read them off the curves.</p>\n";
}

inline void ReportPage::add_confidence() {
  page_ +=
      "<h2 id=\"confidence\">Confidence</h2>\n<p class=\"soft\">What the tracker said of its boxes, against their overlap "
      "with the truth; frame 0 and frames that are not scored are left out. Dots: mean overlap of the frames whose score "
      "lies in each tenth; dotted: where score and overlap are equal; bars: the share of frames. The calibration error is "
      "the mean distance from the dotted line, weighted by frames; of the softmax score, which is not made to be an "
      "overlap, it is only a gap.</p>\n";
  const auto diagram = [&](const char* title, const char* name, const ReliabilityCurve& curve, std::size_t k) {
    page_ += std::string("<figure class=\"card\"><figcaption>") + title + "</figcaption>\n" +
             reliability_svg(curve, name, k) + "<ul class=\"legend\"><li>" + line_sample(k) + "<span>calibration error, " +
             html_count(curve.all.frames) + " frames</span><b>" + html_number(curve.calibration_error) +
             "</b></li></ul></figure>\n";
  };
  for (std::size_t k = 0; k < trackers(); ++k) {
    const Reliability& reliability = report_.evaluations[k].reliability;
    if (reliability.frames == 0) continue;
    if (trackers() > 1) page_ += "<h3>" + tracker(k) + "</h3>\n";
    page_ += "<div class=\"three\">\n";
    diagram("Softmax score", "softmax score", reliability.score, k);
    diagram("IoU score", "IoU score", reliability.iou, k);
    page_ +=
        "<figure class=\"card\"><figcaption>States</figcaption>\n<table><thead><tr><th scope=\"col\">State</th>"
        "<th scope=\"col\">Frames</th><th scope=\"col\">Overlap</th><th scope=\"col\">&lt; 0.1</th></tr></thead><tbody>\n";
    for (std::size_t s = 0; s < kTargetStates.size(); ++s) {
      const OverlapStatistics& state = reliability.states[s];
      page_ += "<tr><th scope=\"row\">" + std::string(to_string(kTargetStates[s])) + "</th><td>" + html_count(state.frames) +
               "</td><td>" + html_number(state.mean_overlap) + "</td><td>" + html_number(state.lost) + "</td></tr>\n";
    }
    page_ +=
        "</tbody></table>\n<p class=\"soft\">Mean overlap, and the share of frames whose overlap is below 0.1: the target "
        "is lost.</p></figure>\n</div>\n";
  }
}

inline void ReportPage::add_rules() {
  page_ += "<h2 id=\"rules\">How it was scored</h2>\n";
  std::vector<std::string> told;  // the same rules are told once
  for (const Evaluation& e : report_.evaluations) {
    std::string html = "<p>By " + wording_of(e) + ":</p>\n<ul class=\"rules\">";
    for (const std::string& choice : e.choices) html += "<li>" + html_text(choice, 1000) + "</li>";
    html += "</ul>\n";
    if (std::find(told.begin(), told.end(), html) == told.end()) page_ += told.emplace_back(html);
  }
  for (std::size_t k = 0; k < trackers(); ++k) {
    const Evaluation& e = report_.evaluations[k];
    std::vector<std::string> all = e.warnings;
    for (const SequenceScores& scores : e.sequences)
      for (const std::string& warning : scores.warnings) all.push_back(scores.name + ": " + warning);
    if (trackers() > 1)
      for (std::string& warning : all) warning = e.tracker + ": " + warning;
    page_ += warnings(all);
  }
}

inline void ReportPage::add_bars() {
  std::vector<const Sequence*> sorted;
  for (const Sequence& sequence : sequences_)
    if (!sequence.scores.empty()) sorted.push_back(&sequence);
  const auto auc = [](const Sequence& sequence, std::size_t k) {
    const auto found = sequence.scores.find(k);
    return found == sequence.scores.end() ? std::numeric_limits<double>::quiet_NaN() : found->second->auc;
  };
  const auto order = [&](const Sequence* s) { return std::isnan(auc(*s, 0)) ? -1 : auc(*s, 0); };
  std::stable_sort(sorted.begin(), sorted.end(), [&](const auto* a, const auto* b) { return order(a) > order(b); });

  page_ += "<h2 id=\"bars\">Sequences by AUC</h2>\n";
  if (trackers() > 1) {
    page_ += legend("legend inline", nullptr);
    page_ += "<p class=\"soft\">The numbers are those of " + tracker(0) + "; the others\u2019 are under All scores.</p>\n";
  }
  page_ += sorted.size() > kManySequences ? "<details><summary>" + html_count(static_cast<std::int64_t>(sorted.size())) +
                                                " sequences, best first</summary>\n"
                                          : "";
  page_ +=
      "<ol class=\"bars card\"><li class=\"axis\" aria-hidden=\"true\"><span></span><span class=\"ticks\"><span>0</span>"
      "<span>0.25</span><span>0.5</span><span>0.75</span><span>1</span></span><b>AUC</b></li>\n";
  for (const Sequence* s : sorted) {
    page_ +=
        "<li><span class=\"name\">" + link(*s) + "</span><span class=\"track" + (trackers() > 1 ? " several" : "") + "\">";
    for (std::size_t k = 0; k < trackers(); ++k) {
      const double value = auc(*s, k);
      page_ += "<i class=\"c" + std::to_string(k % kColours) +
               "\" style=\"width:" + fixed(100 * std::clamp(std::isnan(value) ? 0 : value, 0.0, 1.0), 1) + "%\" title=\"" +
               tracker(k) + ": " + html_number(value) + "\"></i>";
    }
    page_ += "</span><b>" + html_number(auc(*s, 0)) + "</b></li>\n";
  }
  page_ += "</ol>\n";
  if (sorted.size() > kManySequences) page_ += "</details>\n";
}

inline void ReportPage::add_tables() {
  page_ += "<h2 id=\"tables\">All scores</h2>\n";
  for (std::size_t k = 0; k < trackers(); ++k) {
    const Evaluation& e = report_.evaluations[k];
    const bool folded = k > 0 || e.sequences.size() > kManySequences;
    page_ += std::string("<details") + (folded ? "" : " open") + "><summary>" + tracker(k) + "</summary>\n" +
             "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Sequence</th><th scope=\"col\">Frames</th>"
             "<th scope=\"col\">Scored</th>" +
             kScoreHeads + "</tr></thead>\n<tbody>\n";
    std::int64_t frames = 0, scored = 0;
    for (const SequenceScores& scores : e.sequences) {
      frames += scores.frames, scored += scores.scored;
      page_ += "<tr><th scope=\"row\">" + link(sequence(scores.name)) + "</th><td>" + html_count(scores.frames) +
               "</td><td>" + html_count(scores.scored) + "</td>" + score_cells(scores) + "</tr>\n";
    }
    page_ += "</tbody>\n<tfoot><tr><th scope=\"row\">Overall</th><td>" + html_count(frames) + "</td><td>" +
             html_count(scored) + "</td>" + score_cells(e.overall) + "</tr></tfoot></table></div></details>\n";
  }
}

inline void ReportPage::add_sequences() {
  page_ +=
      "<h2 id=\"frames\">Frame by frame</h2>\n<p class=\"soft\">Overlap (IoU) of prediction and truth over the frames of a "
      "sequence; dotted: 0.5; shaded: frames that are not scored, because the target is absent or has no truth; ticks at "
      "the foot: the frames shown below.";
  const auto is_long = [](const Sequence& sequence) {
    return std::any_of(sequence.scores.begin(), sequence.scores.end(),
                       [](const auto& entry) { return entry.second->overlaps.size() > kTimeBuckets; });
  };
  if (std::any_of(sequences_.begin(), sequences_.end(), is_long))
    page_ += " In long sequences the line is the mean of neighbouring frames and the band" +
             (trackers() > 1 ? ", that of " + tracker(0) + "," : std::string()) +
             " reaches from the least to the greatest of them.";
  if (!report_.strip_legend.empty()) page_ += " In the pictures: " + html_text(report_.strip_legend, 500);
  page_ += "</p>\n";
  if (trackers() > 1) page_ += legend("legend inline", nullptr);
  for (const Sequence& sequence : sequences_) add_sequence(sequence);
}

inline void ReportPage::add_sequence(const Sequence& sequence) {
  page_ += "<section class=\"sequence card\" id=\"" + anchor(sequence) + "\">\n<div class=\"head\"><h3>" +
           breakable(sequence.name) + "</h3>";
  std::size_t frames = 0;
  std::vector<TimeLine> lines;
  std::string scores_text;
  for (const auto& [k, scores] : sequence.scores) {
    frames = std::max(frames, scores->overlaps.size());
    lines.push_back({scores->overlaps, k});
    if (trackers() > 1)
      scores_text += (scores_text.empty() ? "AUC " : ", ") + tracker(k) + " " + html_number(scores->auc);
    else
      scores_text = "AUC " + html_number(scores->auc) + ", precision " + html_number(scores->precision) + ", AO " +
                    html_number(scores->ao);
  }
  if (!scores_text.empty()) page_ += "<span class=\"soft\">" + scores_text + "</span>";
  page_ += "</div>\n";
  std::vector<std::size_t> marks;
  if (sequence.strip)
    for (const FilmTile& tile : sequence.strip->tiles)
      if (tile.frame >= 0 && static_cast<std::size_t>(tile.frame) < frames)
        marks.push_back(static_cast<std::size_t>(tile.frame));
  if (frames > 0) {
    page_ +=
        "<div class=\"over\"><div class=\"y\" aria-hidden=\"true\"><span>IoU 1</span><span>0.5</span><span>0</span></div>\n";
    page_ += time_svg("Overlap over the frames of " + html_text(sequence.name), frames, lines, marks);
    page_ += "<div class=\"x\" aria-hidden=\"true\"><span>0</span><span>frame</span><span>" + std::to_string(frames - 1) +
             "</span></div></div>\n";
  }
  if (sequence.strip && !sequence.strip->tiles.empty()) {
    page_ += "<div class=\"film\">\n";
    for (const FilmTile& tile : sequence.strip->tiles) {
      const std::string frame = "frame " + std::to_string(tile.frame);
      const std::string overlap = std::isnan(tile.overlap) ? "not scored" : "IoU " + html_number(tile.overlap, 2);
      page_ += "<figure><img alt=\"" + html_text(sequence.name) + ", " + frame + ", " + overlap +
               "\" src=\"data:image/jpeg;base64," + base64(tile.jpeg) + "\"><figcaption><span>" + frame + "</span><span>" +
               overlap + "</span></figcaption></figure>\n";
    }
    page_ += "</div>\n";
  }
  page_ += "</section>\n";
}

}  // namespace detail

/// The page. It refers to nothing outside itself, carries no script, and shows NaN as a dash.
inline std::string report_html(const Report& report) {
  return detail::ReportPage(report).html();
}

/// Writes report_html() to `path`, all or nothing. Errors: io.
inline void write_report(const Report& report, const std::filesystem::path& path) {
  write_atomically(path, report_html(report));
}

}  // namespace detrack
