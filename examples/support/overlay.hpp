// What is drawn on a frame: each target's box in a colour of its own, its score and state, and the denoising steps.
#pragma once

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>

#include "detrack/image/draw.hpp"
#include "detrack/image/text.hpp"
#include "detrack/track/tracker.hpp"

namespace detrack::program {

/// A colour for each target that people with any kind of colour vision tell apart [Okabe and Ito 2008].
inline Colour target_colour(std::size_t target) {
  constexpr Colour colours[] = {{86, 180, 233}, {230, 159, 0}, {0, 158, 115}, {240, 228, 66}, {204, 121, 167}, {213, 94, 0}};
  return colours[target % std::size(colours)];
}

/// Red, for uncertain and lost targets.
inline constexpr Colour kDoubtful{200, 30, 30};

/// Line width and letter size that suit a frame of this height.
inline int overlay_scale(std::int64_t height) {
  return static_cast<int>(std::clamp<std::int64_t>(height / 360, 1, 8));
}

/// From dark red, before the first block, to light yellow after the last: as heat.
inline Colour step_colour(std::size_t step, std::size_t steps) {
  const double at = steps < 2 ? 1 : static_cast<double>(step) / static_cast<double>(steps - 1);
  const auto part = [&](double from, double to) {
    return static_cast<std::uint8_t>(255 * std::clamp((at - from) / (to - from), 0.0, 1.0));
  };
  return {static_cast<std::uint8_t>(100 + 155 * std::min(1.0, 2 * at)), part(0.2, 1), part(0.75, 1.6)};
}

/// The box alone, in its target's colour, or red where the target is uncertain or lost; `scale` is the picture's.
inline void draw_box(Image& image, const TrackResult& result, std::size_t target, double scale = 1) {
  const Box box{result.box.x * scale, result.box.y * scale, result.box.w * scale, result.box.h * scale};
  draw_rectangle(image, box, result.state == TargetState::tracking ? target_colour(target) : kDoubtful,
                 2 * overlay_scale(image.height()));
}

/// Denoising steps, box, and the target's number, score and state beside it.
inline void draw_result(Image& image, const TrackResult& result, std::size_t target) {
  const int scale = overlay_scale(image.height());
  for (std::size_t j = 0; j < result.steps.size(); ++j)
    draw_rectangle(image, result.steps[j], step_colour(j, result.steps.size()), scale);
  draw_box(image, result, target);
  const bool certain = result.state == TargetState::tracking;
  char text[64];
  std::snprintf(text, sizeof text, "%zu %.2f%s", target + 1, result.score,
                certain ? "" : (" " + std::string(to_string(result.state))).c_str());
  const ImageSize size = text_size(text, scale);
  const auto left = static_cast<std::int64_t>(result.box.x);
  const auto top = static_cast<std::int64_t>(result.box.y) - size.height - 5 * scale;
  draw_label(image, std::clamp<std::int64_t>(left, 0, std::max<std::int64_t>(0, image.width() - size.width - 5 * scale)),
             top >= 0 ? top : static_cast<std::int64_t>(result.box.bottom()) + 2 * scale, text,
             certain ? Colour{0, 0, 0} : Colour{255, 255, 255}, certain ? target_colour(target) : kDoubtful, scale);
}

}  // namespace detrack::program
