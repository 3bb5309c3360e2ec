// Linear layer.
#include "tests/ops/cases/linear.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("linear") {
  check_op(linear_cases(), {"b", "residual", "pre", "dx", "dw", "db"});
}

TEST_CASE("linear: the checks notice a forgotten alpha") {
  const auto forgets_alpha = edited([](auto& op) {
    if constexpr (requires { op.dw; }) op.alpha = 1;
  });
  CHECK_FALSE(check_gradients(linear_cases().front(), kPacked, forgets_alpha));
}

TEST_CASE("linear: y may not be x or w, even of the same shape") {
  auto ctx = reference_context<double>();
  auto x = Tensor<double>::zeros({2, 2}), w = Tensor<double>::zeros({2, 2});
  for (const auto& y : {x.view(), w.view()})
    require(throws(ErrorCode::alias, "linear_forward: y: ", [&] {
      ops::run(ctx, LinearForward<double>{.x = x.view(), .w = w.view(), .y = y});
    }));
}
