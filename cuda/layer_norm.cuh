// Layer norm, a warp a row. Rows of up to 1,024 elements stay in registers: x is read once forward, x and dy once backward,
// for dx and the gradients of gamma and beta alike. Other rows, and unaligned ones, are read again for each pass over them.
#pragma once

#include <type_traits>

#include "cuda/row_sums.cuh"
#include "cuda/warp_rows.cuh"
#include "detrack/ops/layer_norm.hpp"

namespace detrack::cuda {

/// Calls f with the number of packs of a row that a lane holds, as a constant: 0 where rows do not fit.
template <int kCount, class F>
void with_packs_of_row(bool packs, std::int64_t C, F&& f) {
  const std::int64_t steps = packs ? (C + kWarpSize * kCount - 1) / (kWarpSize * kCount) : 0;
  if constexpr (kCount <= 4) {
    if (steps > 6 && steps <= 8) return f(std::integral_constant<int, 8>{});
    if (steps > 4 && steps <= 6) return f(std::integral_constant<int, 6>{});
  }
  switch (steps) {
    case 1: return f(std::integral_constant<int, 1>{});
    case 2: return f(std::integral_constant<int, 2>{});
    case 3: return f(std::integral_constant<int, 3>{});
    case 4: return f(std::integral_constant<int, 4>{});
    default: return f(std::integral_constant<int, 0>{});
  }
}

struct RowStatistics {
  float mean, rstd;
};

/// One row. Calls store(c, y) for each pack of y that falls to this lane. kUnroll: see for_lane_packs().
template <int kUnroll = 4, class T, int kCount, int kSteps, class F>
__device__ RowStatistics layer_norm_of_row(const LaneRow<T, kCount, kSteps>& x, int C, const T* gamma, const T* beta,
                                           double eps, F&& store) {
  const auto count = static_cast<float>(C);
  float values[kCount], sum = 0, squares = 0;
  for_lane_packs<kCount, kSteps, kUnroll>(C, [&](int s, int c) {
    x.get(values, s, c);
#pragma unroll
    for (const float value : values) sum += value;
  });
  const float mean = reduce_warp<Sum>(sum) / count;
  for_lane_packs<kCount, kSteps, kUnroll>(C, [&](int s, int c) {
    x.get(values, s, c);
#pragma unroll
    for (const float value : values) squares += (value - mean) * (value - mean);
  });
  const float rstd = 1.0f / sqrtf(reduce_warp<Sum>(squares) / count + static_cast<float>(eps));
  for_lane_packs<kCount, kSteps, kUnroll>(C, [&](int s, int c) {
    float scale[kCount], shift[kCount];
    x.get(values, s, c);
    load_floats(scale, gamma + c);
    load_floats(shift, beta + c);
#pragma unroll
    for (int k = 0; k < kCount; ++k) values[k] = scale[k] * (values[k] - mean) * rstd + shift[k];
    store(c, values);
  });
  return {mean, rstd};
}

template <class T, int kCount, int kSteps>
__global__ void __launch_bounds__(kWarpRowThreads) layer_norm_warp_a_row(LayerNormForward<T> op) {
  const std::int64_t r = row_of_warp();
  if (r >= op.x.extent(0)) return;
  const int C = static_cast<int>(op.x.extent(1));
  T* const y = &op.y(r, 0);
  const LaneRow<T, kCount, kSteps> x(&op.x(r, 0), C);
  const auto [mean, rstd] = layer_norm_of_row(x, C, op.gamma.data(), op.beta.data(), op.eps,
                                              [&](int c, const float(&values)[kCount]) { store_floats(y + c, values); });
  if (op.mean && threadIdx.x % kWarpSize == 0) op.mean(r) = mean, op.rstd(r) = rstd;
}

template <class T>
void run(Stream& stream, const LayerNormForward<T>& op) {
  constexpr int kCount = kPack<T>;
  const bool packs = packable<kCount>(op.x, op.gamma, op.beta, op.y);
  with_packs_of_row<kCount>(packs, op.x.extent(1), [&](auto steps) {
    constexpr int kSteps = decltype(steps)::value, kElements = kSteps > 0 ? kCount : 1;
    launch(stream, layer_norm_warp_a_row<T, kElements, kSteps>, warp_a_row(op.x.extent(0)), op);
  });
}

/// One row of dx. Calls each(s, k, dy, h) for this lane's elements, h the normalised x, from which dgamma and dbeta are
/// summed.
template <class T, int kCount, int kSteps, class F>
__device__ void layer_norm_gradient_of_row(const LayerNormBackward<T>& op, std::int64_t r, F&& each) {
  const int C = static_cast<int>(op.x.extent(1));
  const LaneRow<T, kCount, kSteps> x(&op.x(r, 0), C), dy(&op.dy(r, 0), C);
  const T* const gamma = op.gamma.data();
  T* const dx = &op.dx(r, 0);
  const float mean = op.mean(r), rstd = op.rstd(r);
  float h[kCount], gradient[kCount], scale[kCount], sum_g = 0, sum_gh = 0;
  for_lane_packs<kCount, kSteps>(C, [&](int s, int c) {
    x.get(h, s, c);
    dy.get(gradient, s, c);
    load_floats(scale, gamma + c);
#pragma unroll
    for (int k = 0; k < kCount; ++k) {
      h[k] = (h[k] - mean) * rstd;
      sum_g += scale[k] * gradient[k];
      sum_gh += scale[k] * gradient[k] * h[k];
      each(s, k, gradient[k], h[k]);
    }
  });
  const auto count = static_cast<float>(C);
  const float mean_g = reduce_warp<Sum>(sum_g) / count, mean_gh = reduce_warp<Sum>(sum_gh) / count;
  // dx may be dy or residual: each element is read before it is written, and all of a row before the first store, which the
  // compiler would not let a read pass.
  const LaneRow<T, kCount, kSteps> residual(op.residual ? &op.residual(r, 0) : nullptr, op.residual ? C : 0);
  for_lane_packs<kCount, kSteps>(C, [&](int s, int c) {
    float past[kCount] = {};
    x.get(h, s, c);
    dy.get(gradient, s, c);
    load_floats(scale, gamma + c);
    if (op.residual) residual.get(past, s, c);
#pragma unroll
    for (int k = 0; k < kCount; ++k) past[k] += rstd * (scale[k] * gradient[k] - mean_g - (h[k] - mean) * rstd * mean_gh);
    store_floats(dx + c, past);
  });
}

inline constexpr int kStripWarps = 4, kStripThreads = kStripWarps * kWarpSize;
inline constexpr int kStripBlocks = 3;  // of a multiprocessor: what registers allow with rows of 768

/// Each warp takes every so many-th row and keeps its sums of dgamma and dbeta in registers; at the end the warps of a block
/// add theirs up, one after the other, and the block leaves them in partial (blocks, 2 C).
template <class T, int kCount, int kSteps>
__global__ void __launch_bounds__(kStripThreads, kCount* kSteps <= 24 ? kStripBlocks : 2)
    layer_norm_backward_strips(LayerNormBackward<T> op, float* partial) {
  __shared__ float sums[2 * kSteps * kCount * kWarpSize];
  const int warp = threadIdx.x / kWarpSize, C = static_cast<int>(op.x.extent(1));
  float dgamma[kSteps][kCount] = {}, dbeta[kSteps][kCount] = {};
  const auto step = static_cast<std::int64_t>(gridDim.x) * kStripWarps;
  for (std::int64_t r = static_cast<std::int64_t>(blockIdx.x) * kStripWarps + warp; r < op.x.extent(0); r += step)
    layer_norm_gradient_of_row<T, kCount, kSteps>(op, r, [&](int s, int k, float dy, float h) {
      dgamma[s][k] += dy * h;
      dbeta[s][k] += dy;
    });
  if (!partial) return;
  for (int turn = 0; turn < kStripWarps; ++turn) {
    if (turn == warp)
      for_lane_packs<kCount, kSteps>(C, [&](int s, int c) {
#pragma unroll
        for (int k = 0; k < kCount; ++k) {
          sums[c + k] = (turn > 0 ? sums[c + k] : 0.0f) + dgamma[s][k];
          sums[C + c + k] = (turn > 0 ? sums[C + c + k] : 0.0f) + dbeta[s][k];
        }
      });
    __syncthreads();
  }
  for (int c = threadIdx.x; c < 2 * C; c += blockDim.x) partial[static_cast<std::int64_t>(blockIdx.x) * 2 * C + c] = sums[c];
}

/// dx alone, of rows that do not fit into registers.
template <class T>
__global__ void __launch_bounds__(kWarpRowThreads) layer_norm_backward_warp_a_row(LayerNormBackward<T> op) {
  const std::int64_t r = row_of_warp();
  if (r < op.x.extent(0)) layer_norm_gradient_of_row<T, 1, 0>(op, r, [](int, int, float, float) {});
}

/// Sums of dgamma and dbeta of such rows: a thread for a column and every so many-th row.
template <class T>
__global__ void layer_norm_parameter_strips(LayerNormBackward<T> op, float* partial) {
  const std::int64_t C = op.x.extent(1), c = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c >= C) return;
  float dgamma = 0, dbeta = 0;
#pragma unroll 4
  for (std::int64_t r = blockIdx.y; r < op.x.extent(0); r += gridDim.y) {
    const float dy = to_float(op.dy(r, c));
    dgamma += dy * ((to_float(op.x(r, c)) - op.mean(r)) * op.rstd(r));
    dbeta += dy;
  }
  partial[blockIdx.y * 2 * C + c] = dgamma;
  partial[blockIdx.y * 2 * C + C + c] = dbeta;
}

