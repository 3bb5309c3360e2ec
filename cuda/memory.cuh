// Memory of a device, and host memory that it can copy from and to while the host goes on.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "cuda/check.cuh"
#include "detrack/core/allocator.hpp"

namespace detrack::cuda {

/// Errors: out_of_memory, not_available, cuda.
class DeviceAllocator final : public Allocator {
 public:
  explicit DeviceAllocator(int device) : device_(device) {}
  void* allocate(std::size_t bytes) override {
    check(cudaSetDevice(device_), "choosing the device");
    void* memory = nullptr;
    check(cudaMalloc(&memory, std::max<std::size_t>(bytes, 1)), "allocating device memory");
    return memory;
  }
  void deallocate(void* memory) noexcept override { cudaFree(memory); }
  Device device() const noexcept override { return {DeviceKind::cuda, device_}; }

 private:
  int device_;
};

/// Host memory that a device copies from and to by itself. Errors: out_of_memory, cuda.
class PinnedAllocator final : public Allocator {
 public:
  void* allocate(std::size_t bytes) override {
    void* memory = nullptr;
    check(cudaMallocHost(&memory, std::max<std::size_t>(bytes, 1)), "allocating pinned memory");
    return memory;
  }
  void deallocate(void* memory) noexcept override { cudaFreeHost(memory); }
  Device device() const noexcept override { return {}; }
};

/// Scratch memory of a device that only grows. Recorded work holds addresses, so blocks that became too small stay, too.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  ~DeviceBuffer() {
    for (void* block : blocks_) cudaFree(block);
  }

  std::size_t bytes() const { return bytes_; }
  void* data() const { return blocks_.empty() ? nullptr : blocks_.back(); }
  /// At least twice the size, so that few blocks are left behind. Errors: out_of_memory, with the buffer as it was.
  void grow(std::size_t bytes) {
    if (bytes <= bytes_) return;
    bytes = std::max(bytes, 2 * bytes_);
    blocks_.reserve(blocks_.size() + 1);
    void* block = nullptr;
    check(cudaMalloc(&block, bytes), "allocating scratch memory");
    blocks_.push_back(block);
    bytes_ = bytes;
  }

 private:
  std::vector<void*> blocks_;
  std::size_t bytes_ = 0;
};

}  // namespace detrack::cuda
