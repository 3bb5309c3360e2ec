// The AdamW step in one sweep over its buffers: memory is what it waits for.
#pragma once

#include <algorithm>

#include "detrack/cpu/math.hpp"
#include "detrack/cpu/rows.hpp"
#include "detrack/cpu/team.hpp"
#include "detrack/ops/adamw.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

template <class T>
void run(Team<T>& team, const AdamW<T>& op) {
  const std::int64_t n = op.value.extent(0), C = std::min<std::int64_t>(n, 4096);
  if (n == 0) return;
  const auto scale = static_cast<T>(op.gradient_scale), beta1 = static_cast<T>(op.beta1), beta2 = static_cast<T>(op.beta2);
  const auto rest1 = static_cast<T>(1 - op.beta1), rest2 = static_cast<T>(1 - op.beta2);
  const auto undo1 = static_cast<T>(1 / op.correction1), undo2 = static_cast<T>(1 / op.correction2);
  const auto eps = static_cast<T>(op.eps), lr = static_cast<T>(op.lr), decay = static_cast<T>(op.weight_decay);
  const auto keep = static_cast<T>(op.average_decay), take = static_cast<T>(1 - op.average_decay);
  const auto sweep = [&](std::int64_t first, std::int64_t count, T rate, T shrink) __attribute__((always_inline)) {
    const T* gradient = op.gradient.data() + first;
    T *value = op.value.data() + first, *m = op.m.data() + first, *v = op.v.data() + first;
    T* rounded = op.rounded ? op.rounded.data() + first : nullptr;
    T* average = op.average ? op.average.data() + first : nullptr;
    for_each_vector<T>(
        count, [&](std::int64_t c, auto get, auto put) __attribute__((always_inline)) {
          const Vector<T> g = scale * get(gradient + c), x = get(value + c);
          const Vector<T> m1 = beta1 * get(m + c) + rest1 * g, v1 = beta2 * get(v + c) + rest2 * g * g;
          put(m + c, m1), put(v + c, v1);
          const Vector<T> moved = x - rate * (shrink * x + m1 * undo1 / (sqrt<T>(v1 * undo2) + eps));
          put(value + c, moved);
          if (rounded) put(rounded + c, moved);
          if (average) put(average + c, keep * get(average + c) + take * moved);
        });
  };
  for_each_row(team, (n + C - 1) / C, C, 32, [&](std::int64_t r) {
    const std::int64_t end = std::min(n, (r + 1) * C);
    if (!op.factors) return sweep(r * C, end - r * C, lr, decay);
    for (std::int64_t first = r * C; first < end; first += op.kUnit)
      sweep(first, std::min(op.kUnit, end - first), lr * op.factors(0, first / op.kUnit),
            decay * op.factors(1, first / op.kUnit));
  });
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
