// Softmax score.
#include "tests/ops/cases/confidence.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("confidence") {
  check_op(confidence_cases(), {"confidence_forward/logits/1"});
}

TEST_CASE("confidence: known values") {
  auto ctx = reference_context<double>();
  const auto score = [&](std::vector<double> logits, std::int64_t window) {
    double y;
    ops::run(ctx, ConfidenceForward<double>{
                      .logits = View<const double>(logits.data(), {1, static_cast<std::int64_t>(logits.size())}),
                      .window = window,
                      .group = 1,
                      .y = View<double>(&y, {1})});
    return y;
  };
  CHECK(score({0, 0, 0, 0, 0}, 0) == doctest::Approx(0.2));
  CHECK(score({0, 0, 0, 0, 0}, 1) == doctest::Approx(0.4));  // a tie: word 0 is the most likely one, words 0 and 1 count
  CHECK(score({0, 0, 0, 0, 0}, 9) == doctest::Approx(1));
  CHECK(score({-1e6, 0, -1e6, 0, -1e6}, 1) == 0.5);
  CHECK(score({0, 0, 0, 0, 1e6}, 0) == 1);
}

TEST_CASE("confidence: rows must make whole groups") {
  auto ctx = reference_context<double>();
  auto logits = Tensor<double>::zeros({6, 3});
  double y[2];
  require(throws(ErrorCode::argument, "group",
                 [&] { ops::run(ctx, ConfidenceForward<double>{.logits = logits.view(), .y = View<double>(y, {2})}); }));
}

TEST_CASE("confidence: the checks notice another window") {
  CHECK_FALSE(check_gradients(confidence_cases().front(), kPacked, edited([](auto& op) { op.window = 3; })));
}
