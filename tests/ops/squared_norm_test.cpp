// Sums of squares.
#include "tests/ops/cases/squared_norm.hpp"

#include <cmath>
#include <limits>

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("squared norm") {
  check_op(squared_norm_cases(), {"x/0"});
}

TEST_CASE("squared norm: known values, sums that a float cannot hold, and what is not finite") {
  auto ctx = reference_context<float>();
  const auto norm = [&](std::vector<float> x) {
    double y = -1;
    ops::run(ctx, SquaredNorm<float>{.x = View<const float>(x.data(), {static_cast<std::int64_t>(x.size())}),
                                     .y = View<double>(&y, {1})});
    return y;
  };
  CHECK(norm({3, -4}) == 25);
  CHECK(norm({}) == 0);
  CHECK(norm({1e30f, 1}) == doctest::Approx(1e60));
  CHECK(norm({1e4f, 1e-3f}) > 1e8);
  CHECK_FALSE(std::isfinite(norm({1, std::nanf(""), 1})));
  CHECK_FALSE(std::isfinite(norm({1, -std::numeric_limits<float>::infinity()})));
}
