// Cases of the mean squared error.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct MseCase {
  std::int64_t R = 1, C = 1;

  std::string name() const { return detrack::detail::concat("mse ", R, " x ", C); }
  template <class T>
  auto forward(Memory<T>& m) const {
    return MseForward<T>{.a = m.in("a", {R, C}), .b = m.in("b", {R, C}), .y = m.out("y", {R})};
  }
  template <class T>
  auto backward(Memory<T>& m) const {
    return MseBackward<T>{.a = m.in("a"), .b = m.in("b"), .dy = m.in("dy", {R}), .da = m.out("da", {R, C})};
  }
};

inline std::vector<MseCase> mse_cases() {
  return {{.R = 7, .C = 33}, {}, {.R = 3, .C = 1}, {.R = 0, .C = 3}};
}

}  // namespace detrack::test
