// Table look-up, and its gradient in the order of the rows: a warp owns a row of the table and looks for its index among
// all.
#pragma once

#include <algorithm>

#include "cuda/launch.cuh"
#include "cuda/reduce.cuh"
#include "cuda/scalar.cuh"
#include "detrack/ops/embedding.hpp"

// The reference throws at an index outside the table. A kernel cannot: such a row of y becomes NaN, and its gradient goes
// nowhere.

namespace detrack::cuda {

template <class T, int kCount>
struct LookUpRows {
  View<const std::int32_t> index;
  View<const T> table;
  View<T> y;
  __device__ void operator()(std::int64_t i) const {
    const std::int64_t per_row = y.extent(1) / kCount, r = i / per_row, c = i % per_row * kCount;
    const std::int64_t row = index(r);
    float values[kCount];
    if (row >= 0 && row < table.extent(0)) {
      load_floats(values, &table(row, c));
    } else {
#pragma unroll
      for (float& value : values) value = __uint_as_float(0x7fc00000u);
    }
    store_floats(&y(r, c), values);
  }
};

template <class T>
void run(Stream& stream, const EmbeddingForward<T>& op) {
  constexpr int kCount = kPack<T>;
  const std::int64_t count = op.index.extent(0) * op.table.extent(1);
  if (packable<kCount>(op.table) && packable<kCount>(op.y))
    for_each(stream, count / kCount, LookUpRows<T, kCount>{op.index, op.table, op.y});
  else
    for_each(stream, count, LookUpRows<T, 1>{op.index, op.table, op.y});
}

inline constexpr int kTableWarps = 8, kTableThreads = kTableWarps * kWarpSize;  // of a block, each with a row of the table
inline constexpr int kStagedRows = 1024;                                        // indices in shared memory at a time

/// A warp finds its row's indices among the staged ones, lists their places in order, and adds the rows of dy in that order;
/// its sums, kSteps packs a lane, start as the row of the table. A row that nobody looked up is not touched.
template <class T, int kCount, int kSteps>
__global__ void __launch_bounds__(kTableThreads) embedding_backward_warp_a_table_row(EmbeddingBackward<T> op) {
  constexpr int kAtOnce = 4;  // indices that a lane looks at
  __shared__ Pack<std::int32_t, kAtOnce> staged[kStagedRows / kAtOnce];
  __shared__ std::uint16_t places[kTableWarps][kStagedRows];
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  const std::int64_t R = op.index.extent(0), C = op.dtable.extent(1);
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kTableWarps + warp;
  const std::int64_t first = (static_cast<std::int64_t>(blockIdx.y) * kSteps * kWarpSize + lane) * kCount;
  const bool in_table = row < op.dtable.extent(0);
  const auto column = [&](int s) { return first + static_cast<std::int64_t>(s) * kWarpSize * kCount; };
  float sums[kSteps][kCount] = {};
  bool touched = false;
  for (std::int64_t start = 0; start < R; start += kStagedRows) {
    __syncthreads();
    for (int i = threadIdx.x; i < kStagedRows; i += kTableThreads)
      staged[i / kAtOnce].values[i % kAtOnce] = start + i < R ? op.index(start + i) : -1;
    __syncthreads();

    int found = 0;
    for (int i = 0; in_table && i < kStagedRows / kAtOnce; i += kWarpSize) {
      const auto indices = staged[i + lane];
      int before = 0, all = 0;  // matches of lower lanes, of all lanes
#pragma unroll
      for (int k = 0; k < kAtOnce; ++k) {
        const unsigned matches = __ballot_sync(0xffffffffu, indices.values[k] == row);
        before += __popc(matches & ((1u << lane) - 1));
        all += __popc(matches);
      }
      if (all == 0) continue;
#pragma unroll
      for (int k = 0, at = found + before; k < kAtOnce; ++k)
        if (indices.values[k] == row) places[warp][at++] = static_cast<std::uint16_t>((i + lane) * kAtOnce + k);
      found += all;
    }
    if (found == 0) continue;
    __syncwarp();
    if (!touched) {
      touched = true;
#pragma unroll
      for (int s = 0; s < kSteps; ++s)
        if (column(s) < C) load_floats(sums[s], &op.dtable(row, column(s)));
    }
#pragma unroll 4
    for (int i = 0; i < found; ++i) {
      const T* const dy = &op.dy(start + places[warp][i], 0);
#pragma unroll
      for (int s = 0; s < kSteps; ++s)
        if (column(s) < C) {
          float x[kCount];
          load_floats(x, dy + column(s));
#pragma unroll
          for (int k = 0; k < kCount; ++k) sums[s][k] += x[k];
        }
    }
  }
  if (!touched) return;
#pragma unroll
  for (int s = 0; s < kSteps; ++s)
    if (column(s) < C) store_floats(&op.dtable(row, column(s)), sums[s]);
}

/// With few rows, as of a vocabulary, the columns of one are shared among warps; with many, as of all tokens of a batch, the
/// search is what takes long, and a warp does it for 768 columns.
template <class T, int kCount>
void run_embedding_backward(Stream& stream, const EmbeddingBackward<T>& op) {
  constexpr int kMany = 768 / (kWarpSize * kCount);
  const unsigned blocks = blocks_for(op.dtable.extent(0), kTableWarps);
  const bool many = blocks >= 4u * static_cast<unsigned>(stream.multiprocessors());
  const std::int64_t columns = kWarpSize * kCount * (many ? kMany : 1);
  launch(stream,
         many ? embedding_backward_warp_a_table_row<T, kCount, kMany> : embedding_backward_warp_a_table_row<T, kCount, 1>,
         {dim3(blocks, blocks_for(op.dtable.extent(1), columns)), dim3(kTableThreads)}, op);
}

template <class T>
void run(Stream& stream, const EmbeddingBackward<T>& op) {
  constexpr int kCount = kPack<T>;
  if (packable<kCount>(op.dy) && packable<kCount>(op.dtable))
    run_embedding_backward<T, kCount>(stream, op);
  else
    run_embedding_backward<T, 1>(stream, op);
}

}  // namespace detrack::cuda
