// Cases of IoU and SIoU: overlapping, disjoint and inverted boxes.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

template <template <class> class Forward, template <class> class Backward>
struct BoxOverlapCase {
  std::int64_t R = 1;
  double disorder = 0;

  std::string name() const { return detrack::detail::concat(Forward<double>::kName, " R ", R, " disorder ", disorder); }
  template <class T>
  auto forward(Memory<T>& m) const {
    return Forward<T>{.a = m.in("a", {R, 4}, boxes(disorder)), .b = m.in("b", {R, 4}, boxes()), .y = m.out("y", {R})};
  }
  template <class T>
  auto backward(Memory<T>& m) const {
    return Backward<T>{.a = m.in("a"), .b = m.in("b"), .dy = m.in("dy", {R}), .da = m.out("da", {R, 4})};
  }
};

using IouCase = BoxOverlapCase<IouForward, IouBackward>;
using SiouCase = BoxOverlapCase<SiouForward, SiouBackward>;

template <class Case>
std::vector<Case> box_overlap_cases() {
  return {{.R = 33, .disorder = 0.05}, {.R = 1}, {.R = 64, .disorder = 0.2}, {.R = 7, .disorder = 0.02}, {.R = 0}};
}
inline std::vector<IouCase> iou_cases() {
  return box_overlap_cases<IouCase>();
}
inline std::vector<SiouCase> siou_cases() {
  return box_overlap_cases<SiouCase>();
}

}  // namespace detrack::test
