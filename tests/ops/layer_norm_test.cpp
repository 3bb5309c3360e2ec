// Layer normalisation.
#include "tests/ops/cases/layer_norm.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("layer norm") {
  check_op(layer_norm_cases(), {"residual"});
}

TEST_CASE("layer norm: inference keeps no statistics") {
  check_op(layer_norm_inference_cases());
}

namespace {

Array normalised(const std::vector<double>& x, double eps) {
  auto ctx = reference_context<double>();
  const auto C = static_cast<std::int64_t>(x.size());
  const std::vector<double> gamma(x.size(), 1), beta(x.size(), 0);
  std::vector<double> y(x.size());
  ops::run(ctx, LayerNormForward<double>{.x = View<const double>(x.data(), {1, C}),
                                         .gamma = View<const double>(gamma.data(), {C}),
                                         .beta = View<const double>(beta.data(), {C}),
                                         .eps = eps,
                                         .y = View<double>(y.data(), {1, C})});
  return {{C}, y};
}

}  // namespace

TEST_CASE("layer norm: known values") {
  require(compare(normalised({1, 3}, 1e-12), {{2}, {-1, 1}}, {.atol = 1e-12}));
  require(compare(normalised({1, 3}, 3), {{2}, {-0.5, 0.5}}, {.atol = 1e-15}));
  require(compare(normalised({5, 5, 5}, 1e-6), {{3}, {0, 0, 0}}, {}));
}

TEST_CASE("layer norm: LN(a x + b) = LN(x) for a > 0") {
  std::vector<double> x(33), moved(33);
  Philox rng(5);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = rng.normal(), moved[i] = 7 * x[i] + 3;
  require(compare(normalised(moved, 1e-15), normalised(x, 1e-15), {.atol = 1e-12}));
}

TEST_CASE("layer norm: a large offset costs no variance") {
  std::vector<double> x{1e8 + 1, 1e8 + 3};
  require(compare(normalised(x, 1e-12), {{2}, {-1, 1}}, {.atol = 1e-12}));
}

TEST_CASE("layer norm: mean and rstd, dgamma and dbeta come in pairs") {
  auto ctx = reference_context<double>();
  Memory<double> memory(ctx);
  const LayerNormCase c = layer_norm_cases().front();
  auto forward = std::get<0>(c.forward(memory));
  forward.rstd = {};
  require(throws(ErrorCode::argument, "layer_norm_forward: rstd: ", [&] { ops::run(ctx, forward); }));
}

TEST_CASE("layer norm: the checks notice a forgotten gamma, residual and mean") {
  const LayerNormCase c = layer_norm_cases().front();
  CHECK_FALSE(check_gradients(c, kPacked, edited([](auto& op) { op.residual = {}; })));
  const std::vector<double> ones(33, 1), zeros(33, 0);
  CHECK_FALSE(check_gradients(c, kPacked, edited([&](auto& op) { op.gamma = View<const double>(ones.data(), {33}); })));
  CHECK_FALSE(check_gradients(c, kPacked, edited([&](auto& op) { op.mean = View<const double>(zeros.data(), {7}); })));
}
