// Status codes of CUDA and cuBLASLt as the library's errors.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>

#include "detrack/core/error.hpp"

namespace detrack::cuda {

inline ErrorCode code_of(cudaError_t status) {
  switch (status) {
    case cudaErrorMemoryAllocation: return ErrorCode::out_of_memory;
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
    case cudaErrorInsufficientDriver: return ErrorCode::not_available;  // also where there is no driver at all
    default: return ErrorCode::cuda;
  }
}

/// Errors: out_of_memory, not_available (no driver, no device, or none with this number), cuda.
inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // an error that does not stick must not show up at the next call
  fail(code_of(status), "cuda: ", what, ": ", cudaGetErrorString(status), " (", cudaGetErrorName(status), ")");
}

/// Errors: cublas.
inline void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  fail(ErrorCode::cublas, "cublas: ", what, ": ", cublasLtGetStatusName(status));
}

}  // namespace detrack::cuda
