// Reliability diagrams as inline SVG: the overlap that a score comes with, and how often it comes.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "detrack/eval/curve_plot.hpp"
#include "detrack/eval/reliability.hpp"

namespace detrack::detail {

/// Mean overlap over mean score, a dot for each bin that has frames; the diagonal, on which both are equal; behind them
/// each bin's share of all frames as a bar. `name` is the score's, HTML; `number` is for the looks of the line.
inline std::string reliability_svg(const ReliabilityCurve& curve, const std::string& name, std::size_t number) {
  const PlotArea area;
  std::vector<double> scores, overlaps;
  std::string bars, dots;
  for (std::size_t i = 0; i < kReliabilityBins; ++i) {
    const ReliabilityBin& bin = curve.bins[i];
    if (bin.frames == 0) continue;
    const double left = static_cast<double>(i) / kReliabilityBins, right = static_cast<double>(i + 1) / kReliabilityBins;
    bars += "M" + area.x(left) + " " + area.y(0) + "V" +
            area.y(static_cast<double>(bin.frames) / static_cast<double>(curve.all.frames)) + "H" + area.x(right) + "V" +
            area.y(0) + "Z";
    dots += "M" + area.x(bin.mean_score) + " " + area.y(bin.mean_overlap) + "h0";
    scores.push_back(bin.mean_score);
    overlaps.push_back(bin.mean_overlap);
  }
  const std::string diagonal = "M" + area.x(0) + " " + area.y(0) + "L" + area.x(1) + " " + area.y(1);
  return curve_svg(
      {.label = "Reliability diagram: mean overlap over the " + name + ", and the share of frames in each tenth",
       .x_label = name,
       .y_label = "mean overlap; bars: share of frames",
       .x_ticks = {0, 0.2, 0.4, 0.6, 0.8, 1},
       .curves = {{scores, overlaps, number}},
       .backdrop = "<path class=\"counts\" d=\"" + bars + "\"/><path class=\"half\" d=\"" + diagonal +
                   "\"/><path class=\"dots c" + std::to_string(number % kColours) + "\" d=\"" + dots + "\"/>\n"});
}

}  // namespace detrack::detail
