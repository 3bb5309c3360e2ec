// Cross-entropy of logits to a word or to a Gaussian over words, vectorised.
#pragma once

#include <algorithm>
#include <cmath>

#include "detrack/cpu/softmax.hpp"
#include "detrack/ops/cross_entropy.hpp"
#include "detrack/ops/words.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// q of a row up to its sum: 1 at the word nearest to the target, exp((d_0^2 - d_k^2) / 2) at the others, d being distances to
/// the target in sigmas. As -(d_k - d_0) (d_k + d_0) / 2 the exponent is exact however far the target lies.
template <class T>
class TargetWeights {
 public:
  TargetWeights(double target, double sigma, std::int64_t V)
      : word_(static_cast<T>(Vocabulary{.size = V}.word_at(target))), gaussian_(sigma > 0) {
    if (!gaussian_) return;
    constexpr double kFar = 1e15;  // its products are still finite
    const double nearest = (static_cast<double>(word_) + 0.5 - target) / sigma;
    per_sigma_ = static_cast<T>(1 / sigma), twice_nearest_ = static_cast<T>(2 * std::clamp(nearest, -kFar, kFar));
  }
  /// Of the words from k on.
  DETRACK_INLINE Vector<T> operator()(std::int64_t k) const {
    const Vector<T> from_word = count_from(static_cast<T>(k) - word_);
    if (!gaussian_) return from_word == T(0) ? splat(T(1)) : splat(T(0));
    const Vector<T> u = from_word * per_sigma_;
    return exp<T>(u * (u + twice_nearest_) * T(-0.5));
  }
  T sum(std::int64_t V) const {
    return sum_row<T>(
        V, [&](std::int64_t k, std::int64_t left)
               __attribute__((always_inline)) { return keep_some<T>((*this)(k), left); });
  }

 private:
  T word_, per_sigma_ = 0, twice_nearest_ = 0;
  bool gaussian_;
};

inline constexpr double kCrossEntropyCost = 60;  // vector operations a vector

template <class T>
void run(Team<T>& team, const CrossEntropyForward<T>& op) {
  const std::int64_t V = op.logits.extent(1);
  for_each_row(team, op.logits.extent(0), V, kCrossEntropyCost, [&](std::int64_t r) {
    const T* x = op.logits.data() + r * op.logits.stride(0);
    const TargetWeights<T> weights(op.target(r), op.sigma, V);
    const T highest = highest_of(x, V), log_sum_exp = highest + std::log(sum_exponentials(x, V, highest));
    const T loss = sum_of(x, V, [&](std::int64_t k, Vector<T> v) __attribute__((always_inline)) {
      const Vector<T> w = weights(k);
      return w > T(0) ? w * (log_sum_exp - v) : splat(T(0));  // where both are infinite, too
    });
    op.loss(r) = loss / weights.sum(V);
  });
}

template <class T>
void run(Team<T>& team, const CrossEntropyBackward<T>& op) {
  const std::int64_t V = op.logits.extent(1);
  for_each_row(team, op.logits.extent(0), V, kCrossEntropyCost, [&](std::int64_t r) {
    const T* x = op.logits.data() + r * op.logits.stride(0);
    T* dx = op.dlogits.data() + r * op.dlogits.stride(0);
    const TargetWeights<T> weights(op.target(r), op.sigma, V);
    const T highest = highest_of(x, V), dloss = op.dloss(r);
    const T sum_p = sum_exponentials(x, V, highest), sum_q = weights.sum(V);
    for_each_vector<T>(
        V, [&](std::int64_t k, auto get, auto put) __attribute__((always_inline)) {
          put(dx + k, dloss * (exp<T>(get(x + k) - highest) / sum_p - weights(k) / sum_q));
        });
  });
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
