// A CUDA grid on the CPU, the threads of a block as fibers of one thread: they run in turn, and change places only where
// they wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "context_switch.hpp"

namespace detrack::emulator {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};

/// In which order the threads of a block get their turn. A kernel that forgets to synchronise gives different results.
enum class Order { forward, reverse, shuffled };

inline constexpr unsigned kWarp = 32;
inline constexpr std::size_t kSlotBytes = 64;

/// Where the lanes of a warp show each other what they bring to a shuffle or a matrix product. Two sets of slots take
/// turns: a lane can be at most one exchange ahead of the others.
struct Warp {
  unsigned alive = 0, arrived = 0;
  std::uint64_t generation = 0;
  alignas(16) unsigned char slots[2][kWarp][kSlotBytes];
  unsigned brought[2][kWarp] = {};  ///< the number of the exchange that a slot was filled for
};

/// 16 bytes on their way to shared memory.
struct AsyncCopy {
  void* to;
  const void* from;     ///< nullptr: zeros
  std::uint64_t group;  ///< how many groups the thread had ended before
};

struct Thread {
  Index index;
  unsigned linear = 0;
  bool started = false, done = false;
  bool waits_block = false, waits_warp = false;
  std::uint64_t generation = 0;  ///< of the barrier it waits at
  unsigned exchanges = 0;        ///< begun so far; a lane that has exited brings nothing to later ones
  Fiber* fiber = nullptr;
  std::vector<AsyncCopy> copies;  ///< what is pending at the thread's end never happens
  std::uint64_t copy_groups = 0;  ///< ended so far
};

/// Runs the blocks of one launch one after the other.
class Grid {
 public:
  Grid(Index grid, Index block, std::size_t shared_bytes, Order order) : grid_(grid), block_(block), order_(order) {
    shared_.resize(shared_bytes + 128);
  }

  /// Returns what went wrong, or nullptr.
  const char* run(const std::function<void()>& body);

  void* shared() {
    void* memory = shared_.data();
    std::size_t space = shared_.size();
    return std::align(128, shared_.size() - 128, memory, space);
  }
  unsigned lane() const { return current_->linear % kWarp; }
  Thread& thread() { return *current_; }

  void block_barrier();
  void warp_barrier();
  /// Shows `bytes` bytes to the other lanes; where they are after the barrier.
  Warp& exchange(const void* value, std::size_t bytes, unsigned& set);

  static Grid*& current() {
    static thread_local Grid* grid = nullptr;
    return grid;
  }

 private:
  static void fiber_main();
  bool runnable(const Thread& thread) const;
  void switch_to(Thread& thread);
  void wait();
  void finish();
  Warp& warp() { return warps_[current_->linear / kWarp]; }

  Index grid_, block_;
  Order order_;
  std::vector<unsigned char> shared_;
  const std::function<void()>* body_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<unsigned> turn_;
  std::vector<Warp> warps_;
  Fiber scheduler_;
  Thread* current_ = nullptr;
  unsigned alive_ = 0, arrived_ = 0;
  std::uint64_t generation_ = 0, random_ = 0x9e3779b97f4a7c15u;
};

}  // namespace detrack::emulator

// What kernels see: true of the one thread that runs.
inline thread_local detrack::emulator::Index threadIdx, blockIdx, blockDim, gridDim;
