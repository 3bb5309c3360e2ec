// Draws what hides a part of the target.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "detrack/core/box.hpp"
#include "detrack/core/rng.hpp"
#include "detrack/train/photometric_draw.hpp"
#include "detrack/train/sample_recipe.hpp"

namespace detrack {

/// Covers a side of the target up to its middle, with what the crop shows elsewhere.
inline Occluder draw_occluder(Philox& rng, const CropBox& truth) {
  const double w = truth[2] - truth[0], h = truth[3] - truth[1];
  const double cover_w = w * draw_between(rng, 0.2, 0.5), cover_h = h * draw_between(rng, 0.2, 1);
  const double x = rng.uniform() < 0.5 ? truth[0] : truth[2] - cover_w, y = draw_between(rng, truth[1], truth[3] - cover_h);
  return {{x, y, x + cover_w, y + cover_h},
          draw_between(rng, 0, std::max(1 - cover_w, 0.0)),
          draw_between(rng, 0, std::max(1 - cover_h, 0.0))};
}

/// Comes over any of the four edges of the target, up to its middle, and may reach beyond the target: an object in front of
/// it. It shows about as much of the other picture as that one's target takes: `box`, in pixels of `file`.
inline Patch draw_foreign_occluder(Philox& rng, const CropBox& truth, std::filesystem::path file, const Box& box) {
  const double depth = draw_between(rng, 0.15, 0.5), beyond = draw_between(rng, 0, 0.5),
               length = draw_between(rng, 0.4, 1.2), along = rng.uniform();
  const bool across = rng.uniform() < 0.5, far_side = rng.uniform() < 0.5;
  // `a`: the coordinate that it comes along, `b`: the other one.
  const std::size_t a = across ? 1 : 0, b = 1 - a;
  const double side_a = truth[a + 2] - truth[a], side_b = truth[b + 2] - truth[b];
  CropBox to{};
  to[a] = far_side ? truth[a + 2] - depth * side_a : truth[a] - beyond * side_a;
  to[a + 2] = to[a] + (depth + beyond) * side_a;
  to[b] = truth[b] + (1 - length) * along * side_b;
  to[b + 2] = to[b] + length * side_b;
  const double w = to[2] - to[0], h = to[3] - to[1], longer = std::max(w, h);
  const double scale = std::sqrt(box.w * box.h / (w * h));  // pixels of the other picture a crop unit
  const double side = std::clamp(longer * scale, 1.0, 1e5);
  // The square's corner is the patch's: the box's centre lies in the middle of the patch.
  return {to, std::move(file), {box.centre_x() + (longer - w) * scale / 2, box.centre_y() + (longer - h) * scale / 2, side}};
}

}  // namespace detrack
