// Linear layer: matrix products with the bias, the residual and the activation fused in, and their gradients.
#pragma once

#include "cuda/column_sums.cuh"
#include "cuda/gemm.cuh"
#include "detrack/ops/linear.hpp"

namespace detrack::cuda {

template <class T>
void run(Stream& stream, const LinearForward<T>& op) {
  multiply(stream, Product<T, T>{.a = op.x,
                                 .b = op.w,
                                 .transpose_b = true,
                                 .alpha = static_cast<float>(op.alpha),
                                 .bias = op.b,
                                 .added = op.residual,
                                 .activation = op.activation,
                                 .pre = op.pre,
                                 .d = op.y});
}

template <class T>
void run(Stream& stream, const LinearBackward<T>& op) {
  const auto alpha = static_cast<float>(op.alpha);
  if (op.dy.extent(0) == 0) return;
  if (op.dx) multiply(stream, Product<T, T>{.a = op.dy, .b = op.w, .alpha = alpha, .d = op.dx});
  if (op.dw)
    multiply(stream, Product<T, T>{.a = op.dy, .b = op.x, .transpose_a = true, .alpha = alpha, .added = op.dw, .d = op.dw});
  // cuBLASLt could sum dy's columns in the product for dw (BGRADB), but rounds the sums to T and overwrites.
  if (op.db) add_column_sums(stream, op.dy, alpha, op.db);
}

}  // namespace detrack::cuda
