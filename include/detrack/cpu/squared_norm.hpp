// Sum of squares in double: chunks that follow from the length alone, added in order.
#pragma once

#include <algorithm>
#include <array>

#include "detrack/cpu/simd.hpp"
#include "detrack/cpu/team.hpp"
#include "detrack/ops/squared_norm.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

DETRACK_INLINE Vector<double> load_doubles(const double* from) {
  return load(from);
}
DETRACK_INLINE Vector<double> load_doubles(const float* from) {
  float __attribute__((vector_size(kVectorBytes / 2))) v;
  std::memcpy(&v, from, sizeof v);
  return __builtin_convertvector(v, Vector<double>);
}

template <class T>
double squared_norm(const T* x, std::int64_t count) {
  constexpr std::int64_t L = kLanes<double>;
  Vector<double> sum[4] = {};
  std::int64_t i = 0;
  for (; i + 4 * L <= count; i += 4 * L)
    unroll<4>([&](auto j) __attribute__((always_inline)) {
      const Vector<double> v = load_doubles(x + i + j * L);
      sum[j] += v * v;
    });
  double rest = 0;
  for (; i < count; ++i) rest += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum_lanes<double>((sum[0] + sum[1]) + (sum[2] + sum[3])) + rest;
}

template <class T>
void run(Team<T>& team, const SquaredNorm<T>& op) {
  constexpr std::int64_t kMostChunks = 256, kSmallestChunk = 16384;
  const std::int64_t n = op.x.extent(0), chunk = std::max(kSmallestChunk, (n + kMostChunks - 1) / kMostChunks);
  const std::int64_t chunks = (n + chunk - 1) / chunk;
  std::array<double, kMostChunks> sums;
  team.parallel(chunks, 2.0 * static_cast<double>(n) / kLanes<double>, [&](std::int64_t c, T*) {
    sums[static_cast<std::size_t>(c)] = squared_norm(op.x.data() + c * chunk, std::min(chunk, n - c * chunk));
  });
  double sum = 0;
  for (std::int64_t c = 0; c < chunks; ++c) sum += sums[static_cast<std::size_t>(c)];
  op.y(0) = sum;
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
