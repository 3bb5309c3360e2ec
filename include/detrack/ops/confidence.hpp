// Softmax score of a box: how much probability lies near the most likely words.
#pragma once

#include "detrack/ops/op.hpp"

namespace detrack {

namespace ops::detail {

template <class X>
void check_confidence(const char* op, const View<X>& logits, std::int64_t window, std::int64_t group) {
  expect_rank(op, "logits", logits.shape(), 2);
  expect(logits.extent(1) >= 1, op, "logits", "at least one word", static_cast<double>(logits.extent(1)));
  expect(window >= 0, op, "window", "a number of words >= 0", static_cast<double>(window));
  expect(group >= 1 && logits.extent(0) % group == 0, op, "group", "a divisor of the rows", static_cast<double>(group));
  expect_view(op, "logits", logits, logits.shape());
}

}  // namespace ops::detail

/// Math:   y = mean over `group` rows of the softmax mass within +-window words of the row's most likely word (the lowest
///         index on ties).
/// Shapes: logits (R, V), R divisible by group (4 coordinates make a box); y (R / group), in (0, 1].
template <class T>
struct ConfidenceForward {
  static constexpr const char* kName = "confidence_forward";
  View<const stat_t<T>> logits{};
  std::int64_t window = 2, group = 4;
  View<stat_t<T>> y{};

  template <class F>
  void views(F&& f) const {
    f("logits", logits), f("y", y);
  }
  void check() const {
    ops::detail::check_confidence(kName, logits, window, group);
    ops::expect_view(kName, "y", y, {logits.extent(0) / group});
  }
  double flops() const { return 14.0 * static_cast<double>(logits.numel()); }
};

/// Math:   dlogits_k = dy / group * p_k ([k in window] - m), m the mass in the window, which is held where it is.
/// Shapes: logits, dlogits (R, V); dy (R / group).
template <class T>
struct ConfidenceBackward {
  static constexpr const char* kName = "confidence_backward";
  View<const stat_t<T>> logits{};
  std::int64_t window = 2, group = 4;
  View<const stat_t<T>> dy{};
  View<stat_t<T>> dlogits{};

  template <class F>
  void views(F&& f) const {
    f("logits", logits), f("dy", dy), f("dlogits", dlogits);
  }
  void check() const {
    ops::detail::check_confidence(kName, logits, window, group);
    ops::expect_view(kName, "dy", dy, {logits.extent(0) / group});
    ops::expect_view(kName, "dlogits", dlogits, logits.shape());
  }
  double flops() const { return 16.0 * static_cast<double>(logits.numel()); }
};

}  // namespace detrack
