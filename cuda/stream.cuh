// One stream of a device: what kernels are launched on, the scratch memory they share, and cuBLASLt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cuda/blas.cuh"

namespace detrack::cuda {

class Stream {
 public:
  /// Errors: not_available, cuda.
  explicit Stream(int device) : device_(device) {
    int count = 0;
    check(cudaGetDeviceCount(&count), "looking for devices");
    if (device < 0 || device >= count)
      fail(ErrorCode::not_available, "cuda: expected a device below ", count, ", got ", device);
    check(cudaSetDevice(device), "choosing the device");
    check(cudaGetDeviceProperties(&properties_, device), "asking the device what it is");
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    cudaStreamSynchronize(stream_);
    cudaStreamDestroy(stream_);
  }

  cudaStream_t get() const { return stream_; }
  int device() const { return device_; }
  std::string name() const { return properties_.name; }
  int multiprocessors() const { return properties_.multiProcessorCount; }

  /// Waits for all that was launched. Errors: cuda, where a kernel failed.
  void synchronize() const { check(cudaStreamSynchronize(stream_), "waiting for the stream"); }

  bool capturing() const {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    check(cudaStreamIsCapturing(stream_, &status), "asking whether the stream is being captured");
    return status != cudaStreamCaptureStatusNone;
  }

  /// Device memory for partial results of one operation, kept for the next: grows when a shape is first met, which must not
  /// be while a graph is being captured. Errors: out_of_memory, cuda.
  void* scratch(std::size_t bytes) {
    if (bytes > scratch_.bytes()) {
      if (capturing())
        fail(ErrorCode::cuda, "cuda: ", bytes, " bytes of scratch memory are first asked for during a capture");
      check(cudaSetDevice(device_), "choosing the device");
      scratch_.grow(bytes);
    }
    return scratch_.data();
  }

  /// Made, with its workspace, when first asked for, which must not be while a graph is being captured.
  /// Errors: out_of_memory, cuda, cublas.
  Blas& blas() {
    check(cudaSetDevice(device_), "choosing the device");  // another context may have chosen another
    if (!blas_) {
      if (capturing()) fail(ErrorCode::cuda, "cuda: the first product of matrices is asked for during a capture");
      blas_.emplace(properties_);
    }
    return *blas_;
  }

 private:
  int device_;
  cudaDeviceProp properties_{};
  cudaStream_t stream_ = nullptr;
  DeviceBuffer scratch_;
  std::optional<Blas> blas_;
};

}  // namespace detrack::cuda
