// cuBLASLt: its handle and workspace, and one plan for each shape of product it has met.
#pragma once

#include <cublasLt.h>

#include <algorithm>
#include <cstdint>
#include <locale>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "cuda/memory.cuh"
#include "detrack/core/dtype.hpp"

namespace detrack::cuda {

template <class T>
struct CudaType;
template <>
struct CudaType<float> {
  static constexpr cudaDataType_t value = CUDA_R_32F;
};
template <>
struct CudaType<bfloat16> {
  static constexpr cudaDataType_t value = CUDA_R_16BF;
};

/// All that the choice of an algorithm depends on: D (m, n) = epilogue(alpha op(A) op(B) + beta C), matrices by columns.
/// Alignments are those of the first elements in bytes, at most kBlasAlignment.
struct MatmulShape {
  std::int64_t input = 0, output = 0;  ///< types of A and B, and of C, D and the bias (cudaDataType_t)
  std::int64_t transpose_a = 0, transpose_b = 0;
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t lda = 0, ldb = 0, ldc = 0, ldd = 0;
  std::int64_t align_a = 0, align_b = 0, align_c = 0, align_d = 0;
  std::int64_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  std::int64_t adds_c = 0;  ///< whether beta is 1; else it is 0

  bool operator==(const MatmulShape&) const = default;
  /// Calls f(name, field) for every field, in the order of the table of algorithms.
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("input", s.input), f("output", s.output), f("transpose_a", s.transpose_a), f("transpose_b", s.transpose_b);
    f("m", s.m), f("n", s.n), f("k", s.k), f("lda", s.lda), f("ldb", s.ldb), f("ldc", s.ldc), f("ldd", s.ldd);
    f("align_a", s.align_a), f("align_b", s.align_b), f("align_c", s.align_c), f("align_d", s.align_d);
    f("epilogue", s.epilogue), f("adds_c", s.adds_c);
  }
};

struct MatmulShapeHash {
  std::size_t operator()(const MatmulShape& shape) const {
    std::uint64_t hash = 0;
    MatmulShape::fields(shape, [&](const char*, std::int64_t field) {
      hash = (hash ^ static_cast<std::uint64_t>(field)) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 29;
    });
    return hash;
  }
};

/// Where a product's matrices are.
struct MatmulMatrices {
  const void *a = nullptr, *b = nullptr, *c = nullptr, *bias = nullptr;
  void* d = nullptr;
};

/// What fast kernels ask of addresses. More would let the algorithm, and with it the last bits, depend on where memory was
/// allocated.
inline constexpr std::size_t kBlasAlignment = 16;

