// The AdamW step.
#include "tests/ops/cases/adamw.hpp"

#include <cmath>
#include <limits>

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("adamw") {
  check_op(adamw_cases(), {"rounded", "average", "factors"});
}

TEST_CASE("adamw: two steps worked out by hand") {
  auto ctx = reference_context<double>();
  double value = 1, gradient = 4, m = 0, v = 0;
  const auto flat = [](double& x) { return View<double>(&x, {1}); };
  AdamW<double> op{.value = flat(value), .gradient = flat(gradient), .m = flat(m), .v = flat(v)};
  op.lr = 0.5, op.beta1 = 0.5, op.beta2 = 0.75, op.weight_decay = 0.2, op.gradient_scale = 0.5, op.eps = 1;
  op.correction1 = 0.5, op.correction2 = 0.25;
  ops::run(ctx, op);  // g = 2, m = 1, v = 1; corrected 2 and 4
  CHECK(m == 1);
  CHECK(v == 1);
  CHECK(value == doctest::Approx(1 - 0.5 * (0.2 + 2.0 / 3)));
  const double before = value;
  gradient = 0, op.correction1 = 0.75, op.correction2 = 0.4375;
  ops::run(ctx, op);  // the moments fade
  CHECK(m == 0.5);
  CHECK(v == 0.75);
  CHECK(value == doctest::Approx(before - 0.5 * (0.2 * before + (0.5 / 0.75) / (std::sqrt(0.75 / 0.4375) + 1))));
}

TEST_CASE("adamw: a parameter that never had a gradient only decays") {
  auto ctx = reference_context<float>();
  float value = 2, m = 0, v = 0;
  const float gradient = 0;
  ops::run(ctx, AdamW<float>{.value = View<float>(&value, {1}),
                             .gradient = View<const float>(&gradient, {1}),
                             .m = View<float>(&m, {1}),
                             .v = View<float>(&v, {1}),
                             .lr = 0.5,
                             .weight_decay = 0.25});
  CHECK(value == 1.75f);
}

TEST_CASE("adamw: scalars that would lose the parameters are refused") {
  auto ctx = reference_context<double>();
  double x[4] = {1, 1, 1, 1};
  AdamW<double> good{.value = View<double>(x, {1}),
                     .gradient = View<double>(x + 1, {1}),
                     .m = View<double>(x + 2, {1}),
                     .v = View<double>(x + 3, {1})};
  const double nan = std::nan("");
  const auto refused = [&](const char* name, double AdamW<double>::*member, double value) {
    AdamW<double> op = good;
    op.*member = value;
    require(throws(ErrorCode::argument, std::string("adamw: ") + name + ": expected", [&] { ops::run(ctx, op); }));
  };
  refused("lr", &AdamW<double>::lr, nan);
  refused("beta1", &AdamW<double>::beta1, 1);
  refused("beta2", &AdamW<double>::beta2, -0.1);
  refused("eps", &AdamW<double>::eps, 0);
  refused("weight_decay", &AdamW<double>::weight_decay, nan);
  refused("gradient_scale", &AdamW<double>::gradient_scale, std::numeric_limits<double>::infinity());
  refused("correction1", &AdamW<double>::correction1, 0);
  refused("correction2", &AdamW<double>::correction2, nan);
  CHECK(x[0] == 1);
}
