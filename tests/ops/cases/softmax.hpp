// Cases of softmax.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct SoftmaxCase {
  std::int64_t R = 1, V = 1;
  bool in_place = false;

  std::string name() const { return detrack::detail::concat("softmax ", R, " x ", V, in_place ? " in place" : ""); }
  template <class T>
  auto forward(Memory<T>& m) const {
    const auto x = m.in("x", {R, V}, normal(3));
    const auto y = in_place ? m.over("y", x) : m.out("y", {R, V});
    return SoftmaxForward<T>{.x = in_place ? y : x, .y = y};
  }
  template <class T>
  auto backward(Memory<T>& m) const {
    const auto dy = m.in("dy", {R, V});
    const auto dx = in_place ? m.over("dx", dy) : m.out("dx", {R, V});
    return SoftmaxBackward<T>{.y = m.in("y"), .dy = in_place ? dx : dy, .dx = dx};
  }
};

inline std::vector<SoftmaxCase> softmax_cases() {
  return {{.R = 7, .V = 33}, {}, {.R = 33, .V = 7, .in_place = true}, {.R = 3, .V = 1}, {.R = 0, .V = 5},
          {.R = 2, .V = 800}};
}

}  // namespace detrack::test
