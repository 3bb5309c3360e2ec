// The comparator must fail when it should: a test that cannot fail is no test.
#include "tests/support/compare.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace detrack;
using namespace detrack::test;

namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();
const Array kGood{{2, 2}, {1, -2, 3, 4}};
const Tolerance kTight{.atol = 1e-9, .rtol = 1e-9}, kLoose{.atol = 1e300, .rtol = 1};

Array with(std::size_t index, double value) {
  Array array = kGood;
  array.values[index] = value;
  return array;
}

bool accepts(const Array& got, const Array& reference, const Tolerance& tolerance = kTight) {
  return static_cast<bool>(compare(got, reference, tolerance));
}
bool accepts_norm(const Array& got, const Array& reference, double bound = 1e-9) {
  return static_cast<bool>(compare_norm(got, reference, bound, 1e-6));
}

}  // namespace

TEST_CASE("comparator: accepts what is equal, or within the bound and no further") {
  CHECK(accepts(kGood, kGood));
  CHECK(accepts(kGood, kGood, {}));
  CHECK(accepts(with(3, 4 + 4e-9), kGood));
  CHECK_FALSE(accepts(with(3, 4 + 6e-9), kGood));
  CHECK_FALSE(accepts(with(0, 1 + 1e-15), kGood, {}));
  CHECK(accepts_norm(with(3, 4 + 4e-9), kGood));
  CHECK_FALSE(accepts_norm(with(3, 4 + 6e-9), kGood));
}

TEST_CASE("comparator: refuses NaN and infinity on either side, whatever the tolerance") {
  for (const double bad : {kNan, kInf, -kInf}) {
    CHECK_FALSE(accepts(with(1, bad), kGood, kLoose));
    CHECK_FALSE(accepts(kGood, with(1, bad), kLoose));
    CHECK_FALSE(accepts(with(1, bad), with(1, bad), kLoose));
    CHECK_FALSE(accepts_norm(with(1, bad), kGood, 1e300));
    CHECK_FALSE(accepts_norm(kGood, with(1, bad), 1e300));
    CHECK_FALSE(accepts_norm(with(1, bad), with(1, bad), 1e300));
  }
}

TEST_CASE("comparator: an expected infinity must be the same one, and NaN is never expected") {
  const Tolerance expected{.atol = 1e300, .rtol = 1, .infinities = Infinities::expected};
  CHECK(accepts(with(1, -kInf), with(1, -kInf), expected));
  CHECK_FALSE(accepts(with(1, kInf), with(1, -kInf), expected));
  CHECK_FALSE(accepts(kGood, with(1, -kInf), expected));
  CHECK_FALSE(accepts(with(1, -kInf), kGood, expected));
  CHECK_FALSE(accepts(with(1, kNan), with(1, kNan), expected));
}

TEST_CASE("comparator: refuses other shapes, truncated, empty, swapped and zeroed arrays") {
  CHECK_FALSE(accepts(Array{{4}, kGood.values}, kGood, kLoose));
  CHECK_FALSE(accepts(Array{{2, 2}, {1, -2, 3}}, kGood, kLoose));
  CHECK_FALSE(accepts(Array{{0}, {}}, Array{{0}, {}}, kLoose));
  CHECK_FALSE(accepts(Array{{2, 2}, {-2, 1, 3, 4}}, kGood));
  CHECK_FALSE(accepts(Array{{2, 2}, {0, 0, 0, 0}}, kGood));
  CHECK_FALSE(accepts_norm(Array{{4}, kGood.values}, kGood, 1e300));
  CHECK_FALSE(accepts_norm(Array{{2, 2}, {1, -2, 3}}, kGood, 1e300));
  CHECK_FALSE(accepts_norm(Array{{0}, {}}, Array{{0}, {}}, 1e300));
  CHECK_FALSE(accepts_norm(Array{{2, 2}, {-2, 1, 3, 4}}, kGood));
  CHECK_FALSE(accepts_norm(Array{{2, 2}, {0, 0, 0, 0}}, kGood));
}

TEST_CASE("comparator: tells where it is worst and by how much") {
  const Verdict verdict = compare(Array{{2, 2}, {1.1, -2, 3.5, 4}}, kGood, {.atol = 0.25, .rtol = 0});
  CHECK(verdict.why.find("index 2") != std::string::npos);
  CHECK(verdict.why.find("2 times the bound") != std::string::npos);
}

TEST_CASE("comparator: reads strided views in row-major order") {
  double memory[6] = {1, 2, kNan, 3, 4, kNan};
  const View<double> view(memory, Shape{2, 2}, {3, 1}, {});
  CHECK(to_array(view).values == std::vector<double>{1, 2, 3, 4});
}
