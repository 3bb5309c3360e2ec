// Expected coordinate under the softmax over words, vectorised.
#pragma once

#include "detrack/cpu/softmax.hpp"
#include "detrack/ops/expectation.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// A row of logits: the softmax's parts and the expected word, which may lie between two.
template <class T>
struct ExpectedWord {
  T highest, sum, word;
  ExpectedWord(const T* x, std::int64_t V) : highest(highest_of(x, V)), sum(sum_exponentials(x, V, highest)) {
    word = sum_of(x, V, [&](std::int64_t k, Vector<T> v) __attribute__((always_inline)) {
             return exp<T>(v - highest) * count_from(static_cast<T>(k));
           }) / sum;
  }
};

inline constexpr double kExpectationCost = 50;  // vector operations a vector

template <class T>
void run(Team<T>& team, const ExpectationForward<T>& op) {
  const std::int64_t V = op.vocabulary.size;
  for_each_row(team, op.logits.extent(0), V, kExpectationCost, [&](std::int64_t r) {
    const ExpectedWord<T> expected(op.logits.data() + r * op.logits.stride(0), V);
    op.y(r) = static_cast<T>(op.vocabulary.centre(static_cast<double>(expected.word)));
  });
}

template <class T>
void run(Team<T>& team, const ExpectationBackward<T>& op) {
  const std::int64_t V = op.vocabulary.size;
  for_each_row(team, op.logits.extent(0), V, kExpectationCost, [&](std::int64_t r) {
    const T* x = op.logits.data() + r * op.logits.stride(0);
    const T* residual = op.residual ? op.residual.data() + r * op.residual.stride(0) : nullptr;
    T* dx = op.dlogits.data() + r * op.dlogits.stride(0);
    const ExpectedWord<T> expected(x, V);
    const T scale = static_cast<T>(static_cast<double>(op.dy(r)) / op.vocabulary.per_unit) / expected.sum;
    for_each_vector<T>(
        V, [&](std::int64_t k, auto get, auto put) __attribute__((always_inline)) {
          Vector<T> d = exp<T>(get(x + k) - expected.highest) * scale * (count_from(static_cast<T>(k)) - expected.word);
          if (residual) d += get(residual + k);
          put(dx + k, d);
        });
  });
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
