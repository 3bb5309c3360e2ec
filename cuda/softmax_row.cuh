// What every softmax over words shares: a row of logits in a warp, its largest value and the sum of its exponentials.
#pragma once

#include <cmath>

#include "cuda/warp_rows.cuh"

// A warp takes a row, and not a block: a row of 800 or 1,200 words is 7 to 10 loads of 16 bytes a lane, which are all on
// their way at once and stay in registers, and its sums need no barrier. Of the 4 rows of a tracked frame each has a warp to
// itself, so they take as long as one; the thousands of a training step fill the device either way.

namespace detrack::cuda {

/// Words that a warp holds in registers, at most.
inline constexpr int kWordsHeld = 1280;
/// Packs of such a row a lane.
template <int kCount>
inline constexpr int kWordPacks = kWordsHeld / (kWarpSize * kCount);

/// Whether a row of each view is short and aligned enough for registers.
template <int kCount, class... X>
bool words_fit(const View<X>&... rows) {
  return ((packable<kCount>(rows) && (!rows || rows.extent(1) <= kWordsHeld)) && ...);
}

struct SoftmaxRow {
  float max, sum;  ///< sum of exp(x_k - max)
  __device__ float exponential(float x) const { return expf(x - max); }
  __device__ float log_sum_exp() const { return max + logf(sum); }
};

/// Logits may be -infinity, as long as one is not.
template <class X, int kCount, int kSteps>
__device__ SoftmaxRow softmax_row(const LaneRow<X, kCount, kSteps>& row, int count) {
  float x[kCount];
  SoftmaxRow softmax{-INFINITY, 0};
  for_lane_packs<kCount, kSteps>(count, [&](int s, int k) {
    row.get(x, s, k);
#pragma unroll
    for (const float value : x) softmax.max = value > softmax.max ? value : softmax.max;
  });
  softmax.max = reduce_warp<Largest>(softmax.max);
  for_lane_packs<kCount, kSteps>(count, [&](int s, int k) {
    row.get(x, s, k);
#pragma unroll
    for (const float value : x) softmax.sum += softmax.exponential(value);
  });
  softmax.sum = reduce_warp<Sum>(softmax.sum);
  return softmax;
}

}  // namespace detrack::cuda
