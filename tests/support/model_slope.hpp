// The gradient of a model against central differences of its loss, along a random direction of all parameters.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "detrack/model/detrack.hpp"
#include "tests/support/random.hpp"

namespace detrack::test {

/// loss() runs a training pass and returns its loss. Gives the relative difference, infinite where the slope is too small to
/// tell anything. Ends at the parameters that it began with.
template <class F>
double model_slope_error(Context<double>& ctx, DeTrack<double>& model, F&& loss) {
  model.zero_gradients(ctx);
  loss();
  const View<double> values = model.parameters().values(), gradients = model.parameters().gradients();
  Tensor<double> direction(values.shape()), origin(values.shape());
  fill_normal(direction.view(), 11);
  double slope = 0;
  for (std::int64_t i = 0; i < values.numel(); ++i) slope += gradients(i) * direction.view()(i);
  std::copy_n(values.data(), values.numel(), origin.data());
  const double h = 1e-6;
  const auto at = [&](double step) {
    for (std::int64_t i = 0; i < values.numel(); ++i) values(i) = origin.view()(i) + step * direction.view()(i);
    return loss();
  };
  const double difference = (at(h) - at(-h)) / (2 * h);
  std::copy_n(origin.data(), values.numel(), values.data());
  return std::abs(slope) > 1e-2 ? std::abs(difference / slope - 1) : std::numeric_limits<double>::infinity();
}

}  // namespace detrack::test
