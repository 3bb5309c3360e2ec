// As much of cuBLASLt as detrack's backend uses, on the CPU: column-major products of float and bfloat16 by plain loops,
// with the library's refusals. Its heuristic is stricter than the real one: bfloat16 wants everything aligned to 16 bytes,
// so that the backend's own products are tested too.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "detrack/core/dtype.hpp"

enum cublasStatus_t {
  CUBLAS_STATUS_SUCCESS = 0,
  CUBLAS_STATUS_NOT_INITIALIZED = 1,
  CUBLAS_STATUS_ALLOC_FAILED = 3,
  CUBLAS_STATUS_INVALID_VALUE = 7,
  CUBLAS_STATUS_ARCH_MISMATCH = 8,
  CUBLAS_STATUS_EXECUTION_FAILED = 13,
  CUBLAS_STATUS_INTERNAL_ERROR = 14,
  CUBLAS_STATUS_NOT_SUPPORTED = 15
};
enum cublasOperation_t { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1, CUBLAS_OP_C = 2 };
enum cublasComputeType_t { CUBLAS_COMPUTE_32F = 68, CUBLAS_COMPUTE_32F_FAST_TF32 = 77 };
enum cudaDataType_t { CUDA_R_32F = 0, CUDA_R_16BF = 14 };
using cudaDataType = cudaDataType_t;
enum cublasLtEpilogue_t {
  CUBLASLT_EPILOGUE_DEFAULT = 1,
  CUBLASLT_EPILOGUE_RELU = 2,
  CUBLASLT_EPILOGUE_BIAS = 4,
  CUBLASLT_EPILOGUE_RELU_BIAS = 6,
  CUBLASLT_EPILOGUE_GELU = 32
};
enum cublasLtReductionScheme_t {
  CUBLASLT_REDUCTION_SCHEME_NONE = 0,
  CUBLASLT_REDUCTION_SCHEME_INPLACE = 1,
  CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE = 2,
  CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE = 4,
  CUBLASLT_REDUCTION_SCHEME_MASK = 7
};
enum cublasLtMatmulDescAttributes_t {
  CUBLASLT_MATMUL_DESC_TRANSA = 3,
  CUBLASLT_MATMUL_DESC_TRANSB = 4,
  CUBLASLT_MATMUL_DESC_EPILOGUE = 7,
  CUBLASLT_MATMUL_DESC_BIAS_POINTER = 8
};
enum cublasLtMatmulPreferenceAttributes_t {
  CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1,
  CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK = 3,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES = 6,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES = 7,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES = 8
};

// The real ones are words without names; a descriptor that nobody initialised lacks its mark.
struct cublasLtMatmulDescOpaque_t {
  std::uint32_t mark;
  std::int32_t compute, scale, transposes[2];
  std::uint32_t epilogue;
  const void* bias;
};
struct cublasLtMatrixLayoutOpaque_t {
  std::uint32_t mark;
  cudaDataType_t type;
  std::uint64_t rows, cols;
  std::int64_t ld;
};
struct cublasLtMatmulPreferenceOpaque_t {
  std::uint32_t mark, schemes, alignment[4];  ///< of A, B, C, D
  std::uint64_t workspace;
};
struct cublasLtMatmulAlgo_t {
  std::uint64_t data[8];
};
struct cublasLtMatmulHeuristicResult_t {
  cublasLtMatmulAlgo_t algo;
  std::size_t workspaceSize;
  cublasStatus_t state;
  float wavesCount;
  int reserved[4];
};
using cublasLtMatmulDesc_t = cublasLtMatmulDescOpaque_t*;
using cublasLtMatrixLayout_t = cublasLtMatrixLayoutOpaque_t*;
using cublasLtMatmulPreference_t = cublasLtMatmulPreferenceOpaque_t*;
struct cublasLtContext {};
using cublasLtHandle_t = cublasLtContext*;

