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
  constexpr int kCount = kPack<T>;
  if (packable<kCount>(op.x) && packable<kCount>(op.embedding) && packable<kCount>(op.y))
    for_each(stream, op.x.numel() / kCount, AddPlaces<T, kCount>{op.x, op.embedding, op.y});
  else
    for_each(stream, op.x.numel(), AddPlaces<T, 1>{op.x, op.embedding, op.y});
}

/// For sum_rows(): the rows that are summed are samples or, where dembedding has one row, all tokens.
template <class T, int kColumns>
struct SumPlaces {
  static constexpr int kCount = kColumns;
  View<const T> dy;
  View<T> dembedding;
  float* partial;  ///< (strips, rows, C) or null: then there is one strip
  __device__ void load(float (&x)[kCount], std::int64_t pack, std::int64_t row) const {
    const std::int64_t per_row = dy.extent(2) / kCount, c = pack % per_row * kCount;
    if (dembedding.extent(0) == 1)
      load_floats(x, &dy(row / dy.extent(1), row % dy.extent(1), c));
    else
      load_floats(x, &dy(row, pack / per_row, c));
  }
  __device__ void store(std::int64_t pack, std::int64_t strip, const float (&sum)[kCount]) const {
    if (partial) return store_floats(partial + strip * dembedding.numel() + pack * kCount, sum);
    const std::int64_t per_row = dy.extent(2) / kCount;
    T* const to = &dembedding(pack / per_row, pack % per_row * kCount);
    float values[kCount];
    load_floats(values, to);
#pragma unroll
    for (int k = 0; k < kCount; ++k) values[k] += sum[k];
    store_floats(to, values);
  }
};

/// Where column i of the partial sums belongs.
template <class T>
struct PlaceOfSum {
  View<T> dembedding;
  __device__ T* operator()(std::int64_t i) const { return &dembedding(i / dembedding.extent(1), i % dembedding.extent(1)); }
};

template <class T, int kCount>
void run_position_embedding_backward(Stream& stream, const PositionEmbeddingBackward<T>& op) {
  const std::int64_t width = op.dembedding.numel(), packs = width / kCount;
  const std::int64_t rows = op.dy.extent(0) * (op.dembedding.extent(0) == 1 ? op.dy.extent(1) : 1);
  const std::int64_t strips = strips_for(stream, packs, rows);
  const auto bytes = static_cast<std::size_t>(strips * width) * sizeof(float);
  float* const partial = strips > 1 ? static_cast<float*>(stream.scratch(bytes)) : nullptr;
  sum_rows(stream, packs, rows, strips, SumPlaces<T, kCount>{op.dy, op.dembedding, partial});
  if (partial) add_partial_sums(stream, partial, strips, width, PlaceOfSum<T>{op.dembedding});
}

template <class T>
void run(Stream& stream, const PositionEmbeddingBackward<T>& op) {
  constexpr int kCount = kPack<T>;
  if (packable<kCount>(op.dy) && packable<kCount>(op.dembedding))
    run_position_embedding_backward<T, kCount>(stream, op);
  else
    run_position_embedding_backward<T, 1>(stream, op);
}

}  // namespace detrack::cuda
