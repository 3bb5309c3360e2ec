// Rows of a table, looked up by index.
#pragma once

#include "detrack/ops/op.hpp"

namespace detrack {

/// Math:   y[r] = table[index[r]].   Shapes: index (R), each in [0, V); table (V, C); y (R, C).
template <class T>
struct EmbeddingForward {
  static constexpr const char* kName = "embedding_forward";
  View<const std::int32_t> index{};
  View<const T> table{};
  View<T> y{};

  template <class F>
  void views(F&& f) const {
    f("index", index), f("table", table), f("y", y);
  }
  void check() const {
    ops::expect_rank(kName, "index", index.shape(), 1);
    ops::expect_rank(kName, "table", table.shape(), 2);
    ops::expect_view(kName, "index", index, index.shape());
    ops::expect_view(kName, "table", table, table.shape());
    ops::expect_view(kName, "y", y, {index.extent(0), table.extent(1)});
  }
  double flops() const { return 0; }
};

/// Math:   dtable[index[r]] += dy[r], in the order of r.   Shapes: as EmbeddingForward.
template <class T>
struct EmbeddingBackward {
  static constexpr const char* kName = "embedding_backward";
  View<const std::int32_t> index{};
  View<const T> dy{};
  View<T> dtable{};

  template <class F>
  void views(F&& f) const {
    f("index", index), f("dy", dy), f("dtable", dtable);
  }
  void check() const {
    ops::expect_rank(kName, "index", index.shape(), 1);
    ops::expect_rank(kName, "dtable", dtable.shape(), 2);
    ops::expect_view(kName, "index", index, index.shape());
    ops::expect_view(kName, "dy", dy, {index.extent(0), dtable.extent(1)});
    ops::expect_view(kName, "dtable", dtable, dtable.shape());
  }
  double flops() const { return static_cast<double>(dy.numel()); }
};

}  // namespace detrack
