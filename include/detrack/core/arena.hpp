// Scratch memory of a context: one allocation, handed out front to back and rewound.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <utility>

#include "detrack/core/allocator.hpp"
#include "detrack/core/view.hpp"

namespace detrack {

/// Bump allocator of fixed capacity. It never grows by itself: a plan run measures what a program needs
/// (peak()), reserve() allocates it once, and from then on allocate() only moves a mark.
/// With checks on (host memory only) a guard follows every block and is verified when the block is rewound, and
/// rewound memory is filled with NaN bits.
class Arena {
 public:
  explicit Arena(std::shared_ptr<Allocator> allocator) : allocator_(std::move(allocator)) {
    if (planning()) base_ = static_cast<std::byte*>(allocator_->allocate(0));
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { allocator_->deallocate(base_); }

  /// Makes room for `bytes` in all. Does nothing if there is room already.
  /// Errors: argument, while blocks are handed out; std::bad_alloc or out_of_memory.
  void reserve(std::size_t bytes) {
    if (planning() || bytes <= capacity_) return;
    if (used_ != 0) fail(ErrorCode::argument, "Arena::reserve: expected an empty arena, got ", used_, " bytes in use");
    auto* grown = static_cast<std::byte*>(allocator_->allocate(bytes));
    allocator_->deallocate(base_);
    base_ = grown;
    capacity_ = bytes;
  }

  /// Uninitialised memory, aligned to kAlignment. Errors: out_of_memory, naming what is needed.
  template <class T>
  View<T> allocate(const Shape& shape) {
    if (static_cast<std::uint64_t>(shape.numel()) > kMaxBytes / sizeof(T))
      fail(ErrorCode::out_of_memory, "Arena: ", to_string(shape), " is more than the address space holds");
    const std::size_t bytes = static_cast<std::size_t>(shape.numel()) * sizeof(T);
    return {reinterpret_cast<T*>(allocate_bytes(bytes)), shape, allocator_->device()};
  }

  std::size_t used() const { return used_; }
  std::size_t capacity() const { return capacity_; }
  std::size_t peak() const { return peak_; }
  Device device() const { return allocator_->device(); }

  /// Gives back everything handed out since used() was `mark`. Errors: argument (mark above used()), corruption (checks on).
  void rewind(std::size_t mark) {
    if (mark > used_) fail(ErrorCode::argument, "Arena::rewind: expected a mark of at most ", used_, ", got ", mark);
    const bool intact = !checked() || guards_intact(mark);
    if (checked() && mark < used_) std::memset(base_ + mark, 0xff, used_ - mark);
    used_ = mark;
    if (!intact) fail(ErrorCode::corruption, "Arena: something wrote past the end of its block");
  }

  /// Guards and NaN filling. Changes how much room blocks take: set it before planning.
  void set_checks(bool on) { checks_ = on; }
  bool checks() const { return checks_; }

 private:
  static constexpr std::uint64_t kGuard = 0x5afe5afe5afe5afeu;
  static constexpr std::size_t kMaxBytes = std::numeric_limits<std::ptrdiff_t>::max();
  struct Guard {  // sits at the end of the kAlignment bytes after each block; all from block_end on is filled, too
    std::uint64_t pattern;
    std::uint64_t block_begin, block_end;
  };

  bool planning() const { return allocator_->device().kind == DeviceKind::plan; }
  bool checked() const { return checks_ && allocator_->device().kind == DeviceKind::cpu; }

  std::byte* allocate_bytes(std::size_t bytes) {
    const std::size_t begin = used_;
    const std::size_t padded = (bytes + kAlignment - 1) / kAlignment * kAlignment + (checks_ ? kAlignment : 0);
    if (padded > kMaxBytes - begin) fail(ErrorCode::out_of_memory, "Arena: more than the address space holds");
    if (!planning() && padded > capacity_ - begin)
      fail(ErrorCode::out_of_memory, "Arena: expected room for ", padded, " more bytes after ", begin,
           ", got a capacity of ", capacity_, " (plan the run and reserve the arena first)");
    used_ = begin + padded;
    peak_ = std::max(peak_, used_);
    if (checked()) {
      const Guard guard{kGuard, begin, begin + bytes};
      for (std::size_t at = begin + bytes; at < used_; ++at) base_[at] = std::byte{0x5a};
      std::memcpy(base_ + used_ - sizeof(Guard), &guard, sizeof(Guard));
    }
    return base_ + begin;
  }

  bool guards_intact(std::size_t mark) const {
    std::size_t end = used_;
    while (end > mark) {
      Guard guard;
      std::memcpy(&guard, base_ + end - sizeof(Guard), sizeof(Guard));
      if (guard.pattern != kGuard || guard.block_begin % kAlignment != 0 || guard.block_begin > guard.block_end ||
          guard.block_end > end - kAlignment)
        return false;
      for (std::size_t at = guard.block_end; at < end - sizeof(Guard); ++at)
        if (base_[at] != std::byte{0x5a}) return false;
      end = guard.block_begin;
    }
    return true;
  }

  std::shared_ptr<Allocator> allocator_;
  std::byte* base_ = nullptr;
  std::size_t capacity_ = 0, used_ = 0, peak_ = 0;
  bool checks_ = false;
};

/// Rewinds an arena to where it was.
class ArenaScope {
 public:
  explicit ArenaScope(Arena& arena) : arena_(&arena), mark_(arena.used()) {}
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;
  /// Throws only where guards found corruption, and not while another error is already on its way.
  ~ArenaScope() noexcept(false) {
    if (!arena_) return;
    try {
      arena_->rewind(mark_);
    } catch (const Error&) {
      if (std::uncaught_exceptions() == exceptions_) throw;
    }
  }
  /// Leaves everything handed out: for activations that a backward pass will need.
  void keep() { arena_ = nullptr; }

 private:
  Arena* arena_;
  std::size_t mark_;
  int exceptions_ = std::uncaught_exceptions();
};

}  // namespace detrack
