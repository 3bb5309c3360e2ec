// The report of a training run: one HTML file with its curves and pictures.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "detrack/eval/html.hpp"
#include "detrack/eval/report_style.hpp"
#include "detrack/io/atomic_file.hpp"
#include "detrack/train/line_plot.hpp"

namespace detrack {

/// Values over samples. Curves of the same `group` share a plot.
struct TrainingCurve {
  std::string group, name;
  std::vector<double> samples{}, values{};
};

struct TrainingReport {
  std::string title;
  std::vector<std::pair<std::string, std::string>> facts{};  ///< name and value, for the head
  std::vector<TrainingCurve> curves{};
  std::string sheet_png{}, sheet_legend{};  ///< a picture of validation crops, empty: none
};

/// Complete by itself: no file or address beside it. Text is escaped.
inline std::string report_html(const TrainingReport& report) {
  using detail::html_text;
  std::string page =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>" +
      html_text(report.title) + "</title><style>" + detail::kReportStyle + "</style></head><body>\n<header><h1>" +
      html_text(report.title) + "</h1>\n<dl class=\"facts\">";
  for (const auto& [name, value] : report.facts)
    page += "<dt>" + html_text(name) + "</dt><dd>" + html_text(value, 2000) + "</dd>";
  page += "</dl></header>\n<main>\n<h2>Curves</h2>\n<p class=\"soft\">Over training samples.</p>\n<div class=\"three\">\n";
  std::vector<std::string> groups;
  for (const TrainingCurve& curve : report.curves)
    if (std::find(groups.begin(), groups.end(), curve.group) == groups.end()) groups.push_back(curve.group);
  for (const std::string& group : groups) {
    std::vector<detail::PlotLine> lines;
    std::string legend;
    for (const TrainingCurve& curve : report.curves) {
      if (curve.group != group) continue;
      legend += "<li><svg viewBox=\"0 0 36 12\" aria-hidden=\"true\">" + detail::line_svg(lines.size(), "M0 6H36") +
                "</svg><span>" + html_text(curve.name) + "</span><b>" +
                (curve.values.empty() ? "\u2013" : detail::short_number(curve.values.back())) + "</b></li>";
      lines.push_back({curve.samples, curve.values});
    }
    page += "<figure class=\"card\"><figcaption>" + html_text(group) + "</figcaption>\n" +
            detail::line_plot(html_text(group) + " over samples", lines) + "<ul class=\"legend\">" + legend +
            "</ul></figure>\n";
  }
  page += "</div>\n";
  if (!report.sheet_png.empty())
    page += "<h2>Validation crops</h2>\n<p class=\"soft\">" + html_text(report.sheet_legend) +
            "</p>\n<img alt=\"Validation crops\" style=\"max-width:100%\" src=\"data:image/png;base64," +
            detail::base64(report.sheet_png) + "\">\n";
  return page + "</main></body></html>\n";
}

/// Errors: io; what was there before stays then.
inline void write_report(const TrainingReport& report, const std::filesystem::path& path) {
  write_atomically(path, report_html(report));
}

}  // namespace detrack
