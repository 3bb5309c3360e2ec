// Cases of the elementwise activations.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct ActivationCase {
  Activation kind = Activation::gelu;
  std::int64_t R = 1, C = 1;
  bool in_place = false;

  std::string name() const {
    return detrack::detail::concat("activation ", static_cast<int>(kind), " ", R, " x ", C, in_place ? " in place" : "");
  }
  template <class T>
  auto forward(Memory<T>& m) const {
    const auto x = m.in("x", {R, C}, normal(2));
    const auto y = in_place ? m.over("y", x) : m.out("y", {R, C});
    return ActivationForward<T>{.kind = kind, .x = in_place ? y : x, .y = y};
  }
  template <class T>
  auto backward(Memory<T>& m) const {
    const auto dy = m.in("dy", {R, C});
    const auto dx = in_place ? m.over("dx", dy) : m.out("dx", {R, C});
    return ActivationBackward<T>{.kind = kind, .x = m.in("x"), .dy = in_place ? dx : dy, .dx = dx};
  }
};

inline std::vector<ActivationCase> activation_cases() {
  std::vector<ActivationCase> cases;
  for (const Activation kind : {Activation::gelu, Activation::relu, Activation::sigmoid, Activation::identity})
    for (const bool in_place : {false, true})
      for (const std::int64_t C : {33, 1, 16}) cases.push_back({.kind = kind, .R = 7, .C = C, .in_place = in_place});
  cases.push_back({.R = 0, .C = 5});
  return cases;
}

}  // namespace detrack::test
