// Cases of cross-entropy: to one word, and to a Gaussian; targets inside and outside the vocabulary.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct CrossEntropyCase {
  std::int64_t R = 1, V = 2;
  double sigma = 0;

  std::string name() const { return detrack::detail::concat("cross entropy ", R, " x ", V, " sigma ", sigma); }
  template <class T>
  auto forward(Memory<T>& m) const {
    const double middle = static_cast<double>(V) / 2;
    return CrossEntropyForward<T>{.logits = m.in("logits", {R, V}, normal(2)),
                                  .target = m.in("target", {R}, normal(middle, middle)),
                                  .sigma = sigma,
                                  .loss = m.out("loss", {R})};
  }
  template <class T>
  auto backward(Memory<T>& m) const {
    return CrossEntropyBackward<T>{.logits = m.in("logits"),
                                   .target = m.in("target"),
                                   .sigma = sigma,
                                   .dloss = m.in("dloss", {R}),
                                   .dlogits = m.out("dlogits", {R, V})};
  }
};

inline std::vector<CrossEntropyCase> cross_entropy_cases() {
  return {{.R = 7, .V = 33, .sigma = 2},  {.R = 33, .V = 7}, {.R = 1, .V = 1}, {.R = 2, .V = 1, .sigma = 1},
          {.R = 4, .V = 800, .sigma = 4}, {.R = 0, .V = 5}};
}

}  // namespace detrack::test
