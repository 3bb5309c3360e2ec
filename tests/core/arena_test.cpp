// Arenas: planning, exhaustion, guards and poison.
#include "detrack/core/arena.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <stdexcept>

#include "detrack/core/dtype.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;
using test::error_of;

TEST_CASE("arena: blocks are aligned, disjoint and rewound") {
  Arena arena(host_allocator());
  arena.reserve(1024);
  const auto a = arena.allocate<float>({3});
  const auto b = arena.allocate<double>({5});
  CHECK(reinterpret_cast<std::uintptr_t>(a.data()) % kAlignment == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(b.data()) - reinterpret_cast<std::uintptr_t>(a.data()) == 64);
  CHECK(arena.used() == 128);
  arena.rewind(64);
  CHECK(arena.allocate<float>({1}).data() == static_cast<void*>(b.data()));
  arena.rewind(0);
  CHECK(arena.used() == 0);
  CHECK(arena.peak() == 128);
  CHECK(arena.capacity() == 1024);
  arena.reserve(64);  // there is room already
  CHECK(arena.capacity() == 1024);
  CHECK(error_of(ErrorCode::argument, [&] { arena.rewind(64); }) == "Arena::rewind: expected a mark of at most 0, got 64");
}

TEST_CASE("arena: exhaustion says what is missing") {
  Arena arena(host_allocator());
  CHECK(error_of(ErrorCode::out_of_memory, [&] {
          arena.allocate<float>({1});
        }).find("expected room for 64 more bytes after 0, got a capacity of 0") != std::string::npos);
  arena.reserve(128);
  arena.allocate<float>({32});
  error_of(ErrorCode::out_of_memory, [&] { arena.allocate<std::uint8_t>({1}); });
  CHECK(arena.used() == 128);
  CHECK(error_of(ErrorCode::argument, [&] { arena.reserve(256); }) ==
        "Arena::reserve: expected an empty arena, got 128 bytes in use");
}

TEST_CASE("arena: sizes that wrap around are refused") {
  const Shape wraps{std::int64_t{1} << 61};  // 2^64 bytes of double
  Arena arena(host_allocator());
  arena.reserve(1024);
  error_of(ErrorCode::out_of_memory, [&] { arena.allocate<double>(wraps); });
  Arena plan(plan_allocator());
  error_of(ErrorCode::out_of_memory, [&] { plan.allocate<double>(wraps); });
  plan.allocate<std::uint8_t>({std::int64_t{1} << 62});
  error_of(ErrorCode::out_of_memory, [&] { plan.allocate<std::uint8_t>({std::int64_t{1} << 62}); });
}

TEST_CASE("arena: a plan counts exactly what a run takes") {
  for (const bool checks : {false, true}) {
    CAPTURE(checks);
    const auto program = [](Arena& arena) {
      arena.allocate<float>({100});
      {
        ArenaScope scope(arena);
        arena.allocate<double>({33, 3});
      }
      arena.allocate<bfloat16>({5});
    };
    Arena plan(plan_allocator());
    plan.set_checks(checks);
    program(plan);
    Arena run(host_allocator());
    run.set_checks(checks);
    run.reserve(plan.peak());
    program(run);
    CHECK(run.peak() == plan.peak());
    CHECK(plan.peak() == (checks ? 448 + 64 + 832 + 64 : 448 + 832));
    CHECK(plan.device().kind == DeviceKind::plan);
    run.rewind(0);

    Arena tight(host_allocator());  // one byte less does not do
    tight.set_checks(checks);
    tight.reserve(plan.peak() - 1);
    error_of(ErrorCode::out_of_memory, [&] { program(tight); });
  }
}

TEST_CASE("arena: scopes rewind, kept ones do not") {
  Arena arena(host_allocator());
  arena.reserve(1024);
  {
    ArenaScope scope(arena);
    arena.allocate<float>({1});
  }
  CHECK(arena.used() == 0);
  {
    ArenaScope scope(arena);
    arena.allocate<float>({1});
    scope.keep();
  }
  CHECK(arena.used() == 64);
}

TEST_CASE("arena: with checks, a write past the end is found wherever it lands") {
  for (const std::int64_t offset : {1, 2, 15, 60, 64, 79, 123}) {  // bytes past a block of 4: padding, filling, guard
    CAPTURE(offset);
    Arena arena(host_allocator());
    arena.set_checks(true);
    arena.reserve(4096);
    arena.allocate<float>({100});
    const auto block = arena.allocate<std::uint8_t>({4});
    arena.allocate<float>({100});
    block.data()[4 + offset - 1] ^= 1;
    CHECK(error_of(ErrorCode::corruption, [&] { arena.rewind(0); }) == "Arena: something wrote past the end of its block");
    CHECK(arena.used() == 0);
  }
  Arena arena(host_allocator());
  arena.set_checks(true);
  arena.reserve(4096);
  const auto block = arena.allocate<std::uint8_t>({4});
  for (int i = 0; i < 4; ++i) block.data()[i] = 0xff;
  CHECK_NOTHROW(arena.rewind(0));  // all of it is the block's own
  CHECK_NOTHROW(arena.rewind(0));
}

TEST_CASE("arena: a scope reports corruption, but does not replace an error on its way") {
  Arena arena(host_allocator());
  arena.set_checks(true);
  arena.reserve(1024);
  const auto overrun = [&](bool and_throw) {
    ArenaScope scope(arena);
    arena.allocate<float>({16}).data()[16] = 0;
    if (and_throw) throw std::runtime_error("first");
  };
  error_of(ErrorCode::corruption, [&] { overrun(false); });
  CHECK_THROWS_WITH(overrun(true), "first");
  CHECK(arena.used() == 0);
}

TEST_CASE("arena: with checks, rewound memory is NaN") {
  Arena arena(host_allocator());
  arena.set_checks(true);
  {
    ArenaScope nothing_yet(arena);  // no memory at all: nothing to fill
  }
  arena.reserve(1024);
  const auto block = arena.allocate<float>({8});
  for (int i = 0; i < 8; ++i) block.data()[i] = 1;
  arena.rewind(0);
  const auto again = arena.allocate<float>({8});
  for (int i = 0; i < 8; ++i) CHECK(std::isnan(again.data()[i]));
}
