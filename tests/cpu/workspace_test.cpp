// Scratch memory: grown and kept, also after memory came to its end.
#include "detrack/cpu/workspace.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <new>

TEST_CASE("scratch memory grows, and is made anew where growing has failed") {
  detrack::cpu::Scratch<float> scratch;
  scratch.reserve(100);
  float* const first = scratch.data();
  REQUIRE(first);
  scratch.reserve(50);
  CHECK(scratch.data() == first);
#if !defined(__SANITIZE_ADDRESS__)  // which ends the program where memory does
  CHECK_THROWS_AS(scratch.reserve(std::int64_t{1} << 60), std::bad_alloc);
  scratch.reserve(100);
  CHECK(scratch.data() != nullptr);
#endif
}
