// Expected coordinate under the softmax over words and its gradient, a warp a row.
#pragma once

#include "cuda/softmax_row.cuh"
#include "detrack/ops/expectation.hpp"

namespace detrack::cuda {

// centre() is affine: the expected centre is the centre of the expected word.

/// sum over k of softmax_k k
template <int kCount, int kSteps>
__device__ float expected_word(const LaneRow<float, kCount, kSteps>& logits, int V, const SoftmaxRow& softmax) {
  float x[kCount], sum = 0;
  for_lane_packs<kCount, kSteps>(V, [&](int s, int k) {
    logits.get(x, s, k);
#pragma unroll
    for (int i = 0; i < kCount; ++i) sum += softmax.exponential(x[i]) * static_cast<float>(k + i);
  });
  return reduce_warp<Sum>(sum) / softmax.sum;
}

template <class T, int kCount, int kSteps>
__global__ void __launch_bounds__(kWarpRowThreads) expectation_warp_a_row(ExpectationForward<T> op) {
  const std::int64_t r = row_of_warp();
  if (r >= op.logits.extent(0)) return;
  const int V = static_cast<int>(op.vocabulary.size);
  const LaneRow<float, kCount, kSteps> logits(&op.logits(r, 0), V);
  const float word = expected_word(logits, V, softmax_row(logits, V));
  if (threadIdx.x % kWarpSize == 0) op.y(r) = static_cast<float>(op.vocabulary.centre(static_cast<double>(word)));
}

template <class T, int kCount, int kSteps>
__global__ void __launch_bounds__(kWarpRowThreads) expectation_backward_warp_a_row(ExpectationBackward<T> op) {
  const std::int64_t r = row_of_warp();
  if (r >= op.logits.extent(0)) return;
  const int V = static_cast<int>(op.vocabulary.size);
  const LaneRow<float, kCount, kSteps> logits(&op.logits(r, 0), V);
  const LaneRow<float, kCount, kSteps> residual(op.residual ? &op.residual(r, 0) : nullptr, op.residual ? V : 0);
  float* const dlogits = &op.dlogits(r, 0);
  const SoftmaxRow softmax = softmax_row(logits, V);
  const float word = expected_word(logits, V, softmax);
  const float scale = op.dy(r) / softmax.sum / static_cast<float>(op.vocabulary.per_unit);
  for_lane_packs<kCount, kSteps>(V, [&](int s, int k) {
    float x[kCount], gradient[kCount] = {};
    logits.get(x, s, k);
    if (op.residual) residual.get(gradient, s, k);
#pragma unroll
    for (int i = 0; i < kCount; ++i) gradient[i] += scale * softmax.exponential(x[i]) * (static_cast<float>(k + i) - word);
    store_floats(dlogits + k, gradient);
  });
}

template <class T>
void run(Stream& stream, const ExpectationForward<T>& op) {
  constexpr int kCount = kPack<float>;
  const bool fits = words_fit<kCount>(op.logits);
  launch(stream, fits ? expectation_warp_a_row<T, kCount, kWordPacks<kCount>> : expectation_warp_a_row<T, 1, 0>,
         warp_a_row(op.logits.extent(0)), op);
}

template <class T>
void run(Stream& stream, const ExpectationBackward<T>& op) {
  constexpr int kCount = kPack<float>;
  const bool fits = words_fit<kCount>(op.logits, op.residual, op.dlogits);
  launch(stream,
         fits ? expectation_backward_warp_a_row<T, kCount, kWordPacks<kCount>> : expectation_backward_warp_a_row<T, 1, 0>,
         warp_a_row(op.logits.extent(0)), op);
}

}  // namespace detrack::cuda
