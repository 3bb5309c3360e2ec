// Expected coordinate under the softmax over words.
#pragma once

#include "detrack/ops/words.hpp"

namespace detrack {

/// Math:   y = sum over k of softmax(logits)_k centre(k).   Shapes: logits (R, V); y (R), crop units.
template <class T>
struct ExpectationForward {
  static constexpr const char* kName = "expectation_forward";
  View<const stat_t<T>> logits{};
  Vocabulary vocabulary;
  View<stat_t<T>> y{};

  template <class F>
  void views(F&& f) const {
    f("logits", logits), f("y", y);
  }
  void check() const {
    ops::expect_rank(kName, "logits", logits.shape(), 2);
    ops::expect_view(kName, "logits", logits, {logits.extent(0), vocabulary.size});
    ops::expect_view(kName, "y", y, {logits.extent(0)});
  }
  double flops() const { return 14.0 * static_cast<double>(logits.numel()); }
};

/// Math:   dlogits_k = residual_k + dy softmax(logits)_k (centre(k) - y).
/// Shapes: logits, dlogits (R, V); dy (R); residual (R, V) or absent: what other losses add. dlogits may be residual.
template <class T>
struct ExpectationBackward {
  static constexpr const char* kName = "expectation_backward";
  static constexpr std::string_view kInPlace[] = {"residual"};
  View<const stat_t<T>> logits{};
  Vocabulary vocabulary;
  View<const stat_t<T>> dy{}, residual{};
  View<stat_t<T>> dlogits{};

  template <class F>
  void views(F&& f) const {
    f("logits", logits), f("dy", dy), f("residual", residual), f("dlogits", dlogits);
  }
  void check() const {
    ops::expect_rank(kName, "logits", logits.shape(), 2);
    ops::expect_view(kName, "logits", logits, {logits.extent(0), vocabulary.size});
    ops::expect_view(kName, "dy", dy, {logits.extent(0)});
    ops::expect_view(kName, "residual", residual, logits.shape(), true);
    ops::expect_view(kName, "dlogits", dlogits, logits.shape());
  }
  double flops() const { return 18.0 * static_cast<double>(logits.numel()); }
};

}  // namespace detrack
