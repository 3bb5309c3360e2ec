// Draws what lies beside the target and could be taken for it.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <utility>

#include "detrack/core/box.hpp"
#include "detrack/core/rng.hpp"
#include "detrack/train/photometric_draw.hpp"
#include "detrack/train/sample_recipe.hpp"

namespace detrack {

/// Another object (`box`, in pixels of `file`) in its own proportions, of an area exp(N(0, 0.3)) times the target's, its
/// centre anywhere in the crop where it leaves the target uncovered; none where no such place is found. Trackers are to tell
/// the target from things of its kind [Zhu et al. 2018, DaSiamRPN].
inline std::optional<Patch> draw_distractor(Philox& rng, const CropBox& truth, std::filesystem::path file, const Box& box) {
  const double area = (truth[2] - truth[0]) * (truth[3] - truth[1]) * std::exp(0.3 * rng.normal());
  const double w = std::sqrt(area * box.w / box.h), h = area / w, longer = std::max(w, h);
  const double side = std::max(box.w, box.h);  // of the square in `file`, whose corner is that of the box
  for (int tries = 0; tries < 10; ++tries) {
    const double x = rng.uniform() - w / 2, y = rng.uniform() - h / 2;
    const CropBox to{x, y, x + w, y + h};
    const bool apart = to[2] <= truth[0] || to[0] >= truth[2] || to[3] <= truth[1] || to[1] >= truth[3];
    if (apart && longer <= 1) return Patch{to, std::move(file), {box.x + side / 2, box.y + side / 2, side}};
  }
  return std::nullopt;
}

}  // namespace detrack
