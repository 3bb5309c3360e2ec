// What the tests of the CUDA backend share: they run it on the emulated GPU of tests/cuda/emulator.
#pragma once

#include <cuda_runtime.h>
#include <doctest/doctest.h>

#include "detrack/cuda.hpp"
#include "detrack/track/tracker.hpp"

namespace detrack::test {

inline constexpr emulator::Order kOrders[] = {emulator::Order::forward, emulator::Order::reverse, emulator::Order::shuffled};

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

}  // namespace detrack::test
