// Matrix products without tensor cores, for whatever strides and alignments: where cuBLASLt has no algorithm.
#pragma once

#include "cuda/activation.cuh"
#include "cuda/product.cuh"

namespace detrack::cuda {

inline constexpr int kSimtTile = 64, kSimtDepth = 16, kSimtThreads = 256;

/// kSimtTile rows (or columns) of a matrix from `outer` on, kSimtDepth elements of each from `depth` on; zeros outside.
template <class In>
__device__ void load_simt_tile(float (&tile)[kSimtDepth][kSimtTile + 1], const View<const In>& matrix, bool outer_first,
                               std::int64_t outer, std::int64_t depth) {
  const std::int64_t outers = matrix.extent(outer_first ? 0 : 1), depths = matrix.extent(outer_first ? 1 : 0);
#pragma unroll
  for (int i = 0; i < kSimtTile * kSimtDepth / kSimtThreads; ++i) {
    const int e = static_cast<int>(threadIdx.x) + i * kSimtThreads;
    // Neighbouring threads read neighbours in memory, which are along the depth or across it.
    const int d = outer_first ? e % kSimtDepth : e / kSimtTile, o = outer_first ? e / kSimtDepth : e % kSimtTile;
    float value = 0;
    if (outer + o < outers && depth + d < depths)
      value = to_float(outer_first ? matrix(outer + o, depth + d) : matrix(depth + d, outer + o));
    tile[d][o] = value;
  }
}

/// A block computes one tile of d, a thread 4 x 4 elements of it, 16 rows and columns apart.
template <class In, class Out>
__global__ void __launch_bounds__(kSimtThreads) multiply_tiles(Product<In, Out> p) {
  constexpr int kStep = 16, kEach = kSimtTile / kStep;
  __shared__ float a_tile[kSimtDepth][kSimtTile + 1], b_tile[kSimtDepth][kSimtTile + 1];
  const std::int64_t M = p.d.extent(0), N = p.d.extent(1), K = p.inner(), across = (N + kSimtTile - 1) / kSimtTile;
  const std::int64_t top = blockIdx.x / across * kSimtTile, left = blockIdx.x % across * kSimtTile;
  const int row = static_cast<int>(threadIdx.x) / kStep, column = static_cast<int>(threadIdx.x) % kStep;
  float sums[kEach][kEach] = {};
  for (std::int64_t depth = 0; depth < K; depth += kSimtDepth) {
    __syncthreads();  // the tiles before may still be read
    load_simt_tile(a_tile, p.a, !p.transpose_a, top, depth);
    load_simt_tile(b_tile, p.b, p.transpose_b, left, depth);
    __syncthreads();
#pragma unroll
    for (int k = 0; k < kSimtDepth; ++k) {
      float b[kEach];
#pragma unroll
      for (int j = 0; j < kEach; ++j) b[j] = b_tile[k][column + j * kStep];
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
        const float a = a_tile[k][row + i * kStep];
#pragma unroll
        for (int j = 0; j < kEach; ++j) sums[i][j] += a * b[j];
      }
    }
  }
#pragma unroll
  for (int i = 0; i < kEach; ++i)
#pragma unroll
    for (int j = 0; j < kEach; ++j) {
      const std::int64_t r = top + row + i * kStep, c = left + column + j * kStep;
      if (r >= M || c >= N) continue;
      float z = sums[i][j];
      if (p.bias) z += to_float(p.bias(c));
      z *= p.alpha;
      if (p.added) z += to_float(p.added(r, c));
      if (p.pre) p.pre(r, c) = from_float<Out>(z);
      p.d(r, c) = from_float<Out>(activate(p.activation, z));
    }
}

template <class In, class Out>
void multiply_simt(Stream& stream, const Product<In, Out>& p) {
  const std::int64_t down = (p.d.extent(0) + kSimtTile - 1) / kSimtTile,
                     across = (p.d.extent(1) + kSimtTile - 1) / kSimtTile;
  launch(stream, multiply_tiles<In, Out>, {dim3(static_cast<unsigned>(down * across)), dim3(kSimtThreads)}, p);
}

}  // namespace detrack::cuda
