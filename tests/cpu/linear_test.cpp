// Matrix products of the CPU backend against the reference: awkward shapes, strides, epilogues, accumulation.
#include "tests/cpu/cpu_support.hpp"

using namespace detrack;
using namespace detrack::cpu_test;

namespace {

struct LinearSizes {
  std::int64_t R, I, O;
};

std::vector<LinearSizes> awkward_sizes() {
  std::vector<LinearSizes> all;
  const std::int64_t few[] = {1, 3, 4, 7, 8, 9, 33, 48, 49, 96};
  for (const std::int64_t R : few)
    for (const std::int64_t I : {std::int64_t{1}, std::int64_t{7}, std::int64_t{33}, std::int64_t{96}})
      for (const std::int64_t O : few) all.push_back({R, I, O});
  for (const LinearSizes& large :
       {LinearSizes{4, 448, 448}, {16, 200, 97}, {33, 448, 96}, {448, 96, 49}, {5, 900, 70}, {40, 1024, 50}})
    all.push_back(large);
  return all;
}

}  // namespace

TEST_CASE("cpu linear forward: plain") {
  for (const LinearSizes& size : awkward_sizes()) {
    const auto R = size.R, I = size.I, O = size.O;  // lambdas capture variables, not bindings (clang 14)
    CAPTURE(R);
    CAPTURE(I);
    CAPTURE(O);
    check_against_reference([&]<class T>(Bench<T>& bench) {
      const auto x = bench.in({R, I}), w = bench.in({O, I});
      ops::run(bench.ctx, LinearForward<T>{.x = x, .w = w, .y = bench.out({R, O})});
    });
  }
}

TEST_CASE("cpu linear forward: bias, residual, alpha, activation, pre") {
  for (const Activation kind : {Activation::identity, Activation::relu, Activation::gelu, Activation::sigmoid})
    for (const LinearSizes& size : {LinearSizes{1, 1, 1}, LinearSizes{3, 40, 49}, LinearSizes{4, 192, 97},
                                    LinearSizes{9, 33, 100}, LinearSizes{49, 96, 96}, LinearSizes{50, 800, 33}}) {
      const auto R = size.R, I = size.I, O = size.O;  // lambdas capture variables, not bindings (clang 14)
      CAPTURE(R);
      CAPTURE(I);
      CAPTURE(O);
      check_against_reference([&]<class T>(Bench<T>& bench) {
        const auto x = bench.in({R, I}), w = bench.in({O, I}, 0.2), b = bench.in({O}), residual = bench.in({R, O});
        ops::run(bench.ctx, LinearForward<T>{.x = x,
                                             .w = w,
                                             .b = b,
                                             .residual = residual,
                                             .alpha = -0.75,
                                             .activation = kind,
                                             .pre = bench.out({R, O}),
                                             .y = bench.out({R, O})});
        const auto y = bench.grad({R, O});  // in place: y is the residual
        ops::run(bench.ctx, LinearForward<T>{.x = x, .w = w, .b = b, .residual = y, .y = y});
      });
    }
}

TEST_CASE("cpu linear backward") {
  for (const LinearSizes& size : awkward_sizes()) {
    const auto R = size.R, I = size.I, O = size.O;  // lambdas capture variables, not bindings (clang 14)
    CAPTURE(R);
    CAPTURE(I);
    CAPTURE(O);
    check_against_reference([&]<class T>(Bench<T>& bench) {
      const auto dy = bench.in({R, O}), x = bench.in({R, I}), w = bench.in({O, I});
      ops::run(bench.ctx, LinearBackward<T>{.dy = dy,
                                            .x = x,
                                            .w = w,
                                            .alpha = 0.5,
                                            .dx = bench.out({R, I}),
                                            .dw = bench.grad({O, I}),
                                            .db = bench.grad({O})});
    });
  }
}

TEST_CASE("cpu similarity") {
  check_against_reference([&]<class T>(Bench<T>& bench) {
    const auto x = bench.in({12, 48}), table = bench.in({80, 48}), dlogits = bench.in({12, 80});
    ops::run(bench.ctx, SimilarityForward<T>{.x = x, .table = table, .logits = bench.out({12, 80})});
    ops::run(bench.ctx,
             SimilarityBackward<T>{
                 .dlogits = dlogits, .x = x, .table = table, .dx = bench.out({12, 48}), .dtable = bench.grad({80, 48})});
  });
}

TEST_CASE("cpu linear: rows do not depend on the other rows of a batch") {
  const std::int64_t I = 70, O = 65;
  for (const std::int64_t R : {4, 64}) {
    const auto run = [&](std::int64_t rows) {
      return results_of(cpu::make_context<float>({1}), 0, [&](Bench<float>& bench) {
        const auto w = bench.in({O, I}), x = bench.in({R, I});
        ops::run(bench.ctx, LinearForward<float>{.x = x.slice(0, 0, rows), .w = w, .y = bench.out({rows, O})});
      })[0];
    };
    const auto whole = run(R), half = run(R / 2);
    CHECK(std::equal(half.begin(), half.end(), whole.begin()));
  }
}
