// Status codes of CUDA and cuBLASLt as the library's errors.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>

#include "detrack/core/error.hpp"

namespace detrack::cuda {

/// Errors: out_of_memory, not_available (no device, or none with this number), cuda.
inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // an error that does not stick must not show up at the next call
  const ErrorCode code = status == cudaErrorMemoryAllocation                               ? ErrorCode::out_of_memory
                         : status == cudaErrorNoDevice || status == cudaErrorInvalidDevice ? ErrorCode::not_available
                                                                                           : ErrorCode::cuda;
  fail(code, "cuda: ", what, ": ", cudaGetErrorString(status), " (", cudaGetErrorName(status), ")");
}

/// Errors: cublas.
inline void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  fail(ErrorCode::cublas, "cublas: ", what, ": ", cublasLtGetStatusName(status));
}

}  // namespace detrack::cuda
