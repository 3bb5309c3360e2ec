// Attention.
#include "tests/ops/cases/attention.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("attention") {
  check_op(attention_cases(), {"mask", "lse"});
}

TEST_CASE("attention: q, k and v as columns of one projection") {
  for (const auto& c : fused_attention_cases())
    for (const Layout layout : {kPacked, kStrided}) require(check_gradients(c, layout));
}

TEST_CASE("attention: without lse the output is the same") {
  auto ctx = reference_context<double>();
  Memory<double> memory(ctx);
  auto op = attention_cases().front().forward(memory);
  run_all(ctx, op);
  const Array with_lse = memory.values("y");
  op.lse = {};
  run_all(ctx, op);
  require(compare(memory.values("y"), with_lse, {}));
}

TEST_CASE("attention: a query that may see nothing gives 0, lse -infinity, and no gradient") {
  const AttentionCase c{.B = 1, .Nq = 3, .Nk = 4, .H = 1, .D = 2, .mask = Mask::scattered};  // query 1 sees nothing
  auto ctx = reference_context<double>();
  Memory<double> memory(ctx);
  require(run_case(c, ctx, memory, RunBackward{}));
  const Array y = memory.values("y"), lse = memory.values("lse"), dq = memory.values("dq");
  for (const std::size_t i : {2u, 3u}) CHECK((y.values[i] == 0 && dq.values[i] == 0));
  CHECK(lse.values[1] == -std::numeric_limits<double>::infinity());
  CHECK((std::isfinite(lse.values[0]) && std::isfinite(lse.values[2])));
}

TEST_CASE("attention: known values") {
  auto ctx = reference_context<double>();
  SUBCASE("equal scores average the values") {
    const AttentionCase c{.B = 1, .Nq = 2, .Nk = 3, .H = 1, .D = 1};
    Memory<double> memory(ctx);
    auto op = c.forward(memory);
    op.scale = 0;
    run_all(ctx, op);
    const Array v = memory.values("v");
    const double mean = (v.values[0] + v.values[1] + v.values[2]) / 3;
    require(compare(memory.values("y"), {{1, 2, 1, 1}, {mean, mean}}, {.atol = 1e-15}));
    require(compare(memory.values("lse"), {{1, 1, 2}, {std::log(3), std::log(3)}}, {.atol = 1e-15}));
  }
  SUBCASE("huge scores overflow nothing and pick one value") {
    double q[1] = {1e4}, k[2] = {1, 2}, v[2] = {7, 9}, y[1], lse[1];
    const auto at = [](double* x, std::int64_t n) { return View<double>(x, {1, n, 1, 1}); };
    ops::run(ctx, AttentionForward<double>{
                      .q = at(q, 1), .k = at(k, 2), .v = at(v, 2), .y = at(y, 1), .lse = View<double>(lse, {1, 1, 1})});
    CHECK(y[0] == 9);
    CHECK(lse[0] == 2e4);
  }
}

TEST_CASE("attention: keys and values may be permuted together") {
  auto ctx = reference_context<double>();
  const std::int64_t N = 5, D = 3;
  auto q = Tensor<double>::zeros({1, 2, 1, D}), k = Tensor<double>::zeros({1, N, 1, D}), v = k.clone();
  auto k2 = k.clone(), v2 = k.clone(), y = q.clone(), y2 = q.clone();
  fill_normal(q.view(), 1), fill_normal(k.view(), 2), fill_normal(v.view(), 3);
  for (std::int64_t j = 0; j < N; ++j)
    for (std::int64_t d = 0; d < D; ++d) {
      k2.view()(0, j, 0, d) = k.view()(0, (j + 2) % N, 0, d);
      v2.view()(0, j, 0, d) = v.view()(0, (j + 2) % N, 0, d);
    }
  ops::run(ctx, AttentionForward<double>{.q = q.view(), .k = k.view(), .v = v.view(), .y = y.view()});
  ops::run(ctx, AttentionForward<double>{.q = q.view(), .k = k2.view(), .v = v2.view(), .y = y2.view()});
  require(compare(to_array(y2.view()), to_array(y.view()), {.atol = 1e-14}));
}

TEST_CASE("attention: the checks notice a forgotten scale and a forgotten mask") {
  const AttentionCase c = attention_cases()[2];
  CHECK_FALSE(check_gradients(c, kPacked, edited([](auto& op) { op.scale = 1; })));
  CHECK_FALSE(check_gradients(c, kPacked, edited([](auto& op) { op.mask = {}; })));
}
