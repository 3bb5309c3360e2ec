// A layer norm and the linear layer that reads it, as one operation.
#include "tests/ops/cases/normed_linear.hpp"

#include "detrack/ops/plan_backend.hpp"
#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

namespace {

/// Rows of two elements and two outputs.
struct Sample {
  std::vector<double> x{1, 3}, gamma{2, 1}, beta{0, 1}, normed{0, 0}, w{1, 2, -1, 1}, b{0, -3}, y{0, 0};

  NormedLinear<double> op() {
    return {.norm = {.x = row(x), .gamma = all(gamma), .beta = all(beta), .eps = 3, .y = row(normed)},
            .linear = {.x = row(normed),
                       .w = View<const double>(w.data(), {2, 2}),
                       .b = all(b),
                       .activation = Activation::relu,
                       .y = row(y)}};
  }
  static View<double> row(std::vector<double>& of) { return {of.data(), {1, 2}}; }
  static View<double> all(std::vector<double>& of) { return {of.data(), {2}}; }
};

}  // namespace

TEST_CASE("normed linear: float against double") {
  auto ctx = reference_context<float>();
  for (const NormedLinearCase& c : normed_linear_cases())
    for (const Layout layout : {kPacked, kStrided}) require(matches_reference(c, ctx, 2e-5, layout));
}

TEST_CASE("normed linear: known values") {
  auto ctx = reference_context<double>();
  Sample s;
  ops::run(ctx, s.op());
  require(compare({{2}, s.normed}, {{2}, {-1, 1.5}}, {.atol = 1e-15}));
  require(compare({{2}, s.y}, {{2}, {2, 0}}, {.atol = 1e-15}));
}

TEST_CASE("normed linear: a plan counts the two operations") {
  auto plan = std::make_shared<PlanBackend<double>>();
  Context<double> ctx(plan, host_allocator());
  Sample s;
  ops::run(ctx, s.op());
  CHECK(plan->by_operation().at("layer_norm_forward").runs == 1);
  CHECK(plan->by_operation().at("linear_forward").runs == 1);
  CHECK(plan->total().flops == s.op().flops());
}

TEST_CASE("normed linear: what the parts refuse, another input of the linear layer, and outputs over inputs") {
  auto ctx = reference_context<double>();
  const auto refuses = [&](ErrorCode code, const std::string& text, const auto& change) {
    Sample s;
    NormedLinear<double> op = s.op();
    change(s, op);
    require(throws(code, text, [&] { ops::run(ctx, op); }));
  };
  refuses(ErrorCode::argument, "layer_norm_forward: eps: ", [](Sample&, auto& op) { op.norm.eps = 0; });
  refuses(ErrorCode::shape,
          "linear_forward: b: ", [](Sample& s, auto& op) { op.linear.b = Sample::all(s.b).slice(0, 0, 1); });
  refuses(ErrorCode::argument, "normed_linear: normed: ", [](Sample& s, auto& op) { op.linear.x = Sample::row(s.x); });
  refuses(ErrorCode::alias, "normed_linear: y: ", [](Sample& s, auto& op) { op.linear.y = Sample::row(s.x); });
  refuses(ErrorCode::alias, "normed_linear: pre: ", [](Sample& s, auto& op) { op.linear.pre = Sample::row(s.x); });
  refuses(ErrorCode::alias,
          "normed_linear: normed: ", [](Sample& s, auto& op) { op.linear.x = op.norm.y = Sample::row(s.x); });
}
