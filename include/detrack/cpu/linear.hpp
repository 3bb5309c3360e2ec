// Linear layers and similarity maps as matrix products.
#pragma once

#include "detrack/cpu/column_sums.hpp"
#include "detrack/cpu/packed_weights.hpp"
#include "detrack/cpu/skinny_gemm.hpp"
#include "detrack/ops/linear.hpp"
#include "detrack/ops/similarity.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// Factors are multiplied as E: T itself, BfloatPair or ByteQuad. Few rows, whose time is that of reading w, as T where w is
/// not packed.
template <class E, class T>
void run_linear(Team<T>& team, const LinearForward<T>& op, const PackedWeights* weights = nullptr) {
  Product<T> p;
  p.M = op.x.extent(0), p.N = op.w.extent(0), p.K = op.w.extent(1);
  p.a = op.x.data(), p.lda = op.x.stride(0);
  p.b = op.w.data(), p.ldb = op.w.stride(0);
  const E* packed = nullptr;
  if constexpr (!std::is_same_v<E, T>)
    if (weights) packed = weights->find<E>(op.w);
  p.alpha = static_cast<T>(op.alpha), p.bias = op.b.data();
  p.residual = op.residual.data(), p.ldr = op.residual.stride(0);
  p.activation = op.activation, p.pre = op.pre.data(), p.ldp = op.pre.stride(0);
  p.c = op.y.data(), p.ldc = op.y.stride(0);
  if (is_skinny(p) && !packed)
    multiply_skinny(team, p);
  else
    multiply<E>(team, p, packed);
}

/// dx = alpha dy w.
template <class E, class T>
void multiply_by_weight(Team<T>& team, View<const T> dy, View<const T> w, T alpha, View<T> dx) {
  Product<T> p;
  p.M = dy.extent(0), p.N = w.extent(1), p.K = w.extent(0);
  p.a = dy.data(), p.lda = dy.stride(0);
  p.b = w.data(), p.ldb = w.stride(0), p.access_b = AccessB::columns;
  p.alpha = alpha, p.c = dx.data(), p.ldc = dx.stride(0);
  multiply<E>(team, p);
}

/// dw += alpha dy^T x.
template <class E, class T>
void add_weight_gradient(Team<T>& team, View<const T> dy, View<const T> x, T alpha, View<T> dw) {
  Product<T> p;
  p.M = dy.extent(1), p.N = x.extent(1), p.K = dy.extent(0);
  p.a = dy.data(), p.lda = dy.stride(0), p.access_a = AccessA::columns;
  p.b = x.data(), p.ldb = x.stride(0), p.access_b = AccessB::columns;
  p.alpha = alpha, p.residual = dw.data(), p.ldr = dw.stride(0), p.c = dw.data(), p.ldc = dw.stride(0);
  multiply<E>(team, p);
}

template <class E, class T>
void run_linear(Team<T>& team, const LinearBackward<T>& op) {
  const T alpha = static_cast<T>(op.alpha);
  if (op.dx) multiply_by_weight<E>(team, op.dy, op.w, alpha, op.dx);
  if (op.dw) add_weight_gradient<E>(team, op.dy, op.x, alpha, op.dw);
  if (op.db) add_column_sums(team, op.dy, alpha, op.db);
}

template <class T>
void run(Team<T>& team, const SimilarityForward<T>& op) {
  run_linear<T>(team, LinearForward<T>{.x = op.x, .w = op.table, .y = op.logits});
}

template <class T>
void run(Team<T>& team, const SimilarityBackward<T>& op) {
  if (op.dx) multiply_by_weight<T>(team, op.dlogits, op.table, T(1), op.dx);
  if (op.dtable) add_weight_gradient<T>(team, op.dlogits, op.x, T(1), op.dtable);
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
