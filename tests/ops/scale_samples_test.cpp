// Samples times a factor of their own.
#include "tests/ops/cases/scale_samples.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("scale samples") {
  check_op(scale_samples_cases(), {"residual"});
}

TEST_CASE("scale samples: known values") {
  auto ctx = reference_context<double>();
  const double x[4] = {1, 2, 3, 4}, scale[2] = {0, 10};
  double y[4] = {5, 6, 7, 8};
  const View<double> out(y, {2, 1, 2});
  ops::run(ctx,
           ScaleSamples<double>{
               .x = View<const double>(x, {2, 1, 2}), .scale = View<const double>(scale, {2}), .residual = out, .y = out});
  require(compare(to_array(out), {{2, 1, 2}, {5, 6, 37, 48}}, {}));
}

TEST_CASE("scale samples: the checks notice one factor for all") {
  CHECK_FALSE(check_gradients(scale_samples_cases().front(), kPacked, edited([](auto& op) {
                                static const double ones[3] = {1, 1, 1};
                                op.scale = View<const double>(ones, {3});
                              })));
}
