// Sums and largest values over a warp or a block, in an order that does not change from run to run.
#pragma once

#include "cuda/intrinsics.cuh"

namespace detrack::cuda {

inline constexpr int kWarpSize = 32;

struct Sum {
  template <class X>
  __device__ X operator()(X a, X b) const {
    return a + b;
  }
};
struct Largest {
  template <class X>
  __device__ X operator()(X a, X b) const {
    return a > b ? a : b;
  }
};

/// Every lane receives the reduction over the warp; all 32 lanes must take part.
template <class F, class X>
__device__ X reduce_warp(X x, F f = {}) {
#pragma unroll
  for (int mask = kWarpSize / 2; mask > 0; mask /= 2) x = f(x, __shfl_xor_sync(0xffffffffu, x, mask));
  return x;
}

/// Each of kCount values, a power of two up to 32, summed over the warp: lane l receives the sum of value l % kCount. Lanes
/// hand each other the halves that they do not go on with, which takes kCount exchanges or so, and not five a value.
template <int kCount, int kHalf = kCount / 2>
__device__ float sums_over_warp(float (&x)[kCount]) {
  if constexpr (kHalf > 0) {
    const bool upper = threadIdx.x & kHalf;
#pragma unroll
    for (int i = 0; i < kHalf; ++i) {
      const float kept = upper ? x[i + kHalf] : x[i], given = upper ? x[i] : x[i + kHalf];
      x[i] = kept + __shfl_xor_sync(0xffffffffu, given, kHalf);
    }
    return sums_over_warp<kCount, kHalf / 2>(x);
  } else {
#pragma unroll
    for (int mask = kCount; mask < kWarpSize; mask *= 2) x[0] += __shfl_xor_sync(0xffffffffu, x[0], mask);
    return x[0];
  }
}

/// Every thread of a block receives the reduction over it. The block is one-dimensional, a multiple of 32 threads, at most
/// 1024; all of them must take part.
template <class F, class X>
__device__ X reduce_block(X x, F f = {}) {
  __shared__ X partial[kWarpSize];
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize, warps = blockDim.x / kWarpSize;
  x = reduce_warp(x, f);
  if (warps == 1) return x;
  __syncthreads();  // an earlier reduction may still be reading
  if (lane == 0) partial[warp] = x;
  __syncthreads();
  X all = partial[0];
  for (int i = 1; i < warps; ++i) all = f(all, partial[i]);
  return all;
}

}  // namespace detrack::cuda
