// Memory that kernels pack into: one block a thread, grown before a parallel region and kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "detrack/core/allocator.hpp"
#include "detrack/cpu/isa.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// An aligned block of T that only grows. Its contents do not survive growing.
template <class T>
class Scratch {
 public:
  /// Not for parallel regions: it may throw std::bad_alloc.
  void reserve(std::int64_t count) {
    if (count <= capacity_) return;
    memory_.reset();
    capacity_ = 0;  // should the next line throw
    memory_.reset(static_cast<T*>(::operator new(static_cast<std::size_t>(count) * sizeof(T), kAlign)));
    capacity_ = count;
  }
  T* data() const { return memory_.get(); }

 private:
  static constexpr std::align_val_t kAlign{4096};  // pages: packed panels then never share one by accident
  struct Free {
    void operator()(T* memory) const { ::operator delete(memory, kAlign); }
  };
  std::unique_ptr<T, Free> memory_;
  std::int64_t capacity_ = 0;
};

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
