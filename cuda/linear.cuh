// Linear layer: matrix products with the bias, the residual and the activation fused in, and their gradients.
#pragma once

#include "cuda/gemm.cuh"
#include "cuda/row_sums.cuh"
#include "detrack/ops/linear.hpp"

namespace detrack::cuda {

template <class T>
Product<T, T> product_of(const LinearForward<T>& op) {
  return {.a = op.x,
          .b = op.w,
          .transpose_b = true,
          .alpha = static_cast<float>(op.alpha),
          .bias = op.b,
          .added = op.residual,
          .activation = op.activation,
          .pre = op.pre,
          .d = op.y};
}

template <class T>
void run(Stream& stream, const LinearForward<T>& op) {
  multiply(stream, product_of(op));
}

/// For add_row_sums(): the rows of a matrix.
template <class T, int kColumns>
struct MatrixRows {
  static constexpr int kCount = kColumns;
  View<const T> x;
  __device__ void load(float (&to)[kCount], std::int64_t column, std::int64_t row) const {
    load_floats(to, &x(row, column));
  }
};

/// Where the sum of a column belongs.
template <class T>
struct BiasOfColumn {
  View<T> db;
  __device__ T* operator()(std::int64_t column) const { return &db(column); }
};

template <class T>
void add_bias_gradient(Stream& stream, const View<const T>& dy, float alpha, const View<T>& db) {
  constexpr int kCount = kPack<T>;
  const std::int64_t R = dy.extent(0), O = dy.extent(1);
  if (packable<kCount>(dy, db))
    add_row_sums(stream, O, R, MatrixRows<T, kCount>{dy}, alpha, BiasOfColumn<T>{db});
  else
    add_row_sums(stream, O, R, MatrixRows<T, 1>{dy}, alpha, BiasOfColumn<T>{db});
}

template <class T>
void run(Stream& stream, const LinearBackward<T>& op) {
  const auto alpha = static_cast<float>(op.alpha);
  if (op.dy.extent(0) == 0) return;
  if (op.dx) multiply(stream, Product<T, T>{.a = op.dy, .b = op.w, .alpha = alpha, .d = op.dx});
  if (op.dw)
    multiply(stream, Product<T, T>{.a = op.dy, .b = op.x, .transpose_a = true, .alpha = alpha, .added = op.dw, .d = op.dw});
  // cuBLASLt could sum dy's columns in the product for dw (BGRADB), but rounds the sums to T and overwrites.
  if (op.db) add_bias_gradient(stream, op.dy, alpha, op.db);
}

}  // namespace detrack::cuda