namespace detrack::emulator {

/// What tests set and read of the emulated cuBLASLt.
struct BlasMachine {
  std::size_t version = 130100;
  cublasStatus_t create = CUBLAS_STATUS_SUCCESS, heuristic = CUBLAS_STATUS_SUCCESS, matmul = CUBLAS_STATUS_SUCCESS;
  long handles = 0;  ///< alive
  long heuristics = 0, checks = 0, products = 0;
  std::uint32_t schemes = 0;   ///< that the last heuristic was allowed
  std::uint32_t epilogue = 0;  ///< of the last product
};
inline BlasMachine& blas_machine() {
  static BlasMachine m;
  return m;
}

namespace blas {

inline constexpr std::uint32_t kDesc = 0xde5c0001, kLayout = 0xde5c0002, kPreference = 0xde5c0003;
inline constexpr std::uint64_t kAlgorithm = 0x636f6c756d6e73;

/// In an algorithm: what it is for, and into how many parts it cuts the inner dimension.
enum Word { kMark, kInput, kOutput, kAlignment, kSplits };

inline std::size_t size_of(cudaDataType_t type) {
  return type == CUDA_R_32F ? 4 : 2;
}
inline bool aligned(const void* address, std::size_t bytes) {
  return reinterpret_cast<std::uintptr_t>(address) % bytes == 0;
}
inline float load(cudaDataType_t type, const void* data, std::int64_t i) {
  if (type == CUDA_R_32F) return static_cast<const float*>(data)[i];
  return static_cast<float>(static_cast<const bfloat16*>(data)[i]);
}
inline void store(cudaDataType_t type, void* data, std::int64_t i, float x) {
  if (type == CUDA_R_32F)
    static_cast<float*>(data)[i] = x;
  else
    static_cast<bfloat16*>(data)[i] = bfloat16(x);
}

struct Problem {
  const cublasLtMatmulDescOpaque_t& desc;
  const cublasLtMatrixLayoutOpaque_t &a, &b, &c, &d;

  /// Bytes to which an algorithm for these types wants addresses and columns aligned.
  std::size_t alignment() const { return a.type == CUDA_R_16BF ? 16 : 4; }
  bool columns_aligned() const {
    for (const auto* layout : {&a, &b, &c, &d})
      if (static_cast<std::size_t>(layout->ld) * size_of(layout->type) % alignment() != 0) return false;
    return true;
  }
  std::uint64_t k() const { return desc.transposes[0] == CUBLAS_OP_N ? a.cols : a.rows; }
  std::size_t workspace(std::uint64_t splits) const { return splits > 1 ? splits * d.rows * d.cols * sizeof(float) : 0; }

