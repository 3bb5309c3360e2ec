// Success and precision curves as inline SVG.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "detrack/eval/fixed.hpp"
#include "detrack/eval/line_style.hpp"

namespace detrack::detail {

/// A line over thresholds.
struct Curve {
  std::span<const double> thresholds, rates;
  std::size_t number = 0;  ///< for its looks
};

/// Where the area of a plot lies in its picture, in the picture's units.
struct PlotArea {
  static constexpr double kWidth = 380, kHeight = 300, kLeft = 46, kRight = 12, kTop = 10, kBottom = 46;
  double x_max = 1;
  std::string x(double t) const { return fixed(kLeft + (kWidth - kLeft - kRight) * t / x_max, 1); }
  std::string y(double rate) const { return fixed(kTop + (kHeight - kTop - kBottom) * (1 - rate), 1); }
};

struct CurvePlot {
  std::string label;  ///< what the picture shows, for who cannot see it; HTML
  std::string x_label{}, y_label{};
  double x_max = 1;
  std::vector<double> x_ticks{};
  int x_decimals = 1;
  std::vector<Curve> curves{};  ///< the first is drawn on top
  std::string backdrop{};       ///< SVG behind the curves, in the coordinates of PlotArea
};

/// Points that are not finite are gaps.
inline std::string curve_svg(const CurvePlot& plot) {
  const PlotArea area{plot.x_max};
  const auto x = [&](double t) { return area.x(t); };
  const auto y = [&](double rate) { return area.y(rate); };
  const auto text = [](const std::string& at, const std::string& anchor, const std::string& what) {
    return "<text " + at + " text-anchor=\"" + anchor + "\">" + what + "</text>";
  };
  std::string svg = "<svg class=\"curves\" viewBox=\"0 0 380 300\" role=\"img\" aria-label=\"" + plot.label + "\">\n";
  std::string grid, labels;
  for (const double rate : {0.0, 0.2, 0.4, 0.6, 0.8, 1.0}) {
    grid += "M" + x(0) + " " + y(rate) + "H" + x(plot.x_max);
    labels += text("x=\"" + fixed(area.kLeft - 7, 1) + "\" y=\"" + y(rate) + "\" dy=\".35em\"", "end", fixed(rate, 1));
  }
  for (const double tick : plot.x_ticks) {
    grid += "M" + x(tick) + " " + y(0) + "V" + y(1);
    labels += text("x=\"" + x(tick) + "\" y=\"" + fixed(area.kHeight - area.kBottom + 18, 1) + "\"", "middle",
                   fixed(tick, plot.x_decimals));
  }
  labels += text("x=\"" + x(plot.x_max / 2) + "\" y=\"" + fixed(area.kHeight - 6, 1) + "\"", "middle", plot.x_label);
  labels += text("transform=\"translate(12 " + y(0.5) + ") rotate(-90)\"", "middle", plot.y_label);
  svg += "<path class=\"grid\" d=\"" + grid + "\"/>\n" + labels + "\n" + plot.backdrop;
  for (auto curve = plot.curves.rbegin(); curve != plot.curves.rend(); ++curve) {
    std::string path;
    bool pen_down = false;
    for (std::size_t i = 0; i < std::min(curve->thresholds.size(), curve->rates.size()); ++i) {
      const double t = curve->thresholds[i], rate = curve->rates[i];
      const bool drawn = std::isfinite(t) && std::isfinite(rate) && t >= 0 && t <= plot.x_max;
      if (drawn) path += (pen_down ? "L" : "M") + x(t) + " " + y(std::clamp(rate, 0.0, 1.0));
      pen_down = drawn;
    }
    svg += line_svg(curve->number, path);
  }
  return svg + "</svg>\n";
}

}  // namespace detrack::detail
