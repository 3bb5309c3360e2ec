// Weighted sums and fills.
#include "tests/ops/cases/add.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("add") {
  check_op(add_cases(), {"b"});
}

TEST_CASE("fill") {
  auto ctx = reference_context<double>();
  for (const FillCase& c : fill_cases())
    for (const Layout layout : {kPacked, kStrided}) {
      require(matches_reference(c, ctx, 0, layout));
      Memory<double> memory(ctx, layout);
      run_all(ctx, c.forward(memory));
      for (const double y : memory.values("y").values) CHECK(y == c.value);
    }
}

TEST_CASE("add: any strides, so it also transposes") {
  auto ctx = reference_context<double>();
  double a[6] = {1, 2, 3, 4, 5, 6}, y[6];
  const View<double> transposed(a, Shape{3, 2}, {1, 3}, {});
  ops::run(ctx, Add<double>{.alpha = 2, .a = transposed, .y = View<double>(y, {3, 2})});
  require(compare(to_array(View<double>(y, {6})), {{6}, {2, 8, 4, 10, 6, 12}}, {}));
}

TEST_CASE("add: the checks notice a forgotten factor") {
  CHECK_FALSE(check_gradients(add_cases().front(), kPacked, edited([](auto& op) { op.alpha = 1; })));
}
