// Starting values of a model that is trained from nothing.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "detrack/core/rng.hpp"
#include "detrack/io/import_report.hpp"
#include "detrack/nn/param.hpp"

namespace detrack {

namespace detail {

/// Normal of the given deviation, redrawn outside two deviations.
template <class T>
void fill_truncated_normal(View<T> w, double deviation, Philox rng) {
  T* data = w.data();
  for (std::int64_t i = 0; i < w.numel(); ++i) {
    double x = rng.normal();
    while (std::abs(x) > 2) x = rng.normal();
    data[i] = T(deviation * x);
  }
}

/// Sines and cosines of a square grid's rows (first half of the width) and columns (second half), base 10000
/// [Vaswani et al. 2017, section 3.5, in two dimensions as He et al. 2022 do].
template <class T>
void fill_sin_cos(View<T> embedding) {
  const std::int64_t n = embedding.extent(1), C = embedding.extent(2), quarter = C / 4;
  const std::int64_t side = std::llround(std::sqrt(static_cast<double>(n)));
  for (std::int64_t token = 0; token < n; ++token)
    for (std::int64_t half = 0; half < 2; ++half) {
      const auto place = static_cast<double>(half == 0 ? token / side : token % side);
      for (std::int64_t i = 0; i < quarter; ++i) {
        const double angle = place * std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(quarter));
        embedding(0, token, half * 2 * quarter + i) = T(std::sin(angle));
        embedding(0, token, half * 2 * quarter + quarter + i) = T(std::cos(angle));
      }
    }
}

template <class T>
void initialise_parameter(const std::string& name, Param<T>& p, std::uint64_t seed) {
  const auto ends = [&](std::string_view end) { return name.ends_with(end); };
  const bool vector = p.shape.rank() == 1;
  if (ends("pos_embed_search") || ends("pos_embed_template") || ends("decoder.pos_embed"))
    fill_sin_cos(p.value);
  else if (ends("noise.fc2.weight") || (vector && ends("bias")))
    std::fill_n(p.value.data(), p.value.numel(), T(0));
  else if (vector)  // the scales of layer norms
    std::fill_n(p.value.data(), p.value.numel(), T(1));
  else
    fill_truncated_normal(p.value, 0.02, Philox(seed, stream_of(name)));
}

}  // namespace detail

/// Linear weights and embeddings truncated normal with deviation 0.02, biases 0, layer norms 1 and 0, the noise predictor's
/// last layer 0 (a block then starts as plain attention), position embeddings sines and cosines. Host models, of any kind
/// that `visit`s its parameters; their names tell what they are.
template <class Model>
void initialise(Model& model, std::uint64_t seed) {
  model.visit([&](const std::string& name, auto& p) { detail::initialise_parameter(name, p, seed); });
}

/// Of a model into which weights were imported, only what these had nothing for, with the values that it gets in a model
/// without weights.
template <class Model>
void initialise(Model& model, std::uint64_t seed, const ImportReport& imported) {
  model.visit([&](const std::string& name, auto& p) {
    const ImportReport::Entry* entry = imported.find(name);
    if (entry && entry->outcome == ImportReport::Outcome::initialised) detail::initialise_parameter(name, p, seed);
  });
}

}  // namespace detrack
