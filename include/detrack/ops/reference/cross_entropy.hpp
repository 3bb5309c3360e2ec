// Reference loops: cross-entropy of logits to a word or to a Gaussian over words.
#pragma once

#include <algorithm>
#include <cmath>

#include "detrack/ops/cross_entropy.hpp"
#include "detrack/ops/reference/softmax.hpp"
#include "detrack/ops/words.hpp"

namespace detrack::reference {

/// q, in double whatever the logits are.
class TargetDistribution {
 public:
  TargetDistribution(double target, double sigma, std::int64_t V) : target_(target), sigma_(sigma) {
    if (sigma == 0) {
      word_ = Vocabulary{.size = V}.word_at(target);
      return;
    }
    largest_ = exponent(0);  // taken out, as in a softmax: the target may lie far from every word
    for (std::int64_t k = 1; k < V; ++k) largest_ = std::max(largest_, exponent(k));
    for (std::int64_t k = 0; k < V; ++k) sum_ += std::exp(exponent(k) - largest_);
  }
  double operator()(std::int64_t k) const {
    return sigma_ == 0 ? (k == word_ ? 1.0 : 0.0) : std::exp(exponent(k) - largest_) / sum_;
  }

 private:
  double exponent(std::int64_t k) const {
    const double distance = (static_cast<double>(k) + 0.5 - target_) / sigma_;
    return -0.5 * distance * distance;
  }
  double target_, sigma_, largest_ = 0, sum_ = 0;
  std::int64_t word_ = 0;
};

template <class T>
void run(const CrossEntropyForward<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t r = 0; r < op.logits.extent(0); ++r) {
    const TargetDistribution q(op.target(r), op.sigma, op.logits.extent(1));
    const S log_sum_exp = softmax_row(op.logits, r).log_sum_exp();
    S loss(0);
    for (std::int64_t k = 0; k < op.logits.extent(1); ++k) {
      const double weight = q(k);
      if (weight != 0) loss += S(weight) * (log_sum_exp - op.logits(r, k));
    }
    op.loss(r) = loss;
  }
}

template <class T>
void run(const CrossEntropyBackward<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t r = 0; r < op.logits.extent(0); ++r) {
    const TargetDistribution q(op.target(r), op.sigma, op.logits.extent(1));
    const auto row = softmax_row(op.logits, r);
    for (std::int64_t k = 0; k < op.logits.extent(1); ++k)
      op.dlogits(r, k) = op.dloss(r) * (row.probability(op.logits(r, k)) - S(q(k)));
  }
}

}  // namespace detrack::reference
