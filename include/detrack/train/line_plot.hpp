// Curves over the samples of a training run as inline SVG.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "detrack/eval/fixed.hpp"
#include "detrack/eval/line_style.hpp"

namespace detrack::detail {

/// A number of so many significant digits, at most 20, the same in every locale: "0.25", "12k", "3.4M".
inline std::string short_number(double value, int digits = 3) {
  const double size = std::abs(value), unit = size >= 1e6 ? 1e6 : size >= 1e4 ? 1e3 : 1;
  char text[32];
  char* const end = std::to_chars(text, text + sizeof text, value / unit, std::chars_format::general, digits).ptr;
  return std::string(text, end) + (unit == 1e6 ? "M" : unit == 1e3 ? "k" : "");
}

/// 1, 2 or 5 times a power of ten: about `parts` steps from 0 to `extent`. 1 where there is no power of ten so small.
inline double tick_step(double extent, int parts) {
  if (!(extent > 1e-300) || !std::isfinite(extent)) return 1;
  const double power = std::pow(10.0, std::floor(std::log10(extent / parts)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (extent / (factor * power) <= parts) return factor * power;
  return 10 * power;
}

struct PlotLine {
  std::vector<double> x{}, y{};  ///< points that drawn() refuses are gaps

  std::size_t size() const { return std::min(x.size(), y.size()); }
  /// Beyond that, differences would not be finite.
  bool drawn(std::size_t i) const { return std::abs(x[i]) <= 1e300 && std::abs(y[i]) <= 1e300; }
};

/// Axes from the values that there are; y begins at 0 where that does not squeeze the lines. `label` is HTML.
inline std::string line_plot(const std::string& label, std::span<const PlotLine> lines) {
  constexpr double kWidth = 380, kHeight = 240, kLeft = 52, kRight = 14, kTop = 10, kBottom = 34;
  double x_max = 0, least = std::numeric_limits<double>::infinity(), most = -least;
  for (const PlotLine& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (!line.drawn(i)) continue;
      x_max = std::max(x_max, line.x[i]), least = std::min(least, line.y[i]), most = std::max(most, line.y[i]);
    }
  if (!(least <= most)) return "<p class=\"soft\">nothing yet</p>\n";
  if (least > 0 && least < 0.6 * most) least = 0;
  if (most <= least) most = least + 1;
  // What labels of nine digits may not tell apart is a flat line. So ticks are far from the last bits of a double, too.
  const double largest = std::max(std::abs(least), std::abs(most));
  most = std::max(most, least + 1e-7 * largest);
  if (x_max <= 0) x_max = 1;
  const auto x = [&](double at) { return fixed(kLeft + (kWidth - kLeft - kRight) * at / x_max, 1); };
  const auto y = [&](double at) { return fixed(kTop + (kHeight - kTop - kBottom) * (most - at) / (most - least), 1); };
  const auto text = [](const std::string& at, const char* anchor, const std::string& what) {
    return "<text " + at + " text-anchor=\"" + anchor + "\">" + what + "</text>";
  };
  std::string grid, labels;
  const double step_y = tick_step(most - least, 5), step_x = tick_step(x_max, 5);
  // As many digits as tell neighbours apart.
  const int digits = std::clamp(static_cast<int>(std::floor(std::log10(largest / step_y))) + 2, 3, 9);
  const auto last_y = static_cast<std::int64_t>(std::floor(most / step_y + 1e-9));
  for (auto k = static_cast<std::int64_t>(std::ceil(least / step_y)); k <= last_y; ++k) {
    const double tick = static_cast<double>(k) * step_y;
    grid += "M" + x(0) + " " + y(tick) + "H" + x(x_max);
    labels +=
        text("x=\"" + fixed(kLeft - 6, 1) + "\" y=\"" + y(tick) + "\" dy=\".35em\"", "end", short_number(tick, digits));
  }
  const auto last_x = static_cast<std::int64_t>(std::floor(x_max / step_x + 1e-9));
  for (std::int64_t k = 0; k <= last_x; ++k) {
    const double tick = static_cast<double>(k) * step_x;
    labels += text("x=\"" + x(tick) + "\" y=\"" + fixed(kHeight - kBottom + 18, 1) + "\"", "middle", short_number(tick));
  }
  std::string svg = "<svg class=\"curves\" viewBox=\"0 0 380 240\" role=\"img\" aria-label=\"" + label +
                    "\">\n<path class=\"grid\" d=\"" + grid + "\"/>\n" + labels + "\n";
  for (std::size_t k = lines.size(); k-- > 0;) {
    std::string path;
    bool pen_down = false;
    for (std::size_t i = 0; i < lines[k].size(); ++i) {
      const bool drawn = lines[k].drawn(i);
      if (drawn) path += (pen_down ? "L" : "M") + x(lines[k].x[i]) + " " + y(lines[k].y[i]) + (pen_down ? "" : "h0");
      pen_down = drawn;
    }
    svg += line_svg(k, path);
  }
  return svg + "</svg>\n";
}

}  // namespace detrack::detail
