// Similarity map of tokens to the word table: products whose logits are float whatever T is.
#pragma once

#include <type_traits>

#include "cuda/gemm.cuh"
#include "detrack/ops/similarity.hpp"

namespace detrack::cuda {

template <class T>
void run(Stream& stream, const SimilarityForward<T>& op) {
  multiply(stream, Product<T, stat_t<T>>{.a = op.x, .b = op.table, .transpose_b = true, .d = op.logits});
}

/// kCount elements of one row at a time, rounded to bfloat16.
template <int kCount>
struct RoundRows {
  View<const float> x;
  View<bfloat16> y;
  __device__ void operator()(std::int64_t i) const {
    const std::int64_t per_row = x.extent(1) / kCount, r = i / per_row, c = i % per_row * kCount;
    float values[kCount];
    load_floats(values, &x(r, c));
    store_floats(&y(r, c), values);
  }
};

/// A copy in scratch memory whose rows are aligned, whatever their width.
inline View<const bfloat16> rounded_rows(Stream& stream, const View<const float>& x) {
  constexpr int kCount = kPack<bfloat16>;
  const std::int64_t stride = (x.extent(1) + kCount - 1) / kCount * kCount;
  auto* memory = static_cast<bfloat16*>(stream.scratch(static_cast<std::size_t>(x.extent(0) * stride) * sizeof(bfloat16)));
  const View<bfloat16> y(memory, x.shape(), {stride, 1}, x.device());
  if (packable<kCount>(x))
    for_each(stream, x.numel() / kCount, RoundRows<kCount>{x, y});
  else
    for_each(stream, x.numel(), RoundRows<1>{x, y});
  return y;
}

template <class T>
void run(Stream& stream, const SimilarityBackward<T>& op) {
  if (op.x.extent(0) == 0 || (!op.dx && !op.dtable)) return;
  const View<const T> dlogits = [&] {
    // cuBLASLt multiplies no float by bfloat16. Rounding dlogits first costs dx and dtable no more than they lose when they
    // are rounded themselves; widening x and the table instead would move more and leave the tensor cores.
    if constexpr (std::is_same_v<T, bfloat16>)
      return rounded_rows(stream, op.dlogits);
    else
      return op.dlogits;
  }();
  if (op.dx) multiply(stream, Product<T, T>{.a = dlogits, .b = op.table, .d = op.dx});
  if (op.dtable)
    multiply(stream, Product<T, T>{.a = dlogits, .b = op.x, .transpose_a = true, .added = op.dtable, .d = op.dtable});
}

}  // namespace detrack::cuda
