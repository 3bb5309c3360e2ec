// Cases of the softmax score.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct ConfidenceCase {
  std::int64_t R = 4, V = 5, window = 2, group = 4;

  std::string name() const {
    return detrack::detail::concat("confidence ", R, " x ", V, " window ", window, " group ", group);
  }
  template <class T>
  auto forward(Memory<T>& m) const {
    return ConfidenceForward<T>{
        .logits = m.in("logits", {R, V}, normal(2)), .window = window, .group = group, .y = m.out("y", {R / group})};
  }
  template <class T>
  auto backward(Memory<T>& m) const {
    return ConfidenceBackward<T>{.logits = m.in("logits"),
                                 .window = window,
                                 .group = group,
                                 .dy = m.in("dy", {R / group}),
                                 .dlogits = m.out("dlogits", {R, V})};
  }
};

inline std::vector<ConfidenceCase> confidence_cases() {
  return {{.R = 12, .V = 33}, {.R = 4, .V = 1},  {.R = 3, .V = 7, .window = 0, .group = 1}, {.R = 8, .V = 3, .window = 9},
          {.R = 0, .V = 4},   {.R = 4, .V = 800}};
}

}  // namespace detrack::test
