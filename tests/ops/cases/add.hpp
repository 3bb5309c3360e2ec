// Cases of weighted sums and fills, of every rank.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct AddCase {
  Shape shape;
  double alpha = 1, beta = 1;
  bool b = true, in_place = false;

  std::string name() const {
    return detrack::detail::concat("add ", to_string(shape), " ", alpha, " a + ", beta, b ? " b" : " nothing",
                                   in_place ? " in place" : "");
  }
  template <class T>
  auto forward(Memory<T>& m) const {
    const auto a = m.in("a", shape);
    const auto y = in_place ? m.over("y", a) : m.out("y", shape);
    return Add<T>{.alpha = alpha, .a = in_place ? y : a, .beta = beta, .b = m.in("b", shape).only_if(b), .y = y};
  }
  template <class T>
  auto backward(Memory<T>& m) const {  // its own gradient, twice; db is of no use where there is no b
    const auto dy = m.in("dy", shape);
    return std::make_tuple(Add<T>{.alpha = alpha, .a = dy, .y = m.out("da", shape)},
                           Add<T>{.alpha = beta, .a = dy, .y = m.out("db", shape)});
  }
};

inline std::vector<AddCase> add_cases() {
  return {{.shape = {3, 5}, .alpha = 0.5, .beta = -2},
          {.shape = {}},
          {.shape = {33}, .b = false},
          {.shape = {2, 1, 3}, .alpha = -1},
          {.shape = {2, 3, 1, 4}, .beta = 0.25, .in_place = true},
          {.shape = {2, 1, 2, 3, 5}, .alpha = 3},
          {.shape = {0, 4}}};
}

struct FillCase {
  Shape shape;
  double value = 0;

  std::string name() const { return detrack::detail::concat("fill ", to_string(shape), " with ", value); }
  template <class T>
  auto forward(Memory<T>& m) const {
    return Fill<T>{.value = value, .y = m.out("y", shape)};
  }
};

inline std::vector<FillCase> fill_cases() {
  return {{.shape = {3, 7}, .value = -1.5}, {.shape = {}, .value = 2}, {.shape = {2, 1, 2, 1, 3}}, {.shape = {0}}};
}

}  // namespace detrack::test
