// Cases of table look-up, with repeated indices.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct EmbeddingCase {
  std::int64_t R = 1, V = 1, C = 1;

  std::string name() const { return detrack::detail::concat("embedding R ", R, " V ", V, " C ", C); }
  template <class T>
  auto forward(Memory<T>& m) const {
    return EmbeddingForward<T>{
        .index = m.in("index", {R}, below(V)), .table = m.in("table", {V, C}), .y = m.out("y", {R, C})};
  }
  template <class T>
  auto backward(Memory<T>& m) const {
    return EmbeddingBackward<T>{.index = m.in("index"), .dy = m.in("dy", {R, C}), .dtable = m.sum("dtable", {V, C})};
  }
};

inline std::vector<EmbeddingCase> embedding_cases() {
  return {{.R = 7, .V = 5, .C = 33},  {}, {.R = 33, .V = 3, .C = 1}, {.R = 0, .V = 4, .C = 2}, {.R = 12, .V = 800, .C = 16},
          {.R = 1100, .V = 3, .C = 8}};
}

}  // namespace detrack::test
