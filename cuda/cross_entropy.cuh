// Cross-entropy of logits to a word or to a Gaussian over words and its gradient, a warp a row.
#pragma once

#include "cuda/softmax_row.cuh"
#include "detrack/ops/cross_entropy.hpp"
#include "detrack/ops/words.hpp"

namespace detrack::cuda {

/// q up to its sum, in double whatever the logits are; the largest weight is 1.
class TargetWeights {
 public:
  __device__ TargetWeights(double target, double sigma, int V)
      : target_(target), per_sigma_(sigma > 0 ? 1 / sigma : 0), word_(static_cast<int>(Vocabulary{V}.word_at(target))) {
    largest_ = exponent(word_);  // of the nearest word; the target may lie far from all of them
  }
  __device__ double operator()(int k) const {
    if (per_sigma_ == 0) return k == word_ ? 1.0 : 0.0;
    const double e = exponent(k) - largest_;
    return e < kNothing ? 0.0 : exp(e);
  }

 private:
  static constexpr double kNothing = -104;  // exp() of less is 0 as a float, which saves most words the exponential

  __device__ double exponent(int k) const {
    const double distance = (static_cast<double>(k) + 0.5 - target_) * per_sigma_;
    return -0.5 * distance * distance;
  }
  double target_, per_sigma_, largest_ = 0;
  int word_;
};

template <class T, int kCount, int kSteps>
__global__ void __launch_bounds__(kWarpRowThreads) cross_entropy_warp_a_row(CrossEntropyForward<T> op) {
  const std::int64_t r = row_of_warp();
  if (r >= op.logits.extent(0)) return;
  const int V = static_cast<int>(op.logits.extent(1));
  const LaneRow<float, kCount, kSteps> logits(&op.logits(r, 0), V);
  const TargetWeights weight_of(op.target(r), op.sigma, V);
  const float log_sum_exp = softmax_row(logits, V).log_sum_exp();
  double loss = 0, sum = 0;
  for_lane_packs<kCount, kSteps>(V, [&](int s, int k) {
    float x[kCount];
    logits.get(x, s, k);
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      const double weight = weight_of(k + i);
      sum += weight;
      if (weight != 0) loss += weight * static_cast<double>(log_sum_exp - x[i]);  // a logit without weight may be -infinity
    }
  });
  loss = reduce_warp<Sum>(loss) / reduce_warp<Sum>(sum);
  if (threadIdx.x % kWarpSize == 0) op.loss(r) = static_cast<float>(loss);
}

template <class T, int kCount, int kSteps>
__global__ void __launch_bounds__(kWarpRowThreads) cross_entropy_backward_warp_a_row(CrossEntropyBackward<T> op) {
  const std::int64_t r = row_of_warp();
  if (r >= op.logits.extent(0)) return;
  const int V = static_cast<int>(op.logits.extent(1));
  const LaneRow<float, kCount, kSteps> logits(&op.logits(r, 0), V);
  float* const dlogits = &op.dlogits(r, 0);
  const TargetWeights weight_of(op.target(r), op.sigma, V);
  double sum = 0;
  for_lane_packs<kCount, kSteps>(V, [&](int, int k) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) sum += weight_of(k + i);
  });
  const double share = 1 / reduce_warp<Sum>(sum);
  const SoftmaxRow softmax = softmax_row(logits, V);
  const float scale = 1.0f / softmax.sum, dloss = op.dloss(r);
  for_lane_packs<kCount, kSteps>(V, [&](int s, int k) {
    float x[kCount];
    logits.get(x, s, k);
#pragma unroll
    for (int i = 0; i < kCount; ++i)
      x[i] = dloss * (softmax.exponential(x[i]) * scale - static_cast<float>(weight_of(k + i) * share));
    store_floats(dlogits + k, x);
  });
}

template <class T>
void run(Stream& stream, const CrossEntropyForward<T>& op) {
  constexpr int kCount = kPack<float>;
  const bool fits = words_fit<kCount>(op.logits);
  launch(stream, fits ? cross_entropy_warp_a_row<T, kCount, kWordPacks<kCount>> : cross_entropy_warp_a_row<T, 1, 0>,
         warp_a_row(op.logits.extent(0)), op);
}

template <class T>
void run(Stream& stream, const CrossEntropyBackward<T>& op) {
  constexpr int kCount = kPack<float>;
  const bool fits = words_fit<kCount>(op.logits, op.dlogits);
  launch(
      stream,
      fits ? cross_entropy_backward_warp_a_row<T, kCount, kWordPacks<kCount>> : cross_entropy_backward_warp_a_row<T, 1, 0>,
      warp_a_row(op.logits.extent(0)), op);
}

}  // namespace detrack::cuda
