// Expected coordinate.
#include "tests/ops/cases/expectation.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("expectation") {
  check_op(expectation_cases(), {"residual"});
}

TEST_CASE("expectation: known values") {
  auto ctx = reference_context<double>();
  const Vocabulary words{.size = 4, .per_unit = 2, .min = -0.5};
  const auto expected = [&](std::vector<double> logits) {
    double y;
    ops::run(ctx, ExpectationForward<double>{
                      .logits = View<const double>(logits.data(), {1, 4}), .vocabulary = words, .y = View<double>(&y, {1})});
    return y;
  };
  CHECK(expected({7, 7, 7, 7}) == doctest::Approx(0.5));      // the middle of the words' range
  CHECK(expected({0, 0, 1e5, 0}) == doctest::Approx(0.75));   // the centre of word 2
  CHECK(expected({1e5, 0, 0, 1e5}) == doctest::Approx(0.5));  // halfway
}

TEST_CASE("expectation: the checks notice a forgotten residual and another vocabulary") {
  const ExpectationCase c = expectation_cases().front();
  CHECK_FALSE(check_gradients(c, kPacked, edited([](auto& op) { op.residual = {}; })));
  CHECK_FALSE(check_gradients(c, kPacked, edited([](auto& op) { op.vocabulary.per_unit *= 2; })));
}
