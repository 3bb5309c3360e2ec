// Boxes as people type them and as box files hold them: x,y,w,h.
#pragma once

#include <array>
#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>

#include "detrack/core/box.hpp"
#include "detrack/core/error.hpp"

namespace detrack::program {

/// Errors: argument, showing what was given.
inline Box parse_box(std::string_view text) {
  const auto reject = [&] {
    fail(ErrorCode::argument, "--box: expected x,y,w,h in pixels, for example 120,80,40.5,60, got ", text);
  };
  std::array<double, 4> numbers{};
  const char *at = text.data(), *const end = at + text.size();
  for (std::size_t i = 0; i < 4; ++i) {
    if (i > 0 && (at == end || *at++ != ',')) reject();
    const auto [after, error] = std::from_chars(at, end, numbers[i]);
    if (error != std::errc()) reject();
    at = after;
  }
  if (at != end) reject();
  return {numbers[0], numbers[1], numbers[2], numbers[3]};
}

/// Three digits after the point, as box files have them.
inline std::string box_text(const Box& box) {
  char text[160];
  std::snprintf(text, sizeof text, "%.3f,%.3f,%.3f,%.3f", box.x, box.y, box.w, box.h);
  return text;
}

}  // namespace detrack::program
