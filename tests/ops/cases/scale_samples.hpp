// Cases of samples times a factor of their own.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct ScaleSamplesCase {
  std::int64_t B = 1, n = 1, C = 1;
  bool residual = true, in_place = false;

  std::string name() const {
    return detrack::detail::concat("scale samples ", B, " x ", n, " x ", C, residual ? " and residual" : "",
                                   in_place ? " in place" : "");
  }
  template <class T>
  auto forward(Memory<T>& m) const {
    const Shape shape{B, n, C};
    const auto x = m.in("x", shape), residual_in = m.in("residual", shape);
    const auto y = in_place ? m.over("y", residual ? residual_in : x) : m.out("y", shape);
    return ScaleSamples<T>{.x = in_place && !residual ? y : x,
                           .scale = m.in("scale", {B}),
                           .residual = (in_place ? y : residual_in).only_if(residual),
                           .y = y};
  }
  template <class T>
  auto backward(Memory<T>& m) const {
    return ScaleSamples<T>{.x = m.in("dy", {B, n, C}), .scale = m.in("scale"), .y = m.out("dx", {B, n, C})};
  }
};

inline std::vector<ScaleSamplesCase> scale_samples_cases() {
  return {{.B = 3, .n = 5, .C = 33},
          {.residual = false},
          {.B = 2, .n = 3, .C = 16, .in_place = true},
          {.B = 2, .n = 1, .C = 7, .residual = false, .in_place = true},
          {.B = 0, .n = 3, .C = 4}};
}

}  // namespace detrack::test
