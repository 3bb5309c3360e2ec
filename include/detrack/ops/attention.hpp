// Multi-head scaled dot-product attention: self, cross, masked, and the denoising kind (4 queries on the search keys).
#pragma once

#include <utility>

#include "detrack/ops/op.hpp"

namespace detrack {

/// Math:   per batch b and head h:  s = scale q k^T;  p = softmax(s) over allowed keys;  y = p v   [Vaswani et al. 2017, eq.
/// 1] Shapes: q, y (B, Nq, H, D); k, v (B, Nk, H, D), Nk >= 1; lse (B, H, Nq) or absent: log sum exp of s, for the backward;
///         mask (Nq, Nk) or absent (all allowed): non-zero where query i may see key j. A query that may see nothing gives
///         y = 0 and lse = -infinity.
/// Views are strided, so q, k and v may be columns of one projection and keys a slice of another attention's. Nothing of
/// size Nq x Nk is kept.
template <class T>
struct AttentionForward {
  static constexpr const char* kName = "attention_forward";
  View<const T> q{}, k{}, v{};
  View<const std::uint8_t> mask{};
  double scale = 1;
  View<T> y{};
  View<stat_t<T>> lse{};

  template <class F>
  void views(F&& f) const {
    f("q", q), f("k", k), f("v", v), f("mask", mask), f("y", y), f("lse", lse);
  }
  void check() const {
    ops::expect_rank(kName, "q", q.shape(), 4);
    ops::expect_rank(kName, "k", k.shape(), 4);
    const std::int64_t B = q.extent(0), Nq = q.extent(1), H = q.extent(2), D = q.extent(3), Nk = k.extent(1);
    ops::expect(Nk >= 1, kName, "k", "at least one key", static_cast<double>(Nk));
    ops::expect_view(kName, "q", q, {B, Nq, H, D});
    ops::expect_view(kName, "k", k, {B, Nk, H, D});
    ops::expect_view(kName, "v", v, {B, Nk, H, D});
    ops::expect_view(kName, "mask", mask, {Nq, Nk}, true);
    ops::expect_view(kName, "y", y, {B, Nq, H, D});
    ops::expect_view(kName, "lse", lse, {B, H, Nq}, true);
  }
  double flops() const { return 4.0 * static_cast<double>(q.numel()) * static_cast<double>(k.extent(1)); }
};

/// Math:   p = exp(s - lse);  delta = sum over D of dy y;  dv = p^T dy;  ds = p (dy v^T - delta);
///         dq = scale ds k;  dk = scale ds^T q                                             [Dao et al. 2022, appendix B.4]
/// Shapes: as AttentionForward, y and lse of the forward; dy (B, Nq, H, D); dq, dk, dv like q, k, v.
template <class T>
struct AttentionBackward {
  static constexpr const char* kName = "attention_backward";
  View<const T> q{}, k{}, v{};
  View<const std::uint8_t> mask{};
  double scale = 1;
  View<const T> y{};
  View<const stat_t<T>> lse{};
  View<const T> dy{};
  View<T> dq{}, dk{}, dv{};

  template <class F>
  void views(F&& f) const {
    f("q", q), f("k", k), f("v", v), f("mask", mask), f("y", y), f("lse", lse), f("dy", dy);
    f("dq", dq), f("dk", dk), f("dv", dv);
  }
  void check() const {
    ops::expect_rank(kName, "q", q.shape(), 4);
    ops::expect_rank(kName, "k", k.shape(), 4);
    const std::int64_t B = q.extent(0), Nq = q.extent(1), H = q.extent(2), D = q.extent(3), Nk = k.extent(1);
    ops::expect(Nk >= 1, kName, "k", "at least one key", static_cast<double>(Nk));
    for (const auto& [name, view] : {std::pair{"q", q}, {"y", y}, {"dy", dy}})
      ops::expect_view(kName, name, view, {B, Nq, H, D});
    for (const auto& [name, view] : {std::pair{"k", k}, {"v", v}}) ops::expect_view(kName, name, view, {B, Nk, H, D});
    ops::expect_view(kName, "mask", mask, {Nq, Nk}, true);
    ops::expect_view(kName, "lse", lse, {B, H, Nq});
    ops::expect_view(kName, "dq", dq, {B, Nq, H, D});
    ops::expect_view(kName, "dk", dk, {B, Nk, H, D});
    ops::expect_view(kName, "dv", dv, {B, Nk, H, D});
  }
  double flops() const { return 10.0 * static_cast<double>(q.numel()) * static_cast<double>(k.extent(1)); }
};

}  // namespace detrack
