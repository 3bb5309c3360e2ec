// Philox: the published answers, and the draws made of it.
#include "detrack/core/rng.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <vector>

using namespace detrack;

TEST_CASE("rng: known answers of Random123 (kat_vectors, philox4x32 10)") {
  // The counter's words are index (low, high) and stream (low, high); the key's are seed (low, high).
  CHECK(Philox(0, 0).at(0) == Philox::Block{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
  CHECK(Philox(UINT64_MAX, UINT64_MAX).at(UINT64_MAX) == Philox::Block{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
  CHECK(Philox(0x299f31d0a4093822u, 0x0370734413198a2eu).at(0x85a308d3243f6a88u) ==
        Philox::Block{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u});
}

TEST_CASE("rng: draws walk the stream, and seek returns to a place in it") {
  Philox random(3, 4);
  CHECK(random.next() == Philox(3, 4).at(0));
  CHECK(random.next() == Philox(3, 4).at(1));
  random.uniform();
  random.normal();
  CHECK(random.index() == 4);
  const double next = random.normal();
  Philox resumed(3, 4);
  resumed.seek(4);
  CHECK(resumed.normal() == next);
  CHECK(Philox(3, 5).at(0) != Philox(3, 4).at(0));
  CHECK(Philox(4, 4).at(0) != Philox(3, 4).at(0));
}

TEST_CASE("rng: moments") {
  constexpr int kCount = 200000;
  Philox random(11);
  double sum = 0, squares = 0, smallest = 1, largest = 0;
  for (int i = 0; i < kCount; ++i) {
    const double u = random.uniform();
    sum += u, squares += u * u;
    smallest = std::min(smallest, u), largest = std::max(largest, u);
  }
  // Bounds are five standard errors.
  CHECK(std::fabs(sum / kCount - 0.5) < 5 * std::sqrt(1.0 / 12 / kCount));
  CHECK(std::fabs(squares / kCount - 1.0 / 3) < 5 * std::sqrt(4.0 / 45 / kCount));
  CHECK(smallest >= 0);
  CHECK(smallest < 1e-4);
  CHECK(largest < 1);
  CHECK(largest > 1 - 1e-4);

  double mean = 0, variance = 0, third = 0, fourth = 0, product = 0, previous = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = random.normal();
    mean += x, variance += x * x, third += x * x * x, fourth += x * x * x * x;
    product += x * previous;
    previous = x;
    CHECK_MESSAGE(std::isfinite(x), "draw ", i);
  }
  CHECK(std::fabs(mean / kCount) < 5 / std::sqrt(kCount));
  CHECK(std::fabs(variance / kCount - 1) < 5 * std::sqrt(2.0 / kCount));
  CHECK(std::fabs(third / kCount) < 5 * std::sqrt(15.0 / kCount));
  CHECK(std::fabs(fourth / kCount - 3) < 5 * std::sqrt(96.0 / kCount));
  CHECK(std::fabs(product / kCount) < 5 / std::sqrt(kCount));  // neighbours are uncorrelated
}

TEST_CASE("rng: whole numbers below n") {
  Philox random(5);
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) {
    const std::uint64_t k = random.below(7);
    REQUIRE(k < 7);
    ++counts[k];
  }
  for (const int count : counts) CHECK(std::abs(count - 10000) < 5 * 93);  // binomial standard deviation 92.6
  CHECK(random.below(1) == 0);
  for (int i = 0; i < 1000; ++i) CHECK(random.below(UINT64_MAX) < UINT64_MAX);
}
