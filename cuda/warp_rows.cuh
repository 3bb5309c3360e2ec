// A warp for each row of a matrix: which row, and each lane's share of it.
#pragma once

#include "cuda/launch.cuh"
#include "cuda/reduce.cuh"
#include "cuda/scalar.cuh"

namespace detrack::cuda {

/// Rows of a block, one a warp.
inline constexpr int kWarpRows = 4;
inline constexpr int kWarpRowThreads = kWarpRows * kWarpSize;

inline Launch warp_a_row(std::int64_t rows) {
  return {dim3(blocks_for(rows, kWarpRows)), dim3(kWarpRowThreads)};
}

/// The row of this thread's warp in a launch of warp_a_row().
__device__ inline std::int64_t row_of_warp() {
  return static_cast<std::int64_t>(blockIdx.x) * kWarpRows + threadIdx.x / kWarpSize;
}

/// Calls f(s, c) for each pack of kCount elements, the first of them c, that falls to this lane; s counts them, and is known
/// to the compiler. kSteps packs are enough for the row; with kSteps = 0 the row has any length, and s is 0: kUnroll packs
/// are then read before the first is used.
template <int kCount, int kSteps, int kUnroll = 4, class F>
__device__ void for_lane_packs(int count, F&& f) {
  const int first = threadIdx.x % kWarpSize * kCount;
  constexpr int kStride = kWarpSize * kCount;
  if constexpr (kSteps > 0) {
#pragma unroll
    for (int s = 0; s < kSteps; ++s)
      if (first + s * kStride < count) f(s, first + s * kStride);
  } else {
#pragma unroll kUnroll
    for (int c = first; c < count; c += kStride) f(0, c);
  }
}

/// A lane's share of a row: read at once and kept in registers or, with kSteps = 0, read again whenever it is asked for.
template <class X, int kCount, int kSteps>
class LaneRow {
 public:
  __device__ LaneRow(const X* row, int count) : row_(row) {
    if constexpr (kSteps > 0)
      for_lane_packs<kCount, kSteps>(count, [&](int s, int c) {
        packs_[s] = *reinterpret_cast<const Pack<X, kCount>*>(row + c);  // not yet as floats, which may take more registers
      });
  }
  __device__ void get(float (&to)[kCount], int s, int c) const {
    if constexpr (kSteps > 0) {
#pragma unroll
      for (int k = 0; k < kCount; ++k) to[k] = to_float(packs_[s].values[k]);
    } else {
      load_floats(to, row_ + c);
    }
  }

 private:
  const X* row_;
  Pack<X, kCount> packs_[kSteps > 0 ? kSteps : 1];
};

}  // namespace detrack::cuda
