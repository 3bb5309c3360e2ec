// Row-wise and elementwise kernels of the CPU backend against the reference.
#include "tests/cpu/cpu_support.hpp"

using namespace detrack;
using namespace detrack::cpu_test;

namespace {

struct RowSizes {
  std::int64_t R, C;
};
constexpr RowSizes kSizes[] = {{1, 1}, {1, 33}, {3, 7}, {4, 16}, {9, 48}, {17, 65}, {130, 192}, {448, 33}};

}  // namespace

TEST_CASE("cpu layer norm") {
  for (const RowSizes& size : kSizes) {
    const auto R = size.R, C = size.C;
    CAPTURE(R);
    CAPTURE(C);
    check_against_reference(
        [&]<class T>(Bench<T>& bench) {
          const auto x = bench.in({R, C}, 3), gamma = bench.in({C}), beta = bench.in({C}), dy = bench.in({R, C});
          const auto mean = bench.out({R}), rstd = bench.out({R});
          const double eps = C == 1 ? 1.0 : 1e-6;
          ops::run(
              bench.ctx,
              LayerNormForward<T>{
                  .x = x, .gamma = gamma, .beta = beta, .eps = eps, .y = bench.out({R, C}), .mean = mean, .rstd = rstd});
          const auto y = bench.grad({R, C});  // in place, inference
          ops::run(bench.ctx, LayerNormForward<T>{.x = y, .gamma = gamma, .beta = beta, .eps = eps, .y = y});
          const auto dx = bench.grad({R, C});  // residual in place
          ops::run(bench.ctx, LayerNormBackward<T>{.x = x,
                                                   .gamma = gamma,
                                                   .mean = mean,
                                                   .rstd = rstd,
                                                   .dy = dy,
                                                   .residual = dx,
                                                   .dx = dx,
                                                   .dgamma = bench.grad({C}),
                                                   .dbeta = bench.grad({C})});
          ops::run(bench.ctx, LayerNormBackward<T>{
                                  .x = x, .gamma = gamma, .mean = mean, .rstd = rstd, .dy = dy, .dx = bench.out({R, C})});
        },
        4e-6);
  }
}

TEST_CASE("cpu activation") {
  for (const Activation kind : {Activation::identity, Activation::relu, Activation::gelu, Activation::sigmoid})
    for (const RowSizes& size : kSizes) {
      const auto R = size.R, C = size.C;
      CAPTURE(R);
      CAPTURE(C);
      check_against_reference([&]<class T>(Bench<T>& bench) {
        const auto x = bench.in({R, C}, 4), dy = bench.in({R, C});
        ops::run(bench.ctx, ActivationForward<T>{.kind = kind, .x = x, .y = bench.out({R, C})});
        ops::run(bench.ctx, ActivationBackward<T>{.kind = kind, .x = x, .dy = dy, .dx = bench.out({R, C})});
      });
    }
}

TEST_CASE("cpu gelu is accurate on the whole line and keeps NaN") {
  Tensor<float> x({1, 40001}), y({1, 40001});
  for (std::int64_t i = 0; i < 40001; ++i) x.view()(0, i) = static_cast<float>(i - 20000) * 5e-4f;
  x.view()(0, 0) = -1e30f, x.view()(0, 1) = 1e30f, x.view()(0, 2) = -std::numeric_limits<float>::infinity();
  x.view()(0, 3) = std::numeric_limits<float>::infinity(), x.view()(0, 4) = std::numeric_limits<float>::quiet_NaN();
  auto ctx = cpu::make_context<float>({1});
  ops::run(ctx, ActivationForward<float>{.kind = Activation::gelu, .x = x.view(), .y = y.view()});
  double worst = 0;
  for (std::int64_t i = 5; i < 40001; ++i) {
    const double a = x.view()(0, i), expected = a * 0.5 * std::erfc(-a / std::sqrt(2.0));
    worst = std::max(worst, std::abs(y.view()(0, i) - expected) / std::max(1.0, std::abs(a)));
  }
  CHECK(worst <= 1e-7);
  CHECK(std::abs(y.view()(0, 0)) <= 1e-7f);
  CHECK(y.view()(0, 1) == 1e30f);
  CHECK(std::abs(y.view()(0, 2)) <= 1e-7f);
  CHECK(y.view()(0, 3) == std::numeric_limits<float>::infinity());
  CHECK(std::isnan(y.view()(0, 4)));
}

TEST_CASE("cpu softmax") {
  for (const RowSizes& size : kSizes) {
    const auto R = size.R, C = size.C;
    CAPTURE(R);
    CAPTURE(C);
    check_against_reference([&]<class T>(Bench<T>& bench) {
      const auto x = bench.in({R, C}, 8), dy = bench.in({R, C});
      const auto y = bench.out({R, C});
      ops::run(bench.ctx, SoftmaxForward<T>{.x = x, .y = y});
      ops::run(bench.ctx, SoftmaxBackward<T>{.y = y, .dy = dy, .dx = bench.out({R, C})});
    });
  }
}

TEST_CASE("cpu sums, fills, position embeddings and patches") {
  check_against_reference([&]<class T>(Bench<T>& bench) {
    const auto a = bench.in({3, 5, 33}), b = bench.in({3, 5, 33}), e = bench.in({5, 33}), one = bench.in({1, 33});
    ops::run(bench.ctx, Add<T>{.alpha = 0.5, .a = a, .beta = -2, .b = b, .y = bench.out({3, 5, 33})});
    ops::run(bench.ctx, Add<T>{.alpha = 3, .a = a, .y = bench.out({3, 5, 33})});
    const auto slice = bench.grad({3, 9, 33}).slice(1, 2, 5);
    ops::run(bench.ctx, Add<T>{.a = a, .b = slice, .y = slice});
    const auto column = bench.grad({4, 7}).slice(1, 2, 1).select(1, 0);  // elements a row apart
    ops::run(bench.ctx, Add<T>{.alpha = 2, .a = column, .y = column});
    ops::run(bench.ctx, Fill<T>{.value = 1.5, .y = bench.grad({4, 7}).slice(1, 2, 3)});
    ops::run(bench.ctx, Fill<T>{.value = 2.5, .y = bench.grad({4, 7}).select(1, 3)});
    ops::run(bench.ctx, PositionEmbeddingForward<T>{.x = a, .embedding = e, .y = bench.out({3, 5, 33})});
    ops::run(bench.ctx, PositionEmbeddingForward<T>{.x = a, .embedding = one, .y = bench.out({3, 5, 33})});
    ops::run(bench.ctx, PatchifyForward<T>{.image = bench.in({2, 3, 12, 8}), .patch = 4, .columns = bench.out({12, 48})});
  });
}
