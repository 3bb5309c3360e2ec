// Cases of layer normalisation; the path around the norm comes in as a residual.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct LayerNormCase {
  std::int64_t R = 1, C = 1;
  bool residual = false, parameters = true, in_place = false;  // dx over dy, or over residual where there is one
  double eps = 1e-6;

  std::string name() const {
    return detrack::detail::concat("layer norm ", R, " x ", C, residual ? " residual" : "",
                                   parameters ? "" : " no parameters", in_place ? " in place" : "");
  }

  /// "past" is x going around the norm; its gradient is what `residual` carries.
  template <class T>
  auto forward(Memory<T>& m) const {
    const auto x = m.in("x", {R, C}, normal(2, 1));
    return std::make_tuple(LayerNormForward<T>{.x = x,
                                               .gamma = m.in("gamma", {C}, normal(0.5, 1)),
                                               .beta = m.in("beta", {C}),
                                               .eps = eps,
                                               .y = m.out("y", {R, C}),
                                               .mean = m.out("mean", {R}),
                                               .rstd = m.out("rstd", {R})},
                           Add<T>{.a = x, .y = m.out("past", {R, C})});
  }
  template <class T>
  auto backward(Memory<T>& m) const {
    const auto dy = m.in("dy", {R, C}), dpast = m.in("dpast", {R, C}).only_if(residual);
    const auto dx = in_place ? m.over("dx", residual ? dpast : dy) : m.out("dx", {R, C});
    return LayerNormBackward<T>{.x = m.in("x"),
                                .gamma = m.in("gamma"),
                                .mean = m.in("mean"),
                                .rstd = m.in("rstd"),
                                .dy = in_place && !residual ? dx : dy,
                                .residual = in_place && residual ? dx : dpast,
                                .dx = dx,
                                .dgamma = m.sum("dgamma", {C}).only_if(parameters),
                                .dbeta = m.sum("dbeta", {C}).only_if(parameters)};
  }
};

inline std::vector<LayerNormCase> layer_norm_cases() {
  return {{.R = 7, .C = 33, .residual = true, .eps = 0.1},
          {.R = 3, .C = 1},
          {.R = 1, .C = 7, .parameters = false},
          {.R = 5, .C = 16, .residual = true, .in_place = true},
          {.R = 21, .C = 192, .in_place = true},
          {.R = 0, .C = 4},
          {.R = 2, .C = 768, .residual = true},
          {.R = 70, .C = 24}};
}

/// Inference: no statistics are kept, and y may be x.
struct LayerNormInferenceCase {
  std::int64_t R = 1, C = 1;
  bool in_place = false;

  std::string name() const {
    return detrack::detail::concat("layer norm, inference ", R, " x ", C, in_place ? " in place" : "");
  }
  template <class T>
  auto forward(Memory<T>& m) const {
    const auto x = m.in("x", {R, C}, normal(2, 1));
    const auto y = in_place ? m.over("y", x) : m.out("y", {R, C});
    return LayerNormForward<T>{.x = in_place ? y : x, .gamma = m.in("gamma", {C}), .beta = m.in("beta", {C}), .y = y};
  }
};

inline std::vector<LayerNormInferenceCase> layer_norm_inference_cases() {
  return {{.R = 7, .C = 33}, {.R = 3, .C = 1}, {.R = 9, .C = 16, .in_place = true}};
}

}  // namespace detrack::test
