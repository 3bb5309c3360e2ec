// Mean squared error of each row and its gradient, a warp a row.
#pragma once

#include "cuda/warp_rows.cuh"
#include "detrack/ops/mse.hpp"

namespace detrack::cuda {

template <class T, int kCount>
__global__ void __launch_bounds__(kWarpRowThreads) mse_warp_a_row(MseForward<T> op) {
  const std::int64_t r = row_of_warp();
  if (r >= op.a.extent(0)) return;
  const int C = static_cast<int>(op.a.extent(1));
  const T* const a = &op.a(r, 0);
  const float* const b = &op.b(r, 0);
  float sum = 0;
  for_lane_packs<kCount, 0>(C, [&](int, int c) {
    float values[kCount], truths[kCount];
    load_floats(values, a + c);
    load_floats(truths, b + c);
#pragma unroll
    for (int k = 0; k < kCount; ++k) sum += (values[k] - truths[k]) * (values[k] - truths[k]);
  });
  sum = reduce_warp<Sum>(sum);
  if (threadIdx.x % kWarpSize == 0) op.y(r) = sum / static_cast<float>(C);
}

template <class T, int kCount>
__global__ void __launch_bounds__(kWarpRowThreads) mse_backward_warp_a_row(MseBackward<T> op) {
  const std::int64_t r = row_of_warp();
  if (r >= op.a.extent(0)) return;
  const int C = static_cast<int>(op.a.extent(1));
  const T* const a = &op.a(r, 0);
  const float* const b = &op.b(r, 0);
  T* const da = &op.da(r, 0);
  const float scale = op.dy(r) * 2.0f / static_cast<float>(C);
  for_lane_packs<kCount, 0>(C, [&](int, int c) {
    float values[kCount], truths[kCount];
    load_floats(values, a + c);
    load_floats(truths, b + c);
#pragma unroll
    for (int k = 0; k < kCount; ++k) values[k] = scale * (values[k] - truths[k]);
    store_floats(da + c, values);
  });
}

template <class T>
void run(Stream& stream, const MseForward<T>& op) {
  constexpr int kCount = kPack<T>;
  const bool packs = packable<kCount>(op.a) && packable<kCount>(op.b);
  launch(stream, packs ? mse_warp_a_row<T, kCount> : mse_warp_a_row<T, 1>, warp_a_row(op.a.extent(0)), op);
}

template <class T>
void run(Stream& stream, const MseBackward<T>& op) {
  constexpr int kCount = kPack<T>;
  const bool packs = packable<kCount>(op.a) && packable<kCount>(op.b) && packable<kCount>(op.da);
  launch(stream, packs ? mse_backward_warp_a_row<T, kCount> : mse_backward_warp_a_row<T, 1>, warp_a_row(op.a.extent(0)), op);
}

}  // namespace detrack::cuda
