// Cross-entropy of the similarity map to a coordinate, as one word or as a Gaussian over words.
#pragma once

#include "detrack/ops/op.hpp"

namespace detrack {

namespace ops::detail {

template <class X>
void check_cross_entropy(const char* op, const View<X>& logits, const View<const double>& target, double sigma) {
  expect_rank(op, "logits", logits.shape(), 2);
  expect(logits.extent(1) >= 1, op, "logits", "at least one word", static_cast<double>(logits.extent(1)));
  expect(sigma >= 0, op, "sigma", "a number of words >= 0", sigma);
  expect_view(op, "logits", logits, logits.shape());
  expect_view(op, "target", target, {logits.extent(0)});
}

}  // namespace ops::detail

/// Math:   loss = -sum over k of q_k log softmax(logits)_k. With sigma = 0, q is 1 at the word of `target` (floor, clamped);
///         with sigma > 0, q_k is proportional to exp(-(k + 1/2 - target)^2 / (2 sigma^2)), normalised to 1.
/// Shapes: logits (R, V); target (R), positions in words (Vocabulary::position), double whatever T is; loss (R).
template <class T>
struct CrossEntropyForward {
  static constexpr const char* kName = "cross_entropy_forward";
  View<const stat_t<T>> logits{};
  View<const double> target{};
  double sigma = 0;
  View<stat_t<T>> loss{};

  template <class F>
  void views(F&& f) const {
    f("logits", logits), f("target", target), f("loss", loss);
  }
  void check() const {
    ops::detail::check_cross_entropy(kName, logits, target, sigma);
    ops::expect_view(kName, "loss", loss, {logits.extent(0)});
  }
  double flops() const { return 14.0 * static_cast<double>(logits.numel()); }
};

/// Math:   dlogits_k = dloss (softmax(logits)_k - q_k).   Shapes: as CrossEntropyForward; dloss (R), dlogits (R, V).
template <class T>
struct CrossEntropyBackward {
  static constexpr const char* kName = "cross_entropy_backward";
  View<const stat_t<T>> logits{};
  View<const double> target{};
  double sigma = 0;
  View<const stat_t<T>> dloss{};
  View<stat_t<T>> dlogits{};

  template <class F>
  void views(F&& f) const {
    f("logits", logits), f("target", target), f("dloss", dloss), f("dlogits", dlogits);
  }
  void check() const {
    ops::detail::check_cross_entropy(kName, logits, target, sigma);
    ops::expect_view(kName, "dloss", dloss, {logits.extent(0)});
    ops::expect_view(kName, "dlogits", dlogits, logits.shape());
  }
  double flops() const { return 16.0 * static_cast<double>(logits.numel()); }
};

}  // namespace detrack
