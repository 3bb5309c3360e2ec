// Cases of values rounded to another type.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct CastCase {
  std::int64_t n = 1;

  std::string name() const { return detrack::detail::concat("cast ", n); }
  template <class T>
  auto forward(Memory<T>& m) const {
    return Cast<T>{.x = m.in("x", {n}), .y = m.out("y", {n})};
  }
};

inline std::vector<CastCase> cast_cases() {
  return {{.n = 37}, {}, {.n = 0}, {.n = 70001}};
}

}  // namespace detrack::test
