// Similarity map of tokens to the word table, whose weights are tied to the word embedding.
#pragma once

#include "detrack/ops/op.hpp"

namespace detrack {

/// Math:   logits = x table^T.   Shapes: x (R, C), table (V, C), logits (R, V).
template <class T>
struct SimilarityForward {
  static constexpr const char* kName = "similarity_forward";
  View<const T> x{}, table{};
  View<stat_t<T>> logits{};

  template <class F>
  void views(F&& f) const {
    f("x", x), f("table", table), f("logits", logits);
  }
  void check() const {
    ops::expect_rank(kName, "x", x.shape(), 2);
    ops::expect_rank(kName, "table", table.shape(), 2);
    ops::expect_view(kName, "x", x, {x.extent(0), table.extent(1)});
    ops::expect_view(kName, "table", table, table.shape());
    ops::expect_view(kName, "logits", logits, {x.extent(0), table.extent(0)});
  }
  double flops() const { return 2.0 * static_cast<double>(x.numel()) * static_cast<double>(table.extent(0)); }
};

/// Math:   dx = dlogits table;  dtable += dlogits^T x.   Shapes: as SimilarityForward; dx and dtable may be absent.
template <class T>
struct SimilarityBackward {
  static constexpr const char* kName = "similarity_backward";
  View<const stat_t<T>> dlogits{};
  View<const T> x{}, table{};
  View<T> dx{}, dtable{};

  template <class F>
  void views(F&& f) const {
    f("dlogits", dlogits), f("x", x), f("table", table), f("dx", dx), f("dtable", dtable);
  }
  void check() const {
    ops::expect_rank(kName, "x", x.shape(), 2);
    ops::expect_rank(kName, "table", table.shape(), 2);
    ops::expect_view(kName, "x", x, {x.extent(0), table.extent(1)});
    ops::expect_view(kName, "table", table, table.shape());
    ops::expect_view(kName, "dlogits", dlogits, {x.extent(0), table.extent(0)});
    ops::expect_view(kName, "dx", dx, x.shape(), true);
    ops::expect_view(kName, "dtable", dtable, table.shape(), true);
  }
  double flops() const {
    return 2.0 * static_cast<double>(x.numel()) * static_cast<double>(table.extent(0)) * ((dx ? 1 : 0) + (dtable ? 1 : 0));
  }
};

}  // namespace detrack
