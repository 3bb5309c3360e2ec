// Where tensors and arenas get their memory from: one small interface per device.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

#include "detrack/core/device.hpp"

namespace detrack {

/// Every block is aligned to this many bytes: a cache line, and a 512-bit vector.
inline constexpr std::size_t kAlignment = 64;

class Allocator {
 public:
  virtual ~Allocator() = default;
  virtual void* allocate(std::size_t bytes) = 0;  ///< Errors: std::bad_alloc, or Error(out_of_memory)
  virtual void deallocate(void* memory) noexcept = 0;
  virtual Device device() const noexcept = 0;
};

/// Host memory, uninitialised.
class HostAllocator final : public Allocator {
 public:
  void* allocate(std::size_t bytes) override { return ::operator new (bytes, std::align_val_t{kAlignment}); }
  void deallocate(void* memory) noexcept override { ::operator delete (memory, std::align_val_t{kAlignment}); }
  Device device() const noexcept override { return {}; }
};

/// Hands out an address that only the plan backend may see: nothing is reserved, nothing may be read.
class PlanAllocator final : public Allocator {
 public:
  void* allocate(std::size_t) override { return reinterpret_cast<void*>(kAlignment); }
  void deallocate(void*) noexcept override {}
  Device device() const noexcept override { return {DeviceKind::plan, 0}; }
};

inline std::shared_ptr<Allocator> host_allocator() {
  static const auto allocator = std::make_shared<HostAllocator>();
  return allocator;
}

inline std::shared_ptr<Allocator> plan_allocator() {
  static const auto allocator = std::make_shared<PlanAllocator>();
  return allocator;
}

}  // namespace detrack
