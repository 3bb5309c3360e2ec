// Cases of the linear layer: with and without bias, residual, factor, activation and each gradient.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct LinearCase {
  std::int64_t R = 1, I = 1, O = 1;
  bool bias = true, residual = false;
  double alpha = 1;
  Activation activation = Activation::identity;
  bool dx = true, dw = true;
  bool in_place = false;  // y over residual

  std::string name() const {
    return detrack::detail::concat("linear ", R, " x ", I, " -> ", O, bias ? " bias" : "", residual ? " residual" : "",
                                   " alpha ", alpha, " activation ", static_cast<int>(activation),
                                   in_place ? " in place" : "");
  }

  template <class T>
  auto forward(Memory<T>& m) const {
    return forward(m, activation != Activation::identity);
  }
  /// `pre`: z is wanted, too.
  template <class T>
  auto forward(Memory<T>& m, bool pre) const {
    const auto r = m.in("residual", {R, O}).only_if(residual);
    const auto y = in_place ? m.over("y", r) : m.out("y", {R, O});
    return LinearForward<T>{.x = m.in("x", {R, I}),
                            .w = m.in("w", {O, I}),
                            .b = m.in("b", {O}).only_if(bias),
                            .residual = in_place ? y : r,
                            .alpha = alpha,
                            .activation = activation,
                            .pre = m.out("pre", {R, O}).only_if(pre),
                            .y = y};
  }

  /// The whole chain: through the activation to z, from there to x, w, b, and to the residual, whose gradient is z's.
  template <class T>
  auto backward(Memory<T>& m) const {
    const bool active = activation != Activation::identity;
    const auto dy = m.in("dy", {R, O}), dz = m.out("dz", {R, O});
    return std::make_tuple(ActivationBackward<T>{.kind = activation, .x = active ? m.in("pre") : dy, .dy = dy, .dx = dz},
                           LinearBackward<T>{.dy = dz,
                                             .x = m.in("x").only_if(dw),
                                             .w = m.in("w").only_if(dx),
                                             .alpha = alpha,
                                             .dx = m.out("dx", {R, I}).only_if(dx),
                                             .dw = m.sum("dw", {O, I}).only_if(dw),
                                             .db = m.sum("db", {O}).only_if(bias)},
                           Add<T>{.a = dz, .y = m.out("dresidual", {R, O})});
  }
};

inline std::vector<LinearCase> linear_cases() {
  return {
      {.R = 7, .I = 5, .O = 6, .residual = true, .alpha = -0.75, .activation = Activation::gelu},
      {.R = 1, .I = 1, .O = 1},
      {.R = 0, .I = 3, .O = 2},
      {.R = 3, .I = 33, .O = 17, .bias = false},
      {.R = 33, .I = 7, .O = 1, .residual = true, .in_place = true},
      {.R = 21, .I = 16, .O = 33, .activation = Activation::relu},
      {.R = 4, .I = 8, .O = 5, .activation = Activation::sigmoid, .dx = false},
      {.R = 4, .I = 8, .O = 5, .alpha = 2, .dw = false},
      {.R = 65, .I = 40, .O = 70},
      {.R = 8, .I = 1288, .O = 9, .residual = true, .activation = Activation::gelu},
  };
}

}  // namespace detrack::test
