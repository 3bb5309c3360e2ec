// Mean over tokens.
#include "tests/ops/cases/mean_tokens.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("mean tokens") {
  check_op(mean_tokens_cases(), {"mean_tokens_forward/x/1", "mean_tokens_backward/dx/1"});
}

TEST_CASE("mean tokens: known values") {
  auto ctx = reference_context<double>();
  const double x[4] = {1, 2, 5, 8};
  double y[2];
  ops::run(ctx, MeanTokensForward<double>{.x = View<const double>(x, {1, 2, 2}), .y = View<double>(y, {1, 2})});
  CHECK(y[0] == 3);
  CHECK(y[1] == 5);
}