  cublasStatus_t check() const {
    if (desc.mark != kDesc) return CUBLAS_STATUS_INVALID_VALUE;
    for (const auto* layout : {&a, &b, &c, &d}) {
      if (layout->mark != kLayout) return CUBLAS_STATUS_INVALID_VALUE;
      if (layout->rows == 0 || layout->cols == 0) return CUBLAS_STATUS_INVALID_VALUE;
      if (layout->ld < static_cast<std::int64_t>(layout->rows)) return CUBLAS_STATUS_INVALID_VALUE;
      if (layout->rows > INT32_MAX || layout->cols > INT32_MAX) return CUBLAS_STATUS_NOT_SUPPORTED;
      if (layout->type != CUDA_R_32F && layout->type != CUDA_R_16BF) return CUBLAS_STATUS_NOT_SUPPORTED;
    }
    if (desc.compute != CUBLAS_COMPUTE_32F || desc.scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (a.type != b.type || c.type != d.type) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (a.type == CUDA_R_32F && d.type != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    const bool turn_a = desc.transposes[0] != CUBLAS_OP_N, turn_b = desc.transposes[1] != CUBLAS_OP_N;
    if ((turn_a ? a.cols : a.rows) != d.rows || (turn_b ? b.rows : b.cols) != d.cols) return CUBLAS_STATUS_INVALID_VALUE;
    if ((turn_b ? b.cols : b.rows) != k() || c.rows != d.rows || c.cols != d.cols) return CUBLAS_STATUS_INVALID_VALUE;
    if (desc.epilogue != CUBLASLT_EPILOGUE_DEFAULT && desc.epilogue != CUBLASLT_EPILOGUE_RELU &&
        desc.epilogue != CUBLASLT_EPILOGUE_BIAS && desc.epilogue != CUBLASLT_EPILOGUE_RELU_BIAS)
      return CUBLAS_STATUS_NOT_SUPPORTED;
    return CUBLAS_STATUS_SUCCESS;
  }

  cublasStatus_t check(const cublasLtMatmulAlgo_t& algo) const {
    if (const cublasStatus_t status = check(); status != CUBLAS_STATUS_SUCCESS) return status;
    if (algo.data[kMark] != kAlgorithm || algo.data[kSplits] == 0) return CUBLAS_STATUS_INVALID_VALUE;
    if (algo.data[kInput] != std::uint64_t(a.type) || algo.data[kOutput] != std::uint64_t(d.type) || !columns_aligned())
      return CUBLAS_STATUS_NOT_SUPPORTED;
    return CUBLAS_STATUS_SUCCESS;
  }
};

/// D = epilogue(alpha op(A) op(B) + beta C + bias), the parts of the inner dimension added up in the workspace.
struct Run {
  cublasLtMatmulDescOpaque_t desc;
  cublasLtMatrixLayoutOpaque_t a, b, c, d;
  float alpha, beta;
  const void *A, *B, *C;
  void* D;
  float* workspace;
  std::uint64_t splits;

  /// Column i of the result of op, from `begin` on: a row of op(A), or a column of op(B).
  static std::vector<float> lines(const cublasLtMatrixLayoutOpaque_t& x, const void* data, bool rows_first,
                                  std::int64_t count, std::int64_t k) {
    std::vector<float> all;
    all.reserve(static_cast<std::size_t>(count * k));
    for (std::int64_t i = 0; i < count; ++i)
      for (std::int64_t j = 0; j < k; ++j) all.push_back(load(x.type, data, rows_first ? i + j * x.ld : j + i * x.ld));
    return all;
  }
  void operator()() const {
    const Problem problem{desc, a, b, c, d};
    const auto m = static_cast<std::int64_t>(d.rows), n = static_cast<std::int64_t>(d.cols);
    const auto k = static_cast<std::int64_t>(problem.k()), parts = static_cast<std::int64_t>(splits);
    const std::vector<float> rows = lines(a, A, desc.transposes[0] == CUBLAS_OP_N, m, k);
    const std::vector<float> columns = lines(b, B, desc.transposes[1] != CUBLAS_OP_N, n, k);
    std::vector<float> alone(parts == 1 ? static_cast<std::size_t>(m * n) : 0);
    float* const sums = parts == 1 ? alone.data() : workspace;
    for (std::int64_t part = 0; part < parts; ++part)
      for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t i = 0; i < m; ++i) {
          float sum = 0;
          for (std::int64_t l = k * part / parts; l < k * (part + 1) / parts; ++l)
            sum += rows[i * k + l] * columns[j * k + l];
          sums[part * m * n + j * m + i] = sum;
        }
    for (std::int64_t j = 0; j < n; ++j)
      for (std::int64_t i = 0; i < m; ++i) {
        float z = 0;
        for (std::int64_t part = 0; part < parts; ++part) z += sums[part * m * n + j * m + i];
        z *= alpha;
        if (beta != 0) z += beta * load(c.type, C, i + j * c.ld);
        if (desc.epilogue & CUBLASLT_EPILOGUE_BIAS) z += load(d.type, desc.bias, i);
        if (desc.epilogue & CUBLASLT_EPILOGUE_RELU) z = std::max(z, 0.0f);
        store(d.type, D, i + j * d.ld, z);
      }
  }
};

template <class X>
cublasStatus_t set(X& value, const void* buffer, std::size_t bytes) {
  if (!buffer || bytes != sizeof(X)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&value, buffer, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace blas
}  // namespace detrack::emulator

inline const char* cublasLtGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS: return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED: return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_ARCH_MISMATCH: return "CUBLAS_STATUS_ARCH_MISMATCH";
    case CUBLAS_STATUS_EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_INTERNAL_ERROR: return "CUBLAS_STATUS_INTERNAL_ERROR";
    case CUBLAS_STATUS_NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
  }
  return "?";
}
inline std::size_t cublasLtGetVersion() {
  return detrack::emulator::blas_machine().version;
}
inline cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  auto& m = detrack::emulator::blas_machine();
  if (m.create != CUBLAS_STATUS_SUCCESS) return m.create;
  ++m.handles;
  *handle = new cublasLtContext;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  --detrack::emulator::blas_machine().handles;
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

inline cublasStatus_t cublasLtMatmulDescInit(cublasLtMatmulDesc_t desc, cublasComputeType_t compute, cudaDataType_t scale) {
  *desc = {detrack::emulator::blas::kDesc, compute, scale, {CUBLAS_OP_N, CUBLAS_OP_N}, CUBLASLT_EPILOGUE_DEFAULT, nullptr};
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute,
                                                     const void* buffer, std::size_t bytes) {
  using namespace detrack::emulator::blas;
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA: return set(desc->transposes[0], buffer, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB: return set(desc->transposes[1], buffer, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE: return set(desc->epilogue, buffer, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return set(desc->bias, buffer, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}
inline cublasStatus_t cublasLtMatrixLayoutInit(cublasLtMatrixLayout_t layout, cudaDataType type, std::uint64_t rows,
                                               std::uint64_t cols, std::int64_t ld) {
  *layout = {detrack::emulator::blas::kLayout, type, rows, cols, ld};
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulPreferenceInit(cublasLtMatmulPreference_t preference) {
  *preference = {detrack::emulator::blas::kPreference, CUBLASLT_REDUCTION_SCHEME_MASK, {256, 256, 256, 256}, 0};
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                           cublasLtMatmulPreferenceAttributes_t attribute,
                                                           const void* buffer, std::size_t bytes) {
  using namespace detrack::emulator::blas;
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES: return set(preference->workspace, buffer, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK: return set(preference->schemes, buffer, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES: return set(preference->alignment[0], buffer, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES: return set(preference->alignment[1], buffer, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES: return set(preference->alignment[2], buffer, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES: return set(preference->alignment[3], buffer, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

inline cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
                                                     cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                                     cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                                     cublasLtMatmulPreference_t preference, int requested,
                                                     cublasLtMatmulHeuristicResult_t results[], int* returned) {
  using namespace detrack::emulator;
  auto& machine = blas_machine();
  ++machine.heuristics;
  *returned = 0;
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (machine.heuristic != CUBLAS_STATUS_SUCCESS) return machine.heuristic;
  if (requested < 1 || preference->mark != blas::kPreference) return CUBLAS_STATUS_INVALID_VALUE;
  const blas::Problem problem{*desc, *a, *b, *c, *d};
  if (const cublasStatus_t status = problem.check(); status != CUBLAS_STATUS_SUCCESS) return status;
  machine.schemes = preference->schemes;
  bool possible = problem.columns_aligned();
  for (const std::uint32_t alignment : preference->alignment) possible = possible && alignment >= problem.alignment();
  if ((desc->epilogue & CUBLASLT_EPILOGUE_BIAS) && !blas::aligned(desc->bias, problem.alignment())) possible = false;
  if (!possible) return CUBLAS_STATUS_NOT_SUPPORTED;
  const bool split = problem.k() >= 64 && (preference->schemes & CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE) &&
                     problem.workspace(2) <= preference->workspace;
  results[0] = {};
  auto& words = results[0].algo.data;
  words[blas::kMark] = blas::kAlgorithm;
  words[blas::kInput] = a->type, words[blas::kOutput] = d->type;
  words[blas::kAlignment] = problem.alignment();
  words[blas::kSplits] = split ? 2 : 1;
  results[0].workspaceSize = problem.workspace(words[blas::kSplits]);
  results[0].state = CUBLAS_STATUS_SUCCESS;
  *returned = 1;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              const cublasLtMatmulAlgo_t* algo, cublasLtMatmulHeuristicResult_t* result) {
  using namespace detrack::emulator;
  ++blas_machine().checks;
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  const blas::Problem problem{*desc, *a, *b, *c, *d};
  result->state = problem.check(*algo);
  if (result->state == CUBLAS_STATUS_SUCCESS) result->workspaceSize = problem.workspace(algo->data[blas::kSplits]);
  return result->state;
}
inline cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void* alpha, const void* A,
                                     cublasLtMatrixLayout_t a, const void* B, cublasLtMatrixLayout_t b, const void* beta,
                                     const void* C, cublasLtMatrixLayout_t c, void* D, cublasLtMatrixLayout_t d,
                                     const cublasLtMatmulAlgo_t* algo, void* workspace, std::size_t workspace_bytes,
                                     cudaStream_t stream) {
  using namespace detrack::emulator;
  auto& machine = blas_machine();
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (machine.matmul != CUBLAS_STATUS_SUCCESS) return machine.matmul;
  if (!algo || !alpha || !beta || !A || !B || !D) return CUBLAS_STATUS_INVALID_VALUE;
  const blas::Problem problem{*desc, *a, *b, *c, *d};
  if (const cublasStatus_t status = problem.check(*algo); status != CUBLAS_STATUS_SUCCESS) return status;
  const float add = *static_cast<const float*>(beta);
  if (add != 0 && !C) return CUBLAS_STATUS_INVALID_VALUE;
  if (C == D && c->ld != d->ld) return CUBLAS_STATUS_INVALID_VALUE;
  const bool bias = desc->epilogue & CUBLASLT_EPILOGUE_BIAS;
  if (bias && !desc->bias) return CUBLAS_STATUS_INVALID_VALUE;
  const std::size_t alignment = algo->data[blas::kAlignment];
  for (const void* address : {A, B, static_cast<const void*>(D), C ? C : D, bias ? desc->bias : D})
    if (!blas::aligned(address, alignment)) return CUBLAS_STATUS_INVALID_VALUE;
  const std::uint64_t splits = algo->data[blas::kSplits];
  if (const std::size_t needed = problem.workspace(splits);
      needed > 0 && (!workspace || workspace_bytes < needed || !blas::aligned(workspace, 256)))
    return CUBLAS_STATUS_INVALID_VALUE;
  ++machine.products;
  machine.epilogue = desc->epilogue;
  const blas::Run run{
      *desc, *a, *b, *c, *d, *static_cast<const float*>(alpha), add, A, B, C, D, static_cast<float*>(workspace), splits};
  const cudaError_t error = submit(stream, [run] {
    const DeviceAccess access;
    run();
    return cudaSuccess;
  });
  return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
