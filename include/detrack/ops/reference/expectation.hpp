// Reference loops: expected coordinate under the softmax over words.
#pragma once

#include "detrack/ops/expectation.hpp"
#include "detrack/ops/reference/softmax.hpp"

namespace detrack::reference {

template <class S>
S word_centre(const Vocabulary& vocabulary, std::int64_t k) {
  return S(vocabulary.centre(static_cast<double>(k)));
}

template <class S>
S expected_coordinate(const View<const S>& logits, std::int64_t r, const SoftmaxRow<S>& row, const Vocabulary& vocabulary) {
  S sum(0);
  for (std::int64_t k = 0; k < vocabulary.size; ++k) sum += row.probability(logits(r, k)) * word_centre<S>(vocabulary, k);
  return sum;
}

template <class T>
void run(const ExpectationForward<T>& op) {
  for (std::int64_t r = 0; r < op.logits.extent(0); ++r)
    op.y(r) = expected_coordinate(op.logits, r, softmax_row(op.logits, r), op.vocabulary);
}

template <class T>
void run(const ExpectationBackward<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t r = 0; r < op.logits.extent(0); ++r) {
    const auto row = softmax_row(op.logits, r);
    const S y = expected_coordinate(op.logits, r, row, op.vocabulary);
    for (std::int64_t k = 0; k < op.vocabulary.size; ++k) {
      const S gradient = op.dy(r) * row.probability(op.logits(r, k)) * (word_centre<S>(op.vocabulary, k) - y);
      op.dlogits(r, k) = op.residual ? op.residual(r, k) + gradient : gradient;
    }
  }
}

}  // namespace detrack::reference
