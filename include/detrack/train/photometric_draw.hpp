// Draws how the colours of a crop are changed.
#pragma once

#include <cmath>
#include <cstdint>

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

}  // namespace detrack
