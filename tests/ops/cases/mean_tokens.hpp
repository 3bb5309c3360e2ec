// Cases of the mean over tokens.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct MeanTokensCase {
  std::int64_t B = 1, N = 1, C = 1;

  std::string name() const { return detrack::detail::concat("mean tokens B ", B, " n ", N, " C ", C); }
  template <class T>
  auto forward(Memory<T>& m) const {
    return MeanTokensForward<T>{.x = m.in("x", {B, N, C}), .y = m.out("y", {B, C})};
  }
  template <class T>
  auto backward(Memory<T>& m) const {
    return MeanTokensBackward<T>{.dy = m.in("dy", {B, C}), .dx = m.out("dx", {B, N, C})};
  }
};

inline std::vector<MeanTokensCase> mean_tokens_cases() {
  return {{.B = 3, .N = 7, .C = 5}, {}, {.B = 1, .N = 4, .C = 33}, {.B = 0, .N = 2, .C = 3}};
}

}  // namespace detrack::test
