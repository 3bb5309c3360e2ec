// Starting kernels, and walking over more elements than there are threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "cuda/stream.cuh"

namespace detrack::cuda {

struct Launch {
  dim3 grid, block;
  std::size_t shared = 0;       ///< bytes of dynamic shared memory
  std::size_t most_shared = 0;  ///< where launches of the kernel differ: the most that one asks for
};

/// Does nothing for an empty grid. Errors: cuda.
template <class... P, class... A>
void launch(const Stream& stream, void (*kernel)(P...), const Launch& how, A&&... arguments) {
  if (how.grid.x == 0 || how.grid.y == 0 || how.grid.z == 0) return;
  check(cudaSetDevice(stream.device()), "choosing the device");  // another context may have chosen another
  if (how.shared > 48 * 1024) {
    // The limit is the kernel's, in all threads: none may lower it between another's asking and launching.
    const auto limit = static_cast<int>(std::max(how.shared, how.most_shared));
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, limit), "asking for shared memory");
  }
  cudaLaunchConfig_t config{};
  config.gridDim = how.grid;
  config.blockDim = how.block;
  config.dynamicSmemBytes = how.shared;
  config.stream = stream.get();
  check(cudaLaunchKernelEx(&config, kernel, P(std::forward<A>(arguments))...), "launching a kernel");
}

inline unsigned blocks_for(std::int64_t work, std::int64_t per_block) {
  return static_cast<unsigned>((work + per_block - 1) / per_block);
}

template <class F>
__global__ void for_each_kernel(std::int64_t count, F f) {
  const auto step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) f(i);
}

/// Calls f(i) for i in [0, count), in no order. f is a function object with a __device__ operator().
template <class F>
void for_each(const Stream& stream, std::int64_t count, const F& f) {
  constexpr std::int64_t kBlock = 256;
  const auto blocks = std::min<std::int64_t>((count + kBlock - 1) / kBlock, 32ll * stream.multiprocessors());
  launch(stream, for_each_kernel<F>, {dim3(static_cast<unsigned>(blocks)), dim3(kBlock)}, count, f);
}

/// for_each() over `count` elements, kPacked of them at a time if `packs`. make(n) gives the function object for n elements
/// at a time, n being known to the compiler.
template <int kPacked, class Make>
void for_each_pack(const Stream& stream, bool packs, std::int64_t count, const Make& make) {
  if (packs)
    for_each(stream, count / kPacked, make(std::integral_constant<int, kPacked>{}));
  else
    for_each(stream, count, make(std::integral_constant<int, 1>{}));
}

}  // namespace detrack::cuda
