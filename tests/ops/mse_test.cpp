// Mean squared error.
#include "tests/ops/cases/mse.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("mse") {
  check_op(mse_cases());
}

TEST_CASE("mse: known values") {
  auto ctx = reference_context<double>();
  const double a[2] = {1, 2}, b[2] = {4, 6};
  double y;
  ops::run(ctx, MseForward<double>{
                    .a = View<const double>(a, {1, 2}), .b = View<const double>(b, {1, 2}), .y = View<double>(&y, {1})});
  CHECK(y == 12.5);
}

TEST_CASE("mse: the checks notice a and b exchanged") {
  CHECK_FALSE(check_gradients(mse_cases().front(), kPacked, edited([](auto& op) { std::swap(op.a, op.b); })));
}
