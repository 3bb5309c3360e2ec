// Matrix products with bias, added matrix and activation: few rows by our own kernel, the others by cuBLASLt where it can,
// and what is left by one for whatever strides there are.
#pragma once

#include <cstdint>
#include <limits>

#include "cuda/gemm_simt.cuh"
#include "cuda/skinny_gemm.cuh"

namespace detrack::cuda {

/// y = alpha x, packed.
template <class T>
struct ScaleElements {
  float alpha;
  View<const T> x;
  T* y;
  __device__ void operator()(std::int64_t i) const { y[i] = from_float<T>(alpha * to_float(x(i))); }
};

template <class X>
std::int64_t blas_alignment(const View<X>& view) {
  const auto address = reinterpret_cast<std::uintptr_t>(view.data());
  std::int64_t alignment = 1;
  while (alignment < static_cast<std::int64_t>(kBlasAlignment) && address % (2 * alignment) == 0) alignment *= 2;
  return alignment;
}

/// From one row to the next. A single row may call itself as wide as aligned kernels like it.
template <class X>
std::int64_t leading_dimension(const View<X>& view) {
  constexpr std::int64_t kUnit = kBlasAlignment / sizeof(X);
  return view.extent(0) > 1 ? view.stride(0) : (view.extent(1) + kUnit - 1) / kUnit * kUnit;
}

/// Whether cuBLASLt can describe a matrix: its rows follow each other, and are not too many or too long.
template <class X>
bool blas_matrix(const View<X>& view) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  return view.extent(0) > 0 && view.extent(1) > 0 && view.extent(0) <= kMost && view.extent(1) <= kMost &&
         leading_dimension(view) >= view.extent(1);
}

/// Computes `p`. Takes stream.scratch() only where there is a bias. Errors: cublas, cuda, out_of_memory.
template <class In, class Out>
void multiply(Stream& stream, const Product<In, Out>& p) {
  if (p.d.numel() == 0) return;
  if (is_skinny(p)) return multiply_skinny(stream, p);
  // cuBLASLt's GELU is the approximation by tanh, ours is exact; so GELU, sigmoid, and an activation whose argument is
  // wanted take a pass of their own, from z as it was stored. (R, O) mostly is in the L2 cache by then.
  const bool pass = p.pre || (p.activation != Activation::identity && p.activation != Activation::relu);
  const View<Out>& z = p.pre ? p.pre : p.d;
  const View<const Out> c = p.added ? p.added : View<const Out>(z);
  const auto multiplied = [&]() -> MatmulPlan* {
    if (!blas_matrix(p.a) || !blas_matrix(p.b) || !blas_matrix(c) || !blas_matrix(z)) return nullptr;
    // Read by columns, a matrix stored by rows is its transpose, and d^T = op(b)^T op(a)^T: so b is cuBLAS's A, a is its B,
    // m and n change places, the flags stay, and a bias along d's rows is the bias down its columns that cuBLAS adds.
    int epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    const bool relu = !pass && p.activation == Activation::relu;
    if (p.bias)
      epilogue = relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
    else if (relu)
      epilogue = CUBLASLT_EPILOGUE_RELU;
    return stream.blas().plan(MatmulShape{.input = CudaType<In>::value,
                                          .output = CudaType<Out>::value,
                                          .transpose_a = p.transpose_b,
                                          .transpose_b = p.transpose_a,
                                          .m = p.d.extent(1),
                                          .n = p.d.extent(0),
                                          .k = p.inner(),
                                          .lda = leading_dimension(p.b),
                                          .ldb = leading_dimension(p.a),
                                          .ldc = leading_dimension(c),
                                          .ldd = leading_dimension(z),
                                          .align_a = blas_alignment(p.b),
                                          .align_b = blas_alignment(p.a),
                                          .align_c = blas_alignment(c),
                                          .align_d = blas_alignment(z),
                                          .epilogue = epilogue,
                                          .adds_c = p.added ? 1 : 0});
  };
  MatmulPlan* const plan = multiplied();
  if (!plan) return multiply_simt(stream, p);

  const Out* bias = p.bias.data();
  if (p.bias && (p.alpha != 1 || blas_alignment(p.bias) != kBlasAlignment)) {  // alpha does not reach cuBLASLt's bias
    auto* scaled = static_cast<Out*>(stream.scratch(static_cast<std::size_t>(p.bias.numel()) * sizeof(Out)));
    for_each(stream, p.bias.numel(), ScaleElements<Out>{p.alpha, p.bias, scaled});
    bias = scaled;
  }
  stream.blas().run(stream.get(), *plan, p.alpha,
                    MatmulMatrices{.a = p.b.data(), .b = p.a.data(), .c = c.data(), .bias = bias, .d = z.data()});
  if (pass) run(stream, ActivationForward<Out>{.kind = p.activation, .x = z, .y = p.d});
}

}  // namespace detrack::cuda
