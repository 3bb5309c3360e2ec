// Elementwise activations, vectorised.
#pragma once

#include <algorithm>

#include "detrack/cpu/math.hpp"
#include "detrack/cpu/rows.hpp"
#include "detrack/cpu/team.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

template <class T>
void run(Team<T>& team, const ActivationForward<T>& op) {
  const std::int64_t C = op.x.extent(1);
  with_activation(op.kind, [&](auto kind) {
    for_each_row(team, op.x.extent(0), C, 20, [&](std::int64_t r) {
      const T* x = op.x.data() + r * op.x.stride(0);
      T* y = op.y.data() + r * op.y.stride(0);
      for_each_vector<T>(
          C, [&](std::int64_t c, auto get, auto put)
                 __attribute__((always_inline)) { put(y + c, activate<T, decltype(kind)::value>(get(x + c))); });
    });
  });
}

template <class T>
void run(Team<T>& team, const ActivationBackward<T>& op) {
  const std::int64_t C = op.x.extent(1);
  with_activation(op.kind, [&](auto kind) {
    for_each_row(team, op.x.extent(0), C, 30, [&](std::int64_t r) {
      const T* x = op.x.data() + r * op.x.stride(0);
      const T* dy = op.dy.data() + r * op.dy.stride(0);
      T* dx = op.dx.data() + r * op.dx.stride(0);
      for_each_vector<T>(
          C, [&](std::int64_t c, auto get, auto put) __attribute__((always_inline)) {
            put(dx + c, activation_slope<T, decltype(kind)::value>(get(x + c)) * get(dy + c));
          });
    });
  });
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
