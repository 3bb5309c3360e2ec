// gpu_test: the tests of the CUDA backend that do not need the emulator, on a real GPU.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

#include "detrack/cuda.hpp"

int main(int argc, char** argv) {
  constexpr int kSkipped = 77;  // as tests/CMakeLists.txt tells ctest
  if (detrack::cuda::device_count() == 0) {
    std::puts("SKIPPED: this machine has no GPU, or its driver does not start");
    return kSkipped;
  }
  return doctest::Context(argc, argv).run();
}
