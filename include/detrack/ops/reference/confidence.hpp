// Reference loops: softmax score of boxes.
#pragma once

#include "detrack/ops/confidence.hpp"
#include "detrack/ops/reference/softmax.hpp"

namespace detrack::reference {

/// Probability near the most likely word of one row.
template <class S>
struct Peak {
  SoftmaxRow<S> row;
  std::int64_t first, last;  ///< words in the window, both ends included
  S mass;
};

template <class S>
Peak<S> peak_of(const View<const S>& logits, std::int64_t r, std::int64_t window) {
  const std::int64_t V = logits.extent(1);
  std::int64_t top = 0;
  for (std::int64_t k = 1; k < V; ++k)
    if (logits(r, k) > logits(r, top)) top = k;  // lowest index on ties
  Peak<S> peak{softmax_row(logits, r), top > window ? top - window : 0, V - 1 - top > window ? top + window : V - 1, S(0)};
  for (std::int64_t k = peak.first; k <= peak.last; ++k) peak.mass += peak.row.probability(logits(r, k));
  return peak;
}

template <class T>
void run(const ConfidenceForward<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t box = 0; box < op.logits.extent(0) / op.group; ++box) {
    S sum(0);
    for (std::int64_t i = 0; i < op.group; ++i) sum += peak_of<S>(op.logits, box * op.group + i, op.window).mass;
    op.y(box) = sum / S(static_cast<double>(op.group));
  }
}

template <class T>
void run(const ConfidenceBackward<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t r = 0; r < op.logits.extent(0); ++r) {
    const auto peak = peak_of<S>(op.logits, r, op.window);
    const S dmass = op.dy(r / op.group) / S(static_cast<double>(op.group));
    for (std::int64_t k = 0; k < op.logits.extent(1); ++k) {
      const S inside(k >= peak.first && k <= peak.last ? 1 : 0);
      op.dlogits(r, k) = dmass * peak.row.probability(op.logits(r, k)) * (inside - peak.mass);
    }
  }
}

}  // namespace detrack::reference
