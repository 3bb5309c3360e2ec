// Elements of tensors in registers: arithmetic is float whatever is stored, and memory is moved 16 bytes at a time.
#pragma once

#include <cstdint>

#include "cuda/intrinsics.cuh"
#include "detrack/core/dtype.hpp"
#include "detrack/core/view.hpp"

namespace detrack::cuda {

__device__ inline float to_float(float x) {
  return x;
}
__device__ inline float to_float(bfloat16 x) {
  return __uint_as_float(static_cast<std::uint32_t>(x.bits) << 16);
}

/// from_float<T>(x): x rounded to T.
template <class T>
__device__ T from_float(float x) {
  if constexpr (sizeof(T) == 4) {
    return x;
  } else {
    T y;
    y.bits = bf16_bits(x);
    return y;
  }
}

/// kCount elements that are read or written by one instruction.
template <class T, int kCount>
struct alignas(sizeof(T) * kCount) Pack {
  T values[kCount];
};

/// Elements in 16 bytes.
template <class T>
inline constexpr int kPack = 16 / static_cast<int>(sizeof(T));

template <int kCount, class T>
__device__ void load_floats(float (&to)[kCount], const T* from) {
  const auto pack = *reinterpret_cast<const Pack<T, kCount>*>(from);
#pragma unroll
  for (int i = 0; i < kCount; ++i) to[i] = to_float(pack.values[i]);
}
template <int kCount, class T>
__device__ void store_floats(T* to, const float (&from)[kCount]) {
  Pack<T, kCount> pack;
#pragma unroll
  for (int i = 0; i < kCount; ++i) pack.values[i] = from_float<T>(from[i]);
  *reinterpret_cast<Pack<T, kCount>*>(to) = pack;
}

/// Whether every row of a view may be read and written `kCount` elements at a time: the first element's address and all
/// outer strides are multiples of it, and so is the width. An absent view may.
template <int kCount, class X>
bool packable(const View<X>& view) {
  if (!view) return true;
  if (reinterpret_cast<std::uintptr_t>(view.data()) % (sizeof(X) * kCount) != 0) return false;
  if (view.rank() > 0 && view.extent(view.rank() - 1) % kCount != 0) return false;
  for (int axis = 0; axis + 1 < view.rank(); ++axis)
    if (view.extent(axis) > 1 && view.stride(axis) % kCount != 0) return false;
  return true;
}

}  // namespace detrack::cuda
