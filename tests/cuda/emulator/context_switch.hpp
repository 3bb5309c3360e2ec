// Several stacks in one thread, and changing between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace detrack::emulator {

/// A place in the program that switch_from() comes back to. swapcontext() does the same, but asks the kernel about signals
/// at each change, of which an emulated warp makes hundreds of thousands a second.
class Fiber {
 public:
  /// The stack that is running already.
  Fiber() = default;
  /// A stack of its own, on which the first switch calls `entry`, which must never return.
  explicit Fiber(void (*entry)());
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Goes on here; `from` is who is running.
  void switch_from(Fiber& from);

 private:
  static constexpr std::size_t kStackBytes = 256 * 1024;
  std::unique_ptr<unsigned char[]> stack_;
#if defined(__x86_64__)
  void* stack_pointer_ = nullptr;
#else
  ucontext_t context_;
#endif
};

}  // namespace detrack::emulator
