// The plan backend: counts, and the scratch memory a program needs.
#include "detrack/ops/plan_backend.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

namespace {

/// A little program with scratch memory: two linear layers, the second in a scope of its own.
template <class T>
void two_layers(Context<T>& ctx, View<const T> x, View<const T> w, View<T> y) {
  const View<T> hidden = ctx.arena().template allocate<T>(y.shape());
  ops::run(ctx, LinearForward<T>{.x = x, .w = w, .y = hidden});
  const ArenaScope scope(ctx.arena());
  const View<T> more = ctx.arena().template allocate<T>({y.extent(0), 2 * y.extent(1)});
  ops::run(ctx, Fill<T>{.y = more});
  ops::run(ctx, LinearForward<T>{.x = hidden, .w = w, .y = y});
}

}  // namespace

TEST_CASE("plan: FLOPs and bytes of a linear layer") {
  auto backend = std::make_shared<PlanBackend<float>>();
  auto ctx = plan_context<float>(backend);
  Arena& arena = ctx.arena();
  const LinearForward<float> op{.x = arena.allocate<float>({5, 7}),
                                .w = arena.allocate<float>({11, 7}),
                                .b = arena.allocate<float>({11}),
                                .y = arena.allocate<float>({5, 11})};
  ops::run(ctx, op);
  CHECK(backend->total().flops == 2 * 5 * 7 * 11);
  CHECK(backend->total().bytes == 4 * (5 * 7 + 11 * 7 + 11 + 5 * 11));
  CHECK(backend->total().runs == 1);
  ops::run(ctx, LinearBackward<float>{.dy = op.y, .x = op.x, .dw = arena.allocate<float>({11, 7})});
  CHECK(backend->total().flops == 2 * (2 * 5 * 7 * 11));
  CHECK(backend->by_operation().at("linear_backward").runs == 1);
}

TEST_CASE("plan: the peak it finds is what a real run needs, to the byte") {
  auto planned = plan_context<float>();
  auto real = reference_context<float>();
  const Shape shape{6, 6};
  two_layers<float>(planned, planned.arena().allocate<float>(shape), planned.arena().allocate<float>(shape),
                    planned.arena().allocate<float>(shape));
  const std::size_t arguments = 3 * 192, peak = planned.arena().peak();  // 36 floats: 144 bytes, 192 in steps of 64
  CHECK(peak == arguments + 192 + 320);                                  // hidden, and 72 floats: 288 bytes
  CHECK(planned.arena().used() == arguments + 192);                      // the scope gave its part back

  auto x = Tensor<float>::zeros(shape), w = Tensor<float>::zeros(shape), y = Tensor<float>::zeros(shape);
  real.arena().reserve(peak - arguments);
  two_layers<float>(real, x.view(), w.view(), y.view());
  CHECK(real.arena().peak() == real.arena().capacity());

  auto small = reference_context<float>();
  small.arena().reserve(peak - arguments - 64);
  require(throws(ErrorCode::out_of_memory, "Arena: expected room",
                 [&] { two_layers<float>(small, x.view(), w.view(), y.view()); }));
}

TEST_CASE("plan: counts on memory of any device, touches none, and checks shapes; what computes refuses planned memory") {
  const auto backend = std::make_shared<PlanBackend<float>>();
  auto ctx = plan_context<float>(backend);
  auto x = Tensor<float>::zeros({2, 3}), y = Tensor<float>::zeros({2, 3});
  y.view()(1, 2) = 7;
  ops::run(ctx, SoftmaxForward<float>{.x = x.view(), .y = y.view()});
  CHECK(backend->total().runs == 1);
  CHECK(y.view()(1, 2) == 7);
  auto computing = reference_context<float>();
  require(throws(ErrorCode::device, "softmax_forward: x: expected memory of cpu, got plan", [&] {
    ops::run(computing, SoftmaxForward<float>{.x = ctx.arena().allocate<float>({2, 3}), .y = y.view()});
  }));
  require(throws(ErrorCode::shape, "softmax_forward: y: ", [&] {
    ops::run(ctx, SoftmaxForward<float>{.x = ctx.arena().allocate<float>({2, 3}), .y = ctx.arena().allocate<float>({2, 4})});
  }));
}
