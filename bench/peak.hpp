// What this machine can do at best, measured in this process: fused multiply-adds, reading memory, copying memory.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <thread>
#include <vector>

#include "detrack/core/tensor.hpp"
#include "detrack/cpu/backend.hpp"

namespace detrack::bench {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif
using FloatVector = float __attribute__((vector_size(kVectorBytes)));
inline constexpr int kFloats = kVectorBytes / static_cast<int>(sizeof(float));

/// Seconds that f() takes.
template <class F>
double seconds(F&& f) {
  const auto begin = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Keeps a value from being optimised away.
template <class X>
void keep(const X& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

/// The best of several runs of f() on every thread at once, each of which does `work`: work per second in all. One run
/// before them wakes the threads and the clock.
template <class F>
double best_rate(int threads, int runs, double work, const F& f) {
  double best = 0;
  for (int i = 0; i <= runs; ++i) {
    const double time = seconds([&] {
      std::vector<std::thread> others;
      for (int t = 1; t < threads; ++t) others.emplace_back([&f, t] { f(t); });
      f(0);
      for (std::thread& other : others) other.join();
    });
    if (i > 0) best = std::max(best, work * threads / time);
  }
  return best;
}

/// Floating-point operations per second of multiply-adds in registers, which is what no kernel exceeds: enough independent
/// chains to hide the latency of each (4 cycles on 2 ports is 8), few enough for 16 registers.
inline double fma_peak(int threads) {
  constexpr int kChains = 12;
  constexpr long kSteps = 400000;
  return best_rate(threads, 6, 2.0 * kChains * kFloats * kSteps, [](int) {
    FloatVector sum[kChains], scale = FloatVector{} + 0.999f, offset = FloatVector{} + 0.001f;
    for (int i = 0; i < kChains; ++i) sum[i] = FloatVector{} + static_cast<float>(i);
    keep(scale), keep(offset);
    for (long step = 0; step < kSteps; ++step)
#pragma GCC unroll 12
      for (int i = 0; i < kChains; ++i) sum[i] = sum[i] * scale + offset;
    for (int i = 0; i < kChains; ++i) keep(sum[i]);
  });
}

/// The same of pairs in bfloat16, as the library multiplies them.
inline double pair_peak(int threads) {
  constexpr int kChains = 12;
  constexpr long kSteps = 400000;
  return best_rate(threads, 6, 4.0 * kChains * kFloats * kSteps, [](int) {
    cpu::Vector<float> sum[kChains] = {};
    auto a = cpu::splat(cpu::pair_of(0.5f, -0.5f)), b = cpu::splat(cpu::pair_of(1, 1));
    keep(a), keep(b);
    for (long step = 0; step < kSteps; ++step)
#pragma GCC unroll 12
      for (int i = 0; i < kChains; ++i) sum[i] = cpu::multiply_add(sum[i], a, b);
    for (int i = 0; i < kChains; ++i) keep(sum[i]);
  });
}

/// Bytes per second of memory, from blocks larger than the caches.
class Memory {
 public:
  explicit Memory(int threads) : threads_(threads), from_({threads, kBlock}), to_({threads, kBlock}) {
    std::fill_n(from_.data(), from_.numel(), 1.0f);
    std::fill_n(to_.data(), to_.numel(), 1.0f);
  }
  double read_rate() const {
    return best_rate(threads_, 4, kBytes, [&](int thread) {
      FloatVector sum[8] = {};
      const float* at = from_.data() + thread * kBlock;
      for (const float* end = at + kBlock; at != end; at += 8 * kFloats)
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i) {
          FloatVector x;
          std::memcpy(&x, at + i * kFloats, sizeof x);
          sum[i] += x;
        }
      for (const FloatVector& x : sum) keep(x);
    });
  }
  /// Bytes read plus bytes written, as bytes_moved() counts an operation's.
  double copy_rate() {
    return best_rate(threads_, 4, 2 * kBytes, [&](int thread) {
      std::memcpy(to_.data() + thread * kBlock, from_.data() + thread * kBlock, static_cast<std::size_t>(kBytes));
      keep(to_.data()[thread * kBlock]);
    });
  }

 private:
  static constexpr std::int64_t kBlock = 8 << 20;
  static constexpr double kBytes = 4.0 * kBlock;
  int threads_;
  Tensor<float> from_, to_;
};

/// The ceilings that rows are compared with.
struct Ceilings {
  double fma = 0, fma_one = 0;  ///< FLOP/s of products on all threads, on one
  double read = 0, copy = 0;    ///< bytes/s on all threads
};

inline Ceilings measure_ceilings(int threads, cpu::Products products) {
  Memory memory(threads);
  const auto peak = products == cpu::Products::full ? fma_peak : pair_peak;
  return {peak(threads), peak(1), memory.read_rate(), memory.copy_rate()};
}

}  // namespace detrack::bench
