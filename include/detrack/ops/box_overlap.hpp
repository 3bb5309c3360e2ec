// Overlap of boxes: intersection over union, and the SIoU loss.
#pragma once

#include "detrack/ops/op.hpp"

namespace detrack {

namespace ops::detail {

template <class X, class Y>
void check_boxes(const char* op, const View<X>& a, const View<const double>& b, const char* out_name, const View<Y>& out) {
  expect_rank(op, "a", a.shape(), 2);
  expect_view(op, "a", a, {a.extent(0), 4});
  expect_view(op, "b", b, {a.extent(0), 4});
  expect_view(op, out_name, out, {a.extent(0)});
}

}  // namespace ops::detail

/// Math:   y = inter / (area a + area b - inter + 1e-7); negative sides count as 0.
/// Shapes: a, b (R, 4) as x1, y1, x2, y2 in any one unit; y (R). b is a truth and takes no gradient.
template <class T>
struct IouForward {
  static constexpr const char* kName = "iou_forward";
  View<const stat_t<T>> a{};
  View<const double> b{};
  View<stat_t<T>> y{};

  template <class F>
  void views(F&& f) const {
    f("a", a), f("b", b), f("y", y);
  }
  void check() const { ops::detail::check_boxes(kName, a, b, "y", y); }
  double flops() const { return 20.0 * static_cast<double>(a.extent(0)); }
};

/// Math:   da = dy d iou / d a.   Shapes: as IouForward; dy (R), da (R, 4).
template <class T>
struct IouBackward {
  static constexpr const char* kName = "iou_backward";
  View<const stat_t<T>> a{};
  View<const double> b{};
  View<const stat_t<T>> dy{};
  View<stat_t<T>> da{};

  template <class F>
  void views(F&& f) const {
    f("a", a), f("b", b), f("dy", dy), f("da", da);
  }
  void check() const {
    ops::detail::check_boxes(kName, a, b, "dy", dy);
    ops::expect_view(kName, "da", da, a.shape());
  }
  double flops() const { return 40.0 * static_cast<double>(a.extent(0)); }
};

/// Math:   loss = 1 - IoU + (distance + shape) / 2, with theta = 4 and the angle term sin(2 alpha) = 2 |dx dy| / (dx^2 +
/// dy^2)
///         [Gevorgyan 2022; the closed form of the angle term is ours]. Sides are at least 1e-7.
/// Shapes: a, b (R, 4) as IouForward; y (R), the loss.
template <class T>
struct SiouForward {
  static constexpr const char* kName = "siou_forward";
  View<const stat_t<T>> a{};
  View<const double> b{};
  View<stat_t<T>> y{};

  template <class F>
  void views(F&& f) const {
    f("a", a), f("b", b), f("y", y);
  }
  void check() const { ops::detail::check_boxes(kName, a, b, "y", y); }
  double flops() const { return 80.0 * static_cast<double>(a.extent(0)); }
};

/// Math:   da = dy d siou / d a.   Shapes: as SiouForward; dy (R), da (R, 4).
template <class T>
struct SiouBackward {
  static constexpr const char* kName = "siou_backward";
  View<const stat_t<T>> a{};
  View<const double> b{};
  View<const stat_t<T>> dy{};
  View<stat_t<T>> da{};

  template <class F>
  void views(F&& f) const {
    f("a", a), f("b", b), f("dy", dy), f("da", da);
  }
  void check() const {
    ops::detail::check_boxes(kName, a, b, "dy", dy);
    ops::expect_view(kName, "da", da, a.shape());
  }
  double flops() const { return 160.0 * static_cast<double>(a.extent(0)); }
};

}  // namespace detrack
