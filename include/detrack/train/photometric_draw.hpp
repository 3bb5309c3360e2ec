// Draws how the colours of a crop are changed.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include "detrack/core/rng.hpp"
#include "detrack/train/options.hpp"
#include "detrack/train/sample_recipe.hpp"

namespace detrack {

/// Uniform in [least, most).
inline double draw_between(Philox& rng, double least, double most) {
  return least + (most - least) * rng.uniform();
}

/// Draws the same number of times whatever the options are: changing one of them changes nothing else.
inline Photometric draw_photometric(Philox& rng, const AugmentOptions& options, bool grayscale) {
  Photometric p{.grayscale = grayscale};
  p.gamma = std::exp(draw_between(rng, -options.gamma, options.gamma));
  const double brightness = draw_between(rng, 1 - options.brightness, 1 + options.brightness);
  for (double& gain : p.gain) gain = brightness * draw_between(rng, 1 - options.colour, 1 + options.colour);
  const double blur = draw_between(rng, 0.5, 1.5), noise = draw_between(rng, 0, 0.06);
  if (rng.uniform() < options.blur_prob) p.blur = blur;
  if (rng.uniform() < options.noise_prob) p.noise = noise;
  const auto bits = rng.next();
  p.noise_seed = std::uint64_t{bits[0]} << 32 | bits[1];
  return p;
}

/// The rest of it, from a stream of its own: what draw_photometric() gives stays what it was before these were there.
inline void draw_degradation(Philox& rng, const AugmentOptions& options, Photometric& p) {
  const double motion = draw_between(rng, 1.0 / 64, 1.0 / 12), direction = draw_between(rng, 0, std::numbers::pi),
               low_resolution = std::exp(draw_between(rng, std::log(1.5), std::log(4)));
  if (rng.uniform() < options.motion_blur_prob) p.motion = motion, p.motion_direction = direction;
  if (rng.uniform() < options.low_resolution_prob) p.low_resolution = low_resolution;
}

}  // namespace detrack
