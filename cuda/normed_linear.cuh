// A layer norm and the linear layer behind it: one kernel where there are few rows.
#pragma once

#include "cuda/layer_norm.cuh"
#include "cuda/linear.cuh"
#include "detrack/ops/normed_linear.hpp"

namespace detrack::cuda {

template <class T>
void run(Stream& stream, const NormedLinear<T>& op) {
  const Product<T, T> product = product_of(op.linear);
  if (is_skinny(product) && packable<kPack<T>>(op.norm.x, op.norm.gamma, op.norm.beta))
    return multiply_skinny(stream, product, op.norm);
  run(stream, op.norm);
  run(stream, op.linear);
}

}  // namespace detrack::cuda
