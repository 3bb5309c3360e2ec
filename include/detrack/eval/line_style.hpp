// How the lines of different trackers look: classes of the style sheet.
#pragma once

#include <cstddef>
#include <string>

namespace detrack::detail {

inline constexpr std::size_t kColours = 6, kDashes = 7;  // both together tell 42 lines apart

inline std::string line_classes(std::size_t number) {
  return "line c" + std::to_string(number % kColours) + " d" + std::to_string(number % kDashes);
}

/// `d` is the data of an SVG path; nothing is drawn of an empty one.
inline std::string line_svg(std::size_t number, const std::string& d) {
  return d.empty() ? "" : "<path class=\"" + line_classes(number) + "\" d=\"" + d + "\"/>\n";
}

}  // namespace detrack::detail
