// Cases of the sum of squares.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct SquaredNormCase {
  std::int64_t n = 1;

  std::string name() const { return detrack::detail::concat("squared norm ", n); }
  template <class T>
  auto forward(Memory<T>& m) const {
    return SquaredNorm<T>{.x = m.in("x", {n}), .y = m.out("y", {1})};
  }
};

inline std::vector<SquaredNormCase> squared_norm_cases() {
  return {{.n = 37}, {}, {.n = 0}, {.n = 70001}};
}

}  // namespace detrack::test
