// Instructions that C++ has no words for: asynchronous copies, matrix fragments, tensor core products. The only file with
// PTX; tests/cuda/emulator has the same functions for the CPU.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace detrack::cuda {

/// The shared memory that the launch asked for, aligned to 128 bytes.
template <class X>
__device__ X* dynamic_shared() {
  extern __shared__ __align__(128) unsigned char detrack_dynamic_shared[];
  return reinterpret_cast<X*>(detrack_dynamic_shared);
}

/// Rounds to nearest, ties to even.
__device__ inline std::uint16_t bf16_bits(float x) {
  std::uint16_t bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}

/// Two bfloat16 in one register, `low` in the lower half.
__device__ inline std::uint32_t pack_bf16(float low, float high) {
  std::uint32_t bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}

/// 2^x, to two units in the last place.
__device__ inline float exp2_approx(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// 16 bytes from global to shared memory, both aligned, while the thread goes on.
__device__ inline void copy_async_16(void* shared, const void* global) {
  asm volatile(
      "cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(static_cast<std::uint32_t>(__cvta_generic_to_shared(shared))),
      "l"(global)
      : "memory");
}
/// Zeros where `present` is false; then `global` is not read.
__device__ inline void copy_async_16(void* shared, const void* global, bool present) {
  asm volatile(
      "cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(static_cast<std::uint32_t>(__cvta_generic_to_shared(shared))),
      "l"(global), "r"(present ? 16 : 0)
      : "memory");
}
/// Ends a group of copies.
__device__ inline void copy_async_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
/// Waits until at most the last kPending groups of this thread are on their way.
template <int kPending>
__device__ void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

/// Four 8 x 8 matrices of 16-bit elements: lane i brings the address of row i % 8 of matrix i / 8; register m of lane i
/// receives elements 2 (i % 4) and the next of row i / 4 of matrix m.
__device__ inline void load_matrices(std::uint32_t (&to)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(static_cast<std::uint32_t>(__cvta_generic_to_shared(row)))
               : "memory");
}
/// The same with each matrix transposed: elements (2 (i % 4), i / 4) and (2 (i % 4) + 1, i / 4).
__device__ inline void load_matrices_transposed(std::uint32_t (&to)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(static_cast<std::uint32_t>(__cvta_generic_to_shared(row)))
               : "memory");
}

/// d += a b, a (16 x 16) and b (16 x 8) of bfloat16, d (16 x 8) of float, spread over a warp. With g = lane / 4 and
/// t = lane % 4: a[0..3] hold (g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8) and the element right of each;
/// b[0..1] hold (2t, g), (2t + 8, g) and the element below each; d[0..3] are (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t +
/// 1).
__device__ inline void multiply_accumulate(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

}  // namespace detrack::cuda
