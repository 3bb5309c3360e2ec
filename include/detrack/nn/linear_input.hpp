// What a linear layer reads: rows that are there, or rows that a layer norm is to write first.
#pragma once

#include "detrack/ops/normed_linear.hpp"

namespace detrack {

/// A view is one. LayerNorm::ahead() makes one whose norm has not run yet, so that a backend can do both at once.
template <class T>
struct LinearInput {
  View<const T> view{};
  LayerNormForward<T> norm{};  ///< writes `view`, if it has an x

  LinearInput(View<const T> rows) : view(rows) {}
  LinearInput(View<T> rows) : view(rows) {}
  LinearInput(View<const T> normed, const LayerNormForward<T>& writer) : view(normed), norm(writer) {}
};

}  // namespace detrack
