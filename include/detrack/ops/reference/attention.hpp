// Reference loops: multi-head scaled dot-product attention, one query at a time.
#pragma once

#include <limits>
#include <vector>

#include "detrack/ops/attention.hpp"
#include "detrack/ops/reference/add.hpp"
#include "detrack/ops/reference/softmax.hpp"

namespace detrack::reference {

/// s(b, h, i, j) = scale q_i . k_j, -infinity where query i may not see key j. For both directions.
template <class T, class Op>
stat_t<T> attention_score(const Op& op, std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t j) {
  using S = stat_t<T>;
  if (op.mask && op.mask(i, j) == 0) return S(-std::numeric_limits<double>::infinity());
  S dot(0);
  for (std::int64_t d = 0; d < op.q.extent(3); ++d) dot += op.q(b, i, h, d) * op.k(b, j, h, d);
  return S(op.scale) * dot;
}

template <class T>
void run(const AttentionForward<T>& op) {
  using S = stat_t<T>;
  const std::int64_t B = op.q.extent(0), Nq = op.q.extent(1), H = op.q.extent(2), D = op.q.extent(3), Nk = op.k.extent(1);
  const S nothing = S(-std::numeric_limits<double>::infinity());
  std::vector<S> s(static_cast<std::size_t>(Nk));
  const auto score = [&](std::int64_t j) -> S& { return s[static_cast<std::size_t>(j)]; };
  for (std::int64_t b = 0; b < B; ++b)
    for (std::int64_t h = 0; h < H; ++h)
      for (std::int64_t i = 0; i < Nq; ++i) {
        bool sees_a_key = false;
        for (std::int64_t j = 0; j < Nk; ++j) {
          score(j) = attention_score<T>(op, b, h, i, j);
          sees_a_key |= !op.mask || op.mask(i, j) != 0;
        }
        if (!sees_a_key) {  // softmax over nothing
          for (std::int64_t d = 0; d < D; ++d) op.y(b, i, h, d) = T(0);
          if (op.lse) op.lse(b, h, i) = nothing;
          continue;
        }
        const auto row = softmax_row<S>(Nk, score);
        for (std::int64_t d = 0; d < D; ++d) {
          S sum(0);
          for (std::int64_t j = 0; j < Nk; ++j) sum += row.probability(score(j)) * op.v(b, j, h, d);
          op.y(b, i, h, d) = T(sum);
        }
        if (op.lse) op.lse(b, h, i) = row.log_sum_exp();
      }
}

template <class T>
void run(const AttentionBackward<T>& op) {
  using std::exp;
  using S = stat_t<T>;
  const std::int64_t B = op.q.extent(0), Nq = op.q.extent(1), H = op.q.extent(2), D = op.q.extent(3), Nk = op.k.extent(1);
  for (const View<T>& gradient : {op.dq, op.dk, op.dv}) run(Fill<T>{.y = gradient});
  for (std::int64_t b = 0; b < B; ++b)
    for (std::int64_t h = 0; h < H; ++h)
      for (std::int64_t i = 0; i < Nq; ++i) {
        S delta(0);
        for (std::int64_t d = 0; d < D; ++d) delta += op.dy(b, i, h, d) * op.y(b, i, h, d);
        for (std::int64_t j = 0; j < Nk; ++j) {
          if (op.mask && op.mask(i, j) == 0) continue;  // p = 0
          const S p = exp(attention_score<T>(op, b, h, i, j) - op.lse(b, h, i));
          S dp(0);
          for (std::int64_t d = 0; d < D; ++d) dp += op.dy(b, i, h, d) * op.v(b, j, h, d);
          const S ds = p * (dp - delta);
          for (std::int64_t d = 0; d < D; ++d) {
            op.dv(b, j, h, d) += p * op.dy(b, i, h, d);
            op.dq(b, i, h, d) += S(op.scale) * ds * op.k(b, j, h, d);
            op.dk(b, j, h, d) += S(op.scale) * ds * op.q(b, i, h, d);
          }
        }
      }
}

}  // namespace detrack::reference
