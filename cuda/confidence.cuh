// Softmax score of boxes and its gradient: a warp a row; forward, a block a box.
#pragma once

#include "cuda/softmax_row.cuh"
#include "detrack/ops/confidence.hpp"

namespace detrack::cuda {

struct Smallest {
  __device__ int operator()(int a, int b) const { return a < b ? a : b; }
};

/// Probability near the most likely word of one row.
struct Peak {
  SoftmaxRow softmax;
  int first, last;  ///< words in the window, both ends included
  float mass;
  __device__ bool holds(int k) const { return k >= first && k <= last; }
};

template <int kCount, int kSteps>
__device__ Peak peak_of(const LaneRow<float, kCount, kSteps>& logits, int V, std::int64_t window) {
  float x[kCount];
  Peak peak{softmax_row(logits, V), 0, 0, 0};
  int top = V - 1;
  for_lane_packs<kCount, kSteps>(V, [&](int s, int k) {
    logits.get(x, s, k);
#pragma unroll
    for (int i = 0; i < kCount; ++i)
      if (x[i] == peak.softmax.max && k + i < top) top = k + i;  // lowest index on ties
  });
  top = reduce_warp<Smallest>(top);
  peak.first = top > window ? top - static_cast<int>(window) : 0;
  peak.last = V - 1 - top > window ? top + static_cast<int>(window) : V - 1;
  for_lane_packs<kCount, kSteps>(V, [&](int s, int k) {
    logits.get(x, s, k);
#pragma unroll
    for (int i = 0; i < kCount; ++i)
      if (peak.holds(k + i)) peak.mass += peak.softmax.exponential(x[i]);
  });
  peak.mass = reduce_warp<Sum>(peak.mass) / peak.softmax.sum;
  return peak;
}

template <class T, int kCount, int kSteps>
__global__ void __launch_bounds__(kWarpRowThreads) confidence_block_a_box(ConfidenceForward<T> op) {
  __shared__ float sums[kWarpRows];
  const int V = static_cast<int>(op.logits.extent(1)), warp = threadIdx.x / kWarpSize;
  const std::int64_t box = blockIdx.x;
  float sum = 0;
  for (std::int64_t i = warp; i < op.group; i += kWarpRows) {
    const LaneRow<float, kCount, kSteps> logits(&op.logits(box * op.group + i, 0), V);
    sum += peak_of(logits, V, op.window).mass;
  }
  if (threadIdx.x % kWarpSize == 0) sums[warp] = sum;
  __syncthreads();
  if (threadIdx.x > 0) return;
  for (int other = 1; other < kWarpRows; ++other) sum += sums[other];
  op.y(box) = sum / static_cast<float>(op.group);
}

template <class T, int kCount, int kSteps>
__global__ void __launch_bounds__(kWarpRowThreads) confidence_backward_warp_a_row(ConfidenceBackward<T> op) {
  const std::int64_t r = row_of_warp();
  if (r >= op.logits.extent(0)) return;
  const int V = static_cast<int>(op.logits.extent(1));
  const LaneRow<float, kCount, kSteps> logits(&op.logits(r, 0), V);
  float* const dlogits = &op.dlogits(r, 0);
  const Peak peak = peak_of(logits, V, op.window);
  const float scale = op.dy(r / op.group) / static_cast<float>(op.group) / peak.softmax.sum;
  for_lane_packs<kCount, kSteps>(V, [&](int s, int k) {
    float x[kCount];
    logits.get(x, s, k);
#pragma unroll
    for (int i = 0; i < kCount; ++i)
      x[i] = scale * peak.softmax.exponential(x[i]) * ((peak.holds(k + i) ? 1.0f : 0.0f) - peak.mass);
    store_floats(dlogits + k, x);
  });
}

template <class T>
void run(Stream& stream, const ConfidenceForward<T>& op) {
  constexpr int kCount = kPack<float>;
  const bool fits = words_fit<kCount>(op.logits);
  launch(stream, fits ? confidence_block_a_box<T, kCount, kWordPacks<kCount>> : confidence_block_a_box<T, 1, 0>,
         {dim3(blocks_for(op.logits.extent(0), op.group)), dim3(kWarpRowThreads)}, op);
}

template <class T>
void run(Stream& stream, const ConfidenceBackward<T>& op) {
  constexpr int kCount = kPack<float>;
  const bool fits = words_fit<kCount>(op.logits, op.dlogits);
  launch(stream,
         fits ? confidence_backward_warp_a_row<T, kCount, kWordPacks<kCount>> : confidence_backward_warp_a_row<T, 1, 0>,
         warp_a_row(op.logits.extent(0)), op);
}

}  // namespace detrack::cuda
