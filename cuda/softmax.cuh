// Softmax over the last axis and its gradient, a warp a row.
#pragma once

#include "cuda/softmax_row.cuh"
#include "detrack/ops/softmax.hpp"

namespace detrack::cuda {

template <class T, int kCount, int kSteps>
__global__ void __launch_bounds__(kWarpRowThreads) softmax_warp_a_row(SoftmaxForward<T> op) {
  const std::int64_t r = row_of_warp();
  if (r >= op.x.extent(0)) return;
  const int V = static_cast<int>(op.x.extent(1));
  const LaneRow<T, kCount, kSteps> x(&op.x(r, 0), V);
  const SoftmaxRow softmax = softmax_row(x, V);
  const float scale = 1.0f / softmax.sum;
  T* const y = &op.y(r, 0);
  for_lane_packs<kCount, kSteps>(V, [&](int s, int k) {
    float values[kCount];
    x.get(values, s, k);
#pragma unroll
    for (float& value : values) value = softmax.exponential(value) * scale;
    store_floats(y + k, values);
  });
}

template <class T, int kCount, int kSteps>
__global__ void __launch_bounds__(kWarpRowThreads) softmax_backward_warp_a_row(SoftmaxBackward<T> op) {
  const std::int64_t r = row_of_warp();
  if (r >= op.y.extent(0)) return;
  const int V = static_cast<int>(op.y.extent(1));
  const LaneRow<T, kCount, kSteps> y(&op.y(r, 0), V), dy(&op.dy(r, 0), V);
  T* const dx = &op.dx(r, 0);
  float values[kCount], gradients[kCount], dot = 0;
  for_lane_packs<kCount, kSteps>(V, [&](int s, int k) {
    y.get(values, s, k);
    dy.get(gradients, s, k);
#pragma unroll
    for (int i = 0; i < kCount; ++i) dot += values[i] * gradients[i];
  });
  dot = reduce_warp<Sum>(dot);
  for_lane_packs<kCount, kSteps>(V, [&](int s, int k) {
    y.get(values, s, k);
    dy.get(gradients, s, k);
#pragma unroll
    for (int i = 0; i < kCount; ++i) values[i] *= gradients[i] - dot;
    store_floats(dx + k, values);
  });
}

template <class T>
void run(Stream& stream, const SoftmaxForward<T>& op) {
  constexpr int kCount = kPack<T>;
  const bool fits = words_fit<kCount>(op.x, op.y);
  launch(stream, fits ? softmax_warp_a_row<T, kCount, kWordPacks<kCount>> : softmax_warp_a_row<T, 1, 0>,
         warp_a_row(op.x.extent(0)), op);
}

template <class T>
void run(Stream& stream, const SoftmaxBackward<T>& op) {
  constexpr int kCount = kPack<T>;
  const bool fits = words_fit<kCount>(op.y, op.dy, op.dx);
  launch(stream, fits ? softmax_backward_warp_a_row<T, kCount, kWordPacks<kCount>> : softmax_backward_warp_a_row<T, 1, 0>,
         warp_a_row(op.y.extent(0)), op);
}

}  // namespace detrack::cuda
