// Adding an embedding that depends on the token's place, not on the sample.
#pragma once

#include "detrack/ops/op.hpp"

namespace detrack {

/// Math:   y[b, n] = x[b, n] + embedding[n], or + embedding[0] where there is one row for all places.
/// Shapes: x, y (B, N, C); embedding (N, C) or (1, C). y may be x.
template <class T>
struct PositionEmbeddingForward {
  static constexpr const char* kName = "position_embedding_forward";
  static constexpr std::string_view kInPlace[] = {"x"};
  View<const T> x{}, embedding{};
  View<T> y{};

  template <class F>
  void views(F&& f) const {
    f("x", x), f("embedding", embedding), f("y", y);
  }
  void check() const {
    ops::expect_rank(kName, "x", x.shape(), 3);
    ops::expect_rank(kName, "embedding", embedding.shape(), 2);
    const std::int64_t rows = embedding.extent(0) == 1 ? 1 : x.extent(1);
    ops::expect_view(kName, "x", x, x.shape());
    ops::expect_view(kName, "embedding", embedding, {rows, x.extent(2)});
    ops::expect_view(kName, "y", y, x.shape());
  }
  double flops() const { return static_cast<double>(x.numel()); }
};

/// Math:   dembedding[n] += sum over b of dy[b, n] (over b and n where it has one row); dx is dy itself.
/// Shapes: dy (B, N, C); dembedding (N, C) or (1, C).
template <class T>
struct PositionEmbeddingBackward {
  static constexpr const char* kName = "position_embedding_backward";
  View<const T> dy{};
  View<T> dembedding{};

  template <class F>
  void views(F&& f) const {
    f("dy", dy), f("dembedding", dembedding);
  }
  void check() const {
    ops::expect_rank(kName, "dy", dy.shape(), 3);
    ops::expect_rank(kName, "dembedding", dembedding.shape(), 2);
    const std::int64_t rows = dembedding.extent(0) == 1 ? 1 : dy.extent(1);
    ops::expect_view(kName, "dy", dy, dy.shape());
    ops::expect_view(kName, "dembedding", dembedding, {rows, dy.extent(2)});
  }
  double flops() const { return static_cast<double>(dy.numel()); }
};

}  // namespace detrack
