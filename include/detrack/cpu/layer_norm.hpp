// Layer norm, a row at a time: two passes for the statistics, which stay in the first-level cache.
#pragma once

#include <algorithm>
#include <cmath>

#include "detrack/cpu/rows.hpp"
#include "detrack/cpu/team.hpp"
#include "detrack/ops/layer_norm.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

template <class T>
void layer_norm_row(const LayerNormForward<T>& op, std::int64_t r) {
  constexpr std::int64_t L = kLanes<T>;
  const std::int64_t C = op.x.extent(1);
  const T* x = op.x.data() + r * op.x.stride(0);
  T* y = op.y.data() + r * op.y.stride(0);
  const T *gamma = op.gamma.data(), *beta = op.beta.data();
  const T mean = sum_row<T>(
                     C, [&](std::int64_t c, std::int64_t left)
                            __attribute__((always_inline)) { return left >= L ? load(x + c) : load_some(x + c, left); }) /
                 static_cast<T>(C);
  const T variance = sum_row<T>(
                         C,
                         [&](std::int64_t c, std::int64_t left) __attribute__((always_inline)) {
                           const Vector<T> d =
                               left >= L ? load(x + c) - mean : keep_some<T>(load_some(x + c, left) - mean, left);
                           return d * d;
                         }) /
                     static_cast<T>(C);
  const T rstd = T(1) / std::sqrt(variance + static_cast<T>(op.eps));
  for_each_vector<T>(
      C, [&](std::int64_t c, auto get, auto put)
             __attribute__((always_inline)) { put(y + c, (get(x + c) - mean) * rstd * get(gamma + c) + get(beta + c)); });
  if (op.mean) op.mean(r) = mean, op.rstd(r) = rstd;
}

template <class T>
void run(Team<T>& team, const LayerNormForward<T>& op) {
  constexpr std::int64_t kRows = 16;
  const std::int64_t R = op.x.extent(0), C = op.x.extent(1);
  if (C == 0) return;
  team.parallel((R + kRows - 1) / kRows, op.flops() / kLanes<T>, [&](std::int64_t task, T*) {
    const std::int64_t end = std::min((task + 1) * kRows, R);
    for (std::int64_t r = task * kRows; r < end; ++r) layer_norm_row(op, r);
  });
}

/// One row of dx; adds the row's share of dgamma and dbeta to `dgamma`, `dbeta` unless they are null.
template <class T>
void layer_norm_backward_row(const LayerNormBackward<T>& op, std::int64_t r, T* dgamma, T* dbeta) {
  constexpr std::int64_t L = kLanes<T>;
  const std::int64_t C = op.x.extent(1);
  const T* x = op.x.data() + r * op.x.stride(0);
  const T* dy = op.dy.data() + r * op.dy.stride(0);
  const T* residual = op.residual ? op.residual.data() + r * op.residual.stride(0) : nullptr;
  T* dx = op.dx.data() + r * op.dx.stride(0);
  const T* gamma = op.gamma.data();
  const T mean = op.mean(r), rstd = op.rstd(r);
  const auto some = [](const T* p, std::int64_t left) __attribute__((always_inline)) {
    return left >= L ? load(p) : load_some(p, left);
  };
  const T mean_g = sum_row<T>(
                       C, [&](std::int64_t c, std::int64_t left)
                              __attribute__((always_inline)) { return some(gamma + c, left) * some(dy + c, left); }) /
                   static_cast<T>(C);
  const T mean_gh = sum_row<T>(
                        C,
                        [&](std::int64_t c, std::int64_t left) __attribute__((always_inline)) {
                          return some(gamma + c, left) * some(dy + c, left) * ((some(x + c, left) - mean) * rstd);
                        }) /
                    static_cast<T>(C);
  for_each_vector<T>(
      C, [&](std::int64_t c, auto get, auto put) __attribute__((always_inline)) {
        const Vector<T> h = (get(x + c) - mean) * rstd, d = get(dy + c);
        Vector<T> out = rstd * (get(gamma + c) * d - mean_g - h * mean_gh);
        if (residual) out += get(residual + c);
        if (dgamma) put(dgamma + c, get(dgamma + c) + d * h), put(dbeta + c, get(dbeta + c) + d);
        put(dx + c, out);
      });
}

/// Rows in blocks of a size that follows from the shape; each block sums its share of dgamma and dbeta, and the shares are
/// added in order, whatever the number of threads.
template <class T>
void run(Team<T>& team, const LayerNormBackward<T>& op) {
  const std::int64_t R = op.x.extent(0), C = op.x.extent(1);
  if (C == 0) return;
  const std::int64_t rows = std::max<std::int64_t>(16, (R + 63) / 64), blocks = (R + rows - 1) / rows;
  if (op.dgamma) team.reserve(0, blocks * 2 * C);
  team.parallel(blocks, op.flops() / kLanes<T>, [&](std::int64_t block, T*) {
    T* const dgamma = op.dgamma ? team.shared() + block * 2 * C : nullptr;
    T* const dbeta = dgamma ? dgamma + C : nullptr;
    if (dgamma) std::fill_n(dgamma, 2 * C, T(0));
    const std::int64_t end = std::min((block + 1) * rows, R);
    for (std::int64_t r = block * rows; r < end; ++r) layer_norm_backward_row(op, r, dgamma, dbeta);
  });
  if (!op.dgamma) return;
  for (std::int64_t block = 0; block < blocks; ++block) {
    const T* share = team.shared() + block * 2 * C;
    for_each_vector<T>(
        C, [&](std::int64_t c, auto get, auto put) __attribute__((always_inline)) {
          put(op.dgamma.data() + c, get(op.dgamma.data() + c) + get(share + c));
          put(op.dbeta.data() + c, get(op.dbeta.data() + c) + get(share + C + c));
        });
  }
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