/// cuBLASLt's descriptors of one shape, and the algorithm for it. The descriptors live here, not on the heap, and stay put.
class MatmulPlan {
 public:
  /// Asks the heuristic. Errors: cublas.
  MatmulPlan(cublasLtHandle_t handle, const MatmulShape& shape, const DeviceBuffer& workspace) {
    describe(shape, workspace);
    cublasLtMatmulPreferenceOpaque_t preference;
    check(cublasLtMatmulPreferenceInit(&preference), "describing a preference");
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
      check(cublasLtMatmulPreferenceSetAttribute(&preference, attribute, &value, sizeof value), "describing a preference");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<std::uint64_t>(workspace.bytes()));
    // Where the inner dimension is split, the parts are to wait in the workspace as floats until a second step adds them up.
    // The other schemes round them to the output's type, and the order in which the one in place adds them is not
    // documented.
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, static_cast<std::uint32_t>(shape.align_a));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, static_cast<std::uint32_t>(shape.align_b));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, static_cast<std::uint32_t>(shape.align_c));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, static_cast<std::uint32_t>(shape.align_d));
    cublasLtMatmulHeuristicResult_t best{};
    int found = 0;
    const cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(handle, &operation_, &a_, &b_, &c_, &d_, &preference, 1, &best, &found);
    if (status != CUBLAS_STATUS_NOT_SUPPORTED) check(status, "choosing an algorithm");
    possible_ = status == CUBLAS_STATUS_SUCCESS && found > 0 && best.state == CUBLAS_STATUS_SUCCESS;
    if (possible_) algorithm_ = best.algo;
  }

  /// Takes an algorithm that was chosen before; nullptr says that there was none. Errors: cublas, where it does not fit.
  MatmulPlan(cublasLtHandle_t handle, const MatmulShape& shape, const DeviceBuffer& workspace,
             const cublasLtMatmulAlgo_t* algorithm)
      : possible_(algorithm != nullptr) {
    describe(shape, workspace);
    if (!algorithm) return;
    algorithm_ = *algorithm;
    cublasLtMatmulHeuristicResult_t checked{};
    check(cublasLtMatmulAlgoCheck(handle, &operation_, &a_, &b_, &c_, &d_, &algorithm_, &checked), "taking an algorithm");
    if (checked.workspaceSize > workspace.bytes())
      fail(ErrorCode::cublas, "cublas: taking an algorithm: expected one that needs at most ", workspace.bytes(),
           " bytes of workspace, got ", checked.workspaceSize);
  }
  MatmulPlan(const MatmulPlan&) = delete;
  MatmulPlan& operator=(const MatmulPlan&) = delete;

  /// Whether cuBLASLt has an algorithm.
  bool possible() const { return possible_; }
  const cublasLtMatmulAlgo_t& algorithm() const { return algorithm_; }

  /// Errors: cublas.
  void run(cublasLtHandle_t handle, cudaStream_t stream, float alpha, const MatmulMatrices& on,
           const DeviceBuffer& workspace) {
    if (on.bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, on.bias);
    check(cublasLtMatmul(handle, &operation_, &alpha, on.a, &a_, on.b, &b_, &beta_, on.c, &c_, on.d, &d_, &algorithm_,
                         workspace.data(), workspace.bytes(), stream),
          "multiplying matrices");
  }

 private:
  template <class X>
  void set(cublasLtMatmulDescAttributes_t attribute, const X& value) {
    check(cublasLtMatmulDescSetAttribute(&operation_, attribute, &value, sizeof value), "describing a product");
  }

  void describe(const MatmulShape& s, const DeviceBuffer& workspace) {
    const auto input = static_cast<cudaDataType_t>(s.input), output = static_cast<cudaDataType_t>(s.output);
    check(cublasLtMatmulDescInit(&operation_, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describing a product");
    set(CUBLASLT_MATMUL_DESC_TRANSA, static_cast<std::int32_t>(s.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N));
    set(CUBLASLT_MATMUL_DESC_TRANSB, static_cast<std::int32_t>(s.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N));
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, static_cast<std::uint32_t>(s.epilogue));
    // The heuristic learns the bias's alignment from its address: some address that is aligned as all of them are, not
    // better.
    if (s.epilogue & CUBLASLT_EPILOGUE_BIAS)
      set(CUBLASLT_MATMUL_DESC_BIAS_POINTER,
          static_cast<const void*>(static_cast<const char*>(workspace.data()) + kBlasAlignment));
    const auto layout = [](cublasLtMatrixLayout_t to, cudaDataType_t type, std::int64_t rows, std::int64_t columns,
                           std::int64_t ld) {
      check(cublasLtMatrixLayoutInit(to, type, static_cast<std::uint64_t>(rows), static_cast<std::uint64_t>(columns), ld),
            "describing a matrix");
    };
    layout(&a_, input, s.transpose_a ? s.k : s.m, s.transpose_a ? s.m : s.k, s.lda);
    layout(&b_, input, s.transpose_b ? s.n : s.k, s.transpose_b ? s.k : s.n, s.ldb);
    layout(&c_, output, s.m, s.n, s.ldc);
    layout(&d_, output, s.m, s.n, s.ldd);
    beta_ = s.adds_c ? 1.0f : 0.0f;
  }

  cublasLtMatmulDescOpaque_t operation_;
  cublasLtMatrixLayoutOpaque_t a_, b_, c_, d_;
  cublasLtMatmulAlgo_t algorithm_{};
  float beta_ = 0;
  bool possible_ = false;
};

/// cuBLASLt for one stream: products of two streams must not share a workspace.
///
/// An algorithm is chosen by the library's heuristic when a shape is first met, and kept: later products of the shape
/// allocate nothing and give the same bits for the same numbers. Another run of the program meets the same heuristic; to
/// depend on it no longer (other shapes first, another driver), save export_algorithms() and hand it to import_algorithms()
/// there. The table is good for one version of cuBLASLt on one kind of device.
class Blas {
 public:
  /// For the current device. Errors: out_of_memory, cublas.
  explicit Blas(const cudaDeviceProp& device) : kind_(kind(device)) {
    workspace_.grow(device.major >= 9 ? kMiB * 32 : kMiB * 4);  // as cuBLAS's manual recommends
    check(cublasLtCreate(&handle_), "starting cuBLASLt");
  }
  Blas(const Blas&) = delete;
  Blas& operator=(const Blas&) = delete;
  ~Blas() { cublasLtDestroy(handle_); }

