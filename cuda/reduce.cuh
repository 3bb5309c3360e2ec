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
