// Cases of the similarity map.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct SimilarityCase {
  std::int64_t R = 1, C = 1, V = 1;
  bool dx = true, dtable = true;

  std::string name() const { return detrack::detail::concat("similarity ", R, " x ", C, " to ", V, " words"); }
  template <class T>
  auto forward(Memory<T>& m) const {
    return SimilarityForward<T>{.x = m.in("x", {R, C}), .table = m.in("table", {V, C}), .logits = m.out("logits", {R, V})};
  }
  template <class T>
  auto backward(Memory<T>& m) const {
    return SimilarityBackward<T>{.dlogits = m.in("dlogits", {R, V}),
                                 .x = m.in("x"),
                                 .table = m.in("table"),
                                 .dx = m.out("dx", {R, C}).only_if(dx),
                                 .dtable = m.sum("dtable", {V, C}).only_if(dtable)};
  }
};

inline std::vector<SimilarityCase> similarity_cases() {
  return {{.R = 7, .C = 5, .V = 9},
          {},
          {.R = 4, .C = 33, .V = 40, .dtable = false},
          {.R = 3, .C = 1, .V = 7, .dx = false},
          {.R = 0, .C = 3, .V = 2},
          {.R = 4, .C = 16, .V = 800}};
}

}  // namespace detrack::test
