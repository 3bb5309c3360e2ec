// Draws how a crop is turned and stretched.
#pragma once

#include "detrack/core/rng.hpp"
#include "detrack/train/distortion.hpp"
#include "detrack/train/options.hpp"
#include "detrack/train/photometric_draw.hpp"

namespace detrack {

/// `invented`: of a target that nobody has labelled. Draws the same number of times whatever the options are.
inline Distortion draw_distortion(Philox& rng, const AugmentOptions& options, bool invented, bool is_search) {
  const double rotation = invented ? options.unlabelled_rotation : options.rotation;
  const double aspect = invented ? options.unlabelled_aspect : options.aspect;
  const double turned = draw_between(rng, -rotation, rotation), stretched = draw_between(rng, -aspect, aspect);
  return {rotation > 0 ? turned : 0, is_search && aspect > 0 ? stretched : 0};
}

}  // namespace detrack
