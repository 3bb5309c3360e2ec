// What cuda/intrinsics.cuh says in PTX, said in C++ for the emulator: the same fragments, the same lanes.
#pragma once

#include <cuda_runtime.h>

#include "detrack/core/dtype.hpp"

namespace detrack::cuda {

template <class X>
X* dynamic_shared() {
  return static_cast<X*>(emulator::Grid::current()->shared());
}

inline std::uint16_t bf16_bits(float x) {
  return bfloat16(x).bits;
}

inline std::uint32_t pack_bf16(float low, float high) {
  return bf16_bits(low) | std::uint32_t(bf16_bits(high)) << 16;
}

/// 2^x
inline float exp2_approx(float x) {
  return std::exp2(x);
}

/// As late as the hardware may be: the copy happens when it is waited for. Until then the place holds NaN, so that neither a
/// reader that did not wait nor one that was not waited for sees what it should.
inline void copy_async_16(void* shared, const void* global, bool present) {
  emulator::Thread& thread = emulator::Grid::current()->thread();
  std::memset(shared, 0xff, 16);
  thread.copies.push_back({shared, present ? global : nullptr, thread.copy_groups});
}
inline void copy_async_16(void* shared, const void* global) {
  copy_async_16(shared, global, true);
}
inline void copy_async_commit() {
  ++emulator::Grid::current()->thread().copy_groups;
}
template <int kPending>
void copy_async_wait() {
  emulator::Thread& thread = emulator::Grid::current()->thread();
  std::erase_if(thread.copies, [&](const emulator::AsyncCopy& copy) {
    if (copy.group + kPending >= thread.copy_groups) return false;
    copy.from ? std::memcpy(copy.to, copy.from, 16) : std::memset(copy.to, 0, 16);
    return true;
  });
}

/// Four 8 x 8 matrices of 16-bit elements: lane i brings the address of row i % 8 of matrix i / 8; register m of lane i
/// receives elements 2 (i % 4) and the next of row i / 4 of matrix m.
inline void load_matrices(std::uint32_t (&to)[4], const void* row) {
  unsigned set = 0;
  const auto& warp = emulator::Grid::current()->exchange(&row, sizeof row, set);
  const unsigned lane = emulator::Grid::current()->lane();
  for (unsigned m = 0; m < 4; ++m) {
    const unsigned char* address = nullptr;
    std::memcpy(&address, warp.slots[set][8 * m + lane / 4], sizeof address);
    std::memcpy(&to[m], address + 4 * (lane % 4), 4);
  }
}

/// The same with each matrix transposed: elements (2 (i % 4), i / 4) and (2 (i % 4) + 1, i / 4).
inline void load_matrices_transposed(std::uint32_t (&to)[4], const void* row) {
  unsigned set = 0;
  const auto& warp = emulator::Grid::current()->exchange(&row, sizeof row, set);
  const unsigned lane = emulator::Grid::current()->lane();
  for (unsigned m = 0; m < 4; ++m) {
    std::uint16_t pair[2];
    for (unsigned k = 0; k < 2; ++k) {
      const unsigned char* address = nullptr;
      std::memcpy(&address, warp.slots[set][8 * m + 2 * (lane % 4) + k], sizeof address);
      std::memcpy(&pair[k], address + 2 * (lane / 4), 2);
    }
    to[m] = pair[0] | std::uint32_t(pair[1]) << 16;
  }
}

/// d += a b, a (16 x 16) and b (16 x 8) of bfloat16, d (16 x 8) of float, spread over a warp. With g = lane / 4 and
/// t = lane % 4: a[0..3] hold (g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8) and the element right of each;
/// b[0..1] hold (2t, g), (2t + 8, g) and the element below each; d[0..3] are (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t +
/// 1).
inline void multiply_accumulate(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  const std::uint32_t mine[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
  unsigned set = 0;
  const auto& warp = emulator::Grid::current()->exchange(mine, sizeof mine, set);
  const unsigned lane = emulator::Grid::current()->lane(), g = lane / 4, t = lane % 4;
  const auto element = [&](unsigned from, unsigned reg, unsigned half) {
    std::uint32_t value = 0;
    std::memcpy(&value, warp.slots[set][from] + 4 * reg, 4);
    return __uint_as_float(half ? value & 0xffff0000u : value << 16);
  };
  const auto a_at = [&](unsigned row, unsigned k) {
    return element(4 * (row % 8) + k % 8 / 2, row / 8 + 2 * (k / 8), k % 2);
  };
  const auto b_at = [&](unsigned k, unsigned n) { return element(4 * n + k % 8 / 2, 4 + k / 8, k % 2); };
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned row = g + 8 * (i / 2), n = 2 * t + i % 2;
    float sum = 0;
    for (unsigned k = 0; k < 16; ++k) sum += a_at(row, k) * b_at(k, n);
    d[i] += sum;
  }
}

}  // namespace detrack::cuda
