// Reference loops: cross-entropy of logits to a word or to a Gaussian over words.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "detrack/ops/cross_entropy.hpp"
#include "detrack/ops/reference/softmax.hpp"
#include "detrack/ops/words.hpp"

namespace detrack::reference {

/// q, in double whatever the logits are.
inline std::vector<double> target_distribution(double target, double sigma, std::int64_t V) {
  std::vector<double> q(static_cast<std::size_t>(V), 0.0);
  if (sigma == 0) {
    q[static_cast<std::size_t>(Vocabulary{.size = V}.word_at(target))] = 1;
    return q;
  }
  const auto exponent = [&](std::size_t k) {
    const double distance = (static_cast<double>(k) + 0.5 - target) / sigma;
    return -0.5 * distance * distance;
  };
  double largest = exponent(0), sum = 0;  // taken out, as in a softmax: the target may lie far from every word
  for (std::size_t k = 1; k < q.size(); ++k) largest = std::max(largest, exponent(k));
  for (std::size_t k = 0; k < q.size(); ++k) sum += q[k] = std::exp(exponent(k) - largest);
  for (double& value : q) value /= sum;
  return q;
}

template <class T>
void run(const CrossEntropyForward<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t r = 0; r < op.logits.extent(0); ++r) {
    const auto q = target_distribution(op.target(r), op.sigma, op.logits.extent(1));
    const S log_sum_exp = softmax_row(op.logits, r).log_sum_exp();
    S loss(0);
    for (std::int64_t k = 0; k < op.logits.extent(1); ++k) {
      const double weight = q[static_cast<std::size_t>(k)];
      if (weight != 0) loss += S(weight) * (log_sum_exp - op.logits(r, k));
    }
    op.loss(r) = loss;
  }
}

template <class T>
void run(const CrossEntropyBackward<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t r = 0; r < op.logits.extent(0); ++r) {
    const auto q = target_distribution(op.target(r), op.sigma, op.logits.extent(1));
    const auto row = softmax_row(op.logits, r);
    for (std::int64_t k = 0; k < op.logits.extent(1); ++k)
      op.dlogits(r, k) = op.dloss(r) * (row.probability(op.logits(r, k)) - S(q[static_cast<std::size_t>(k)]));
  }
}

}  // namespace detrack::reference