/// Where column c of the sums belongs.
template <class T>
struct LayerNormParameter {
  View<T> dgamma, dbeta;
  __device__ T* operator()(std::int64_t c) const {
    return c < dgamma.extent(0) ? dgamma.data() + c : dbeta.data() + (c - dgamma.extent(0));
  }
};

template <class T>
void run(Stream& stream, const LayerNormBackward<T>& op) {
  constexpr int kCount = kPack<T>;
  const std::int64_t R = op.x.extent(0), C = op.x.extent(1);
  if (R == 0 || C == 0) return;
  const bool packs = packable<kCount>(op.x, op.gamma, op.dy, op.residual, op.dx);
  with_packs_of_row<kCount>(packs, C, [&](auto steps) {
    constexpr int kSteps = decltype(steps)::value;
    const std::int64_t rows = kSteps > 0 ? kStripWarps : 32;  // of a strip, at least
    const std::int64_t strips = std::min<std::int64_t>((R + rows - 1) / rows, kStripBlocks * stream.multiprocessors());
    const auto bytes = static_cast<std::size_t>(strips * 2 * C) * sizeof(float);
    float* const partial = op.dgamma ? static_cast<float*>(stream.scratch(bytes)) : nullptr;
    if constexpr (kSteps > 0) {
      launch(stream, layer_norm_backward_strips<T, kCount, kSteps>,
             {dim3(static_cast<unsigned>(strips)), dim3(kStripThreads)}, op, partial);
    } else {
      if (partial)  // first, because dx may be dy
        launch(stream, layer_norm_parameter_strips<T>, {dim3(blocks_for(C, 128), static_cast<unsigned>(strips)), dim3(128)},
               op, partial);
      launch(stream, layer_norm_backward_warp_a_row<T>, warp_a_row(R), op);
    }
    if (partial) add_partial_sums(stream, partial, strips, 2 * C, 1, LayerNormParameter<T>{op.dgamma, op.dbeta});
  });
}

}  // namespace detrack::cuda
