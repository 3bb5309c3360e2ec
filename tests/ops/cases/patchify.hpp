// Cases of cutting images into patches.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct PatchifyCase {
  std::int64_t B = 1, channels = 1, H = 1, W = 1, P = 1;

  std::string name() const {
    return detrack::detail::concat("patchify ", B, " x ", channels, " x ", H, " x ", W, " by ", P);
  }
  template <class T>
  auto forward(Memory<T>& m) const {
    return PatchifyForward<T>{.image = m.in("image", {B, channels, H, W}),
                              .patch = P,
                              .columns = m.out("columns", {B * (H / P) * (W / P), channels * P * P})};
  }
  template <class T>
  auto backward(Memory<T>& m) const {
    return PatchifyBackward<T>{.dcolumns = m.in("dcolumns", {B * (H / P) * (W / P), channels * P * P}),
                               .patch = P,
                               .dimage = m.out("dimage", {B, channels, H, W})};
  }
};

inline std::vector<PatchifyCase> patchify_cases() {
  return {{.B = 3, .channels = 3, .H = 4, .W = 6, .P = 2},
          {},
          {.B = 1, .channels = 3, .H = 32, .W = 32, .P = 16},
          {.B = 1, .channels = 1, .H = 3, .W = 9, .P = 3},
          {.B = 0, .channels = 3, .H = 4, .W = 4, .P = 2}};
}

}  // namespace detrack::test