  /// nullptr where the library has no algorithm for the shape. Errors: cublas.
  MatmulPlan* plan(const MatmulShape& shape) {
    MatmulPlan& plan = plans_.try_emplace(shape, handle_, shape, workspace_).first->second;
    return plan.possible() ? &plan : nullptr;
  }
  /// Errors: cublas.
  void run(cudaStream_t stream, MatmulPlan& plan, float alpha, const MatmulMatrices& matrices) {
    plan.run(handle_, stream, alpha, matrices, workspace_);
  }

  /// Text: a line that says for which library and device, one that names the columns, and one for each shape met so far, in
  /// order: its numbers, a colon, and the words of its algorithm in hexadecimal, or `none`.
  std::string export_algorithms() const {
    std::vector<std::string> rows;
    for (const auto& [shape, plan] : plans_) {
      std::ostringstream row = text();
      MatmulShape::fields(shape, [&](const char*, std::int64_t field) { row << field << ' '; });
      row << ':' << std::hex;
      if (!plan.possible())
        row << " none";
      else
        for (const std::uint64_t word : plan.algorithm().data) row << ' ' << word;
      rows.push_back(row.str());
    }
    std::sort(rows.begin(), rows.end());
    std::ostringstream table = text();
    table << kind_ << "\n#";
    MatmulShape shape;
    MatmulShape::fields(shape, [&](const char* name, std::int64_t) { table << ' ' << name; });
    table << " : algorithm\n";
    for (const std::string& row : rows) table << row << '\n';
    return table.str();
  }

  /// Shapes in the table have its algorithms from here on; others keep theirs. After an error nothing has changed.
  /// Errors: format (no such table), cublas (for another library or device, or refused by the library).
  void import_algorithms(const std::string& table) {
    std::istringstream lines(table);
    std::string line;
    std::getline(lines, line);
    if (line.rfind(kTitle, 0) != 0) fail(ErrorCode::format, "algorithms: expected '", kTitle, "...', got '", line, "'");
    if (line != kind_) fail(ErrorCode::cublas, "algorithms: expected '", kind_, "', got '", line, "'");
    Plans plans;
    for (int number = 2; std::getline(lines, line); ++number) {
      if (line.empty() || line[0] == '#') continue;
      MatmulShape shape;
      cublasLtMatmulAlgo_t algorithm{};
      bool possible = true;
      if (!parse(line, shape, algorithm, possible))
        fail(ErrorCode::format, "algorithms: line ", number, ": expected numbers, a colon and an algorithm, got '", line,
             "'");
      plans.try_emplace(shape, handle_, shape, workspace_, possible ? &algorithm : nullptr);
    }
    plans.merge(plans_);
    plans_.swap(plans);
  }

 private:
  using Plans = std::unordered_map<MatmulShape, MatmulPlan, MatmulShapeHash>;
  static constexpr const char* kTitle = "detrack algorithms 1: ";
  static constexpr std::size_t kMiB = 1024 * 1024;

  static std::ostringstream text() {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    return out;
  }
  static std::string kind(const cudaDeviceProp& device) {
    std::ostringstream out = text();
    out << kTitle << "cublasLt " << cublasLtGetVersion() << ", sm_" << device.major << device.minor << ", "
        << device.multiProcessorCount << " multiprocessors";
    return out.str();
  }
  static bool parse(const std::string& line, MatmulShape& shape, cublasLtMatmulAlgo_t& algorithm, bool& possible) {
    std::istringstream in(line);
    in.imbue(std::locale::classic());
    MatmulShape::fields(shape, [&](const char*, std::int64_t& field) { in >> field; });
    std::string word;
    if (!(in >> word) || word != ":") return false;
    if (in >> std::ws && in.peek() == 'n') {
      possible = false;
      return in >> word && word == "none" && (in >> std::ws).eof();
    }
    for (std::uint64_t& value : algorithm.data) in >> std::hex >> value;
    return in && (in >> std::ws).eof();
  }

  std::string kind_;
  DeviceBuffer workspace_;
  cublasLtHandle_t handle_ = nullptr;
  Plans plans_;
};

}  // namespace detrack::cuda
