// Cases of looking words up for boxes.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct WordsCase {
  std::int64_t R = 1, V = 40;

  std::string name() const { return detrack::detail::concat("box to words ", R, " boxes, ", V, " words"); }
  template <class T>
  auto forward(Memory<T>& m) const {
    return BoxToWords<T>{.box = m.in("box", {R, 4}, boxes(1)),
                         .vocabulary = {.size = V, .per_unit = static_cast<double>(V) / 2, .min = -0.5},
                         .words = m.out("words", {4 * R})};
  }
};

inline std::vector<WordsCase> words_cases() {
  return {{.R = 7}, {.R = 33, .V = 800}, {.R = 1, .V = 1}, {.R = 0}};
}

}  // namespace detrack::test
