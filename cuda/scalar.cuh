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

/// 16 bytes of float or bfloat16 elements (which of them the last argument says) as floats.
__device__ inline void unpack(float (&to)[4], const uint4& from, float) {
  const unsigned words[4] = {from.x, from.y, from.z, from.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) to[i] = __uint_as_float(words[i]);
}
__device__ inline void unpack(float (&to)[8], const uint4& from, bfloat16) {
  const unsigned words[4] = {from.x, from.y, from.z, from.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    to[2 * i] = __uint_as_float(words[i] << 16);
    to[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
  }
}

/// Whether all views may be read and written `kCount` elements of a row at a time: their rows are contiguous, and the first
/// element's address, the outer strides and the width are multiples of it. An absent view may.
template <int kCount, class... X>
bool packable(const View<X>&... views) {
  const auto fits = []<class Y>(const View<Y>& view) {
    if (!view) return true;
    const int inner = view.rank() - 1;
    if (inner < 0 || view.extent(inner) % kCount != 0 || (view.extent(inner) > 1 && view.stride(inner) != 1)) return false;
    if (reinterpret_cast<std::uintptr_t>(view.data()) % (sizeof(Y) * kCount) != 0) return false;
    for (int axis = 0; axis < inner; ++axis)
      if (view.extent(axis) > 1 && view.stride(axis) % kCount != 0) return false;
    return true;
  };
  return (fits(views) && ...);
}

}  // namespace detrack::cuda
