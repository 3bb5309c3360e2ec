// Draws a target in a picture in which nobody has labelled one.
#pragma once

#include <algorithm>
#include <cmath>

#include "detrack/core/box.hpp"
#include "detrack/core/rng.hpp"
#include "detrack/image/size.hpp"
#include "detrack/train/photometric_draw.hpp"

namespace detrack {

/// A box of 12 to 50 % of the picture's side, up to about twice as long as wide, wholly inside.
inline Box invented_box(Philox& rng, ImageSize size) {
  const auto width = static_cast<double>(size.width), height = static_cast<double>(size.height);
  const double side = draw_between(rng, 0.12, 0.5) * std::min(width, height),
               stretch = std::exp(draw_between(rng, -0.45, 0.45));
  const double w = std::min(side * stretch, width), h = std::min(side / stretch, height);
  return {draw_between(rng, 0, width - w), draw_between(rng, 0, height - h), w, h};
}

}  // namespace detrack
