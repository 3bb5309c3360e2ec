// Cases of position embeddings: a row for each place, or one for all.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct PositionEmbeddingCase {
  std::int64_t B = 1, N = 1, C = 1;
  bool one_row = false, in_place = false;

  std::string name() const {
    return detrack::detail::concat("position embedding B ", B, " N ", N, " C ", C, one_row ? " one row" : "",
                                   in_place ? " in place" : "");
  }
  template <class T>
  auto forward(Memory<T>& m) const {
    const auto x = m.in("x", {B, N, C});
    const auto y = in_place ? m.over("y", x) : m.out("y", {B, N, C});
    return PositionEmbeddingForward<T>{.x = in_place ? y : x, .embedding = m.in("embedding", {one_row ? 1 : N, C}), .y = y};
  }
  template <class T>
  auto backward(Memory<T>& m) const {  // dx is dy itself
    const auto dy = m.in("dy", {B, N, C});
    return std::make_tuple(PositionEmbeddingBackward<T>{.dy = dy, .dembedding = m.sum("dembedding", {one_row ? 1 : N, C})},
                           Add<T>{.a = dy, .y = m.out("dx", {B, N, C})});
  }
};

inline std::vector<PositionEmbeddingCase> position_embedding_cases() {
  return {{.B = 3, .N = 7, .C = 5},
          {},
          {.B = 3, .N = 7, .C = 33, .one_row = true},
          {.B = 1, .N = 4, .C = 16, .in_place = true},
          {.B = 0, .N = 2, .C = 3},
          {.B = 9, .N = 8, .C = 16, .one_row = true}};
}

}  // namespace detrack::test
