// Adding an embedding of the token's place, 16 bytes a thread, and its gradient, a sum over samples (and places).
#pragma once

#include "cuda/row_sums.cuh"
#include "detrack/ops/position_embedding.hpp"

namespace detrack::cuda {

template <class T, int kCount>
struct AddPlaces {
  View<const T> x, embedding;
  View<T> y;
  __device__ void operator()(std::int64_t i) const {
    const std::int64_t per_row = x.extent(2) / kCount, token = i / per_row, c = i % per_row * kCount;
    const std::int64_t b = token / x.extent(1), n = token % x.extent(1);
    float values[kCount], place[kCount];
    load_floats(values, &x(b, n, c));
    load_floats(place, &embedding(embedding.extent(0) == 1 ? 0 : n, c));
#pragma unroll
    for (int k = 0; k < kCount; ++k) values[k] += place[k];
    store_floats(&y(b, n, c), values);
  }
};

template <class T>
void run(Stream& stream, const PositionEmbeddingForward<T>& op) {
  for_each_pack<kPack<T>>(stream, packable<kPack<T>>(op.x, op.embedding, op.y), op.x.numel(), [&](auto n) {
    return AddPlaces<T, decltype(n)::value>{op.x, op.embedding, op.y};
  });
}

/// For add_row_sums(): the rows are samples or, where the embedding has one row, all tokens; the columns are those of all of
/// the embedding's rows.
template <class T, int kColumns>
struct PlaceRows {
  static constexpr int kCount = kColumns;
  View<const T> dy;
  bool one_row;
  __device__ void load(float (&x)[kCount], std::int64_t column, std::int64_t row) const {
    if (one_row)
      load_floats(x, &dy(row / dy.extent(1), row % dy.extent(1), column));
    else
      load_floats(x, &dy(row, column / dy.extent(2), column % dy.extent(2)));
  }
};

/// Where column i of the sums belongs.
template <class T>
struct PlaceOfSum {
  View<T> dembedding;
  __device__ T* operator()(std::int64_t i) const { return &dembedding(i / dembedding.extent(1), i % dembedding.extent(1)); }
};

template <class T>
void run(Stream& stream, const PositionEmbeddingBackward<T>& op) {
  constexpr int kCount = kPack<T>;
  const bool one_row = op.dembedding.extent(0) == 1;
  const std::int64_t width = op.dembedding.numel(), rows = op.dy.extent(0) * (one_row ? op.dy.extent(1) : 1);
  const PlaceOfSum<T> out{op.dembedding};
  if (packable<kCount>(op.dy, op.dembedding))
    add_row_sums(stream, width, rows, PlaceRows<T, kCount>{op.dy, one_row}, 1, out);
  else
    add_row_sums(stream, width, rows, PlaceRows<T, 1>{op.dy, one_row}, 1, out);
}

}  // namespace detrack::cuda
