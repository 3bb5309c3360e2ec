// Cases of predicted boxes placed in the frame.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct PlaceBoxesCase {
  std::int64_t B = 1;

  std::string name() const { return detrack::detail::concat("place boxes ", B); }
  template <class T>
  auto forward(Memory<T>& m) const {
    return PlaceBoxes<T>{.box = m.in("box", {B, 4}, normal(0.5, 0.5)),  // inside, outside, corners in the wrong order
                         .placement = m.in("placement", {B, 9}, placements()),
                         .placed = m.out("placed", {B, 4})};
  }

 private:
  Values placements() const {
    return [n = B](std::vector<double>& values, Philox& rng) {
      for (std::int64_t b = 0; b < n; ++b) {
        const double row[9] = {rng.uniform() * 64, rng.uniform() * 48, 5 + rng.uniform() * 90, 64, 48, 10, 12, 7, 9};
        std::copy_n(row, 9, values.begin() + 9 * b);
      }
    };
  }
};

inline std::vector<PlaceBoxesCase> place_boxes_cases() {
  return {{.B = 33}, {.B = 1}, {.B = 0}};
}

}  // namespace detrack::test
