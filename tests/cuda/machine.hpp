// The GPU that the tests of the CUDA backend run on: the emulated one of tests/cuda/emulator, or the machine's own (gpu_test).
#pragma once

#include <doctest/doctest.h>

#include "detrack/cuda.hpp"
#include "detrack/track/tracker.hpp"
#ifndef DETRACK_REAL_GPU
#include <cuda_runtime.h>
#endif

namespace detrack::test {

#ifdef DETRACK_REAL_GPU

/// A real GPU takes the turns it likes: here the tests that try all orders repeat, and a race shows by results that change.
enum class Order { forward, reverse, shuffled };

class MachineScope {
 public:
  MachineScope* operator->() { return this; }
  Order order = Order::forward;
};

/// What an update is expected to be: nobody counts on a real GPU.
template <class F>
auto as_one_graph(F&& update) {
  return update();
}

#else

using emulator::Order;

/// The emulated machine as a test wants it, until the end of the scope.
class MachineScope {
 public:
  MachineScope() : before_(emulator::machine()) {}
  MachineScope(const MachineScope&) = delete;
  MachineScope& operator=(const MachineScope&) = delete;
  ~MachineScope() { emulator::machine() = before_; }
  emulator::Machine* operator->() { return &emulator::machine(); }

 private:
  emulator::Machine before_;
};

/// Checks that an update launches one graph and allocates nothing.
template <class F>
auto as_one_graph(F&& update) {
  const emulator::Machine before = emulator::machine();
  auto result = update();
  CHECK(emulator::machine().graph_launches == before.graph_launches + 1);
  CHECK(emulator::machine().allocations == before.allocations);
  return result;
}

#endif

inline constexpr Order kOrders[] = {Order::forward, Order::reverse, Order::shuffled};

}  // namespace detrack::test
