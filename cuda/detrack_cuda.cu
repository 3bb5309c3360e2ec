// The CUDA backend's one translation unit: what include/detrack/cuda.hpp declares.
//   nvcc -std=c++20 -O3 --expt-relaxed-constexpr -arch=native -I <detrack> -I <detrack>/include -c cuda/detrack_cuda.cu
// and link with cudart and cublasLt.
#include "cuda/backend.cuh"

namespace detrack::cuda {

int device_count() {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  cudaGetLastError();
  return 0;
}

template Context<float> make_context(int device);
template Context<bfloat16> make_context(int device);

}  // namespace detrack::cuda
