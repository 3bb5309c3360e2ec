// Products in bfloat16 on the CPU: rounding, pairs, linear layers and attention against the reference on rounded factors.
#include "tests/cpu/cpu_support.hpp"

using namespace detrack;
using namespace detrack::cpu_test;

namespace {

cpu::CpuOptions bfloat_products(int threads) {
  return {.threads = threads, .products = cpu::Products::bfloat16};
}

std::vector<float> hard_to_round() {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> all{0.0f,        -0.0f,        1.0f,          -1.0f,     1.00390625f,
                         1.01171875f, -1.00390625f, 3.3895314e38f, kInfinity, -kInfinity};
  all.push_back(std::numeric_limits<float>::max());  // rounds to infinity
  Philox rng(5);
  while (all.size() < 16 * 2 * cpu::kLanes<float>) all.push_back(static_cast<float>(rng.normal()));
  return all;
}

}  // namespace

TEST_CASE("bfloat pairs: rounded to nearest, ties to even, in the order of their elements") {
  constexpr int L = cpu::kLanes<float>;
  const auto x = hard_to_round();
  for (std::size_t at = 0; at < x.size(); at += 2 * L) {
    const auto low = cpu::load(&x[at]), high = cpu::load(&x[at + L]);
    const auto neighbours = cpu::pair_neighbours(low, high), slow = cpu::emulated::pair_neighbours(low, high);
    const auto lanes = cpu::pair_lanes(low, high);
    for (int i = 0; i < L; ++i) {
      const std::size_t k = static_cast<std::size_t>(i);
      CHECK(neighbours[i] == cpu::pair_of(x[at + 2 * k], x[at + 2 * k + 1]).bits);
      CHECK(slow[i] == neighbours[i]);
      CHECK(lanes[i] == cpu::pair_of(x[at + k], x[at + L + k]).bits);
    }
  }
  CHECK(cpu::pair_of(1.0f, -2.0f).bits == 0xc0003f80u);
  const auto nan = cpu::splat(std::numeric_limits<float>::quiet_NaN());
  CHECK((cpu::pair_neighbours(nan, nan)[0] & 0x7fffu) > 0x7f80u);
}

TEST_CASE("bfloat pairs: both products are added, whatever the processor has") {
  const auto x = hard_to_round();
  constexpr int L = cpu::kLanes<float>;
  for (std::size_t at = 4 * L; at + 4 * L <= x.size(); at += 4 * L) {
    const auto a = cpu::pair_neighbours(cpu::load(&x[at]), cpu::load(&x[at + L]));
    const auto b = cpu::pair_neighbours(cpu::load(&x[at + 2 * L]), cpu::load(&x[at + 3 * L]));
    const auto sum = cpu::splat(0.5f);
    const auto fast = cpu::multiply_add(sum, a, b), slow = cpu::emulated::multiply_add(sum, a, b);
    for (std::size_t i = 0; i < L; ++i) {
      const auto factor = [&](std::size_t k) { return static_cast<double>(static_cast<float>(bfloat16(x[k]))); };
      const double expected =
          0.5 + factor(at + 2 * i) * factor(at + 2 * L + 2 * i) + factor(at + 2 * i + 1) * factor(at + 2 * L + 2 * i + 1);
      CHECK(static_cast<double>(fast[static_cast<int>(i)]) == doctest::Approx(expected).epsilon(1e-6));
      CHECK(static_cast<double>(slow[static_cast<int>(i)]) == doctest::Approx(expected).epsilon(1e-6));
    }
  }
}

TEST_CASE("bfloat products: linear layers, forward and backward") {
  for (const std::int64_t R : {9, 140})
    for (const std::int64_t I : {1, 2, 33, 300})
      for (const std::int64_t O : {1, 49, 200}) {
        CAPTURE(R);
        CAPTURE(I);
        CAPTURE(O);
        check_products(
            cpu::Products::bfloat16,
            [&]<class T>(Bench<T>& bench) {
              const auto x = bench.in({R, I}), w = bench.in({O, I}), b = bench.in({O}), residual = bench.in({R, O});
              ops::run(bench.ctx, LinearForward<T>{.x = x,
                                                   .w = w,
                                                   .b = b,
                                                   .residual = residual,
                                                   .activation = Activation::gelu,
                                                   .pre = bench.out({R, O}),
                                                   .y = bench.out({R, O})});
              ops::run(bench.ctx, LinearBackward<T>{.dy = bench.in({R, O}),
                                                    .x = x,
                                                    .w = w,
                                                    .alpha = 0.5,
                                                    .dx = bench.out({R, I}),
                                                    .dw = bench.grad({O, I}),
                                                    .db = bench.grad({O})});
            },
            3e-6);
      }
}

TEST_CASE("bfloat products: depths of several blocks, even and odd") {
  for (const std::int64_t K : {1024, 1025, 2100}) {
    CAPTURE(K);
    check_products(
        cpu::Products::bfloat16,
        [&]<class T>(Bench<T>& bench) {
          const auto x = bench.in({20, K}), w = bench.in({50, K});
          ops::run(bench.ctx, LinearForward<T>{.x = x, .w = w, .y = bench.out({20, 50})});
          const auto dy = bench.in({K, 20}), x2 = bench.in({K, 30}), w2 = bench.in({20, 30});
          ops::run(bench.ctx, LinearBackward<T>{.dy = dy, .x = x2, .w = w2, .dw = bench.grad({20, 30})});
        },
        3e-6);
  }
}

TEST_CASE("bfloat products: factors are rounded, sums are not") {
  const auto program = [&]<class T>(Bench<T>& bench) {
    const auto x = bench.in({32, 300}), w = bench.in({40, 300});
    ops::run(bench.ctx, LinearForward<T>{.x = x, .w = w, .y = bench.out({32, 40})});
  };
  const Results got = results_of(cpu::make_context<float>(bfloat_products(1)), 0, program);
  CHECK(distance(got, results_of(reference_context<double>(), 0, program, true)) < 1e-6);  // the same draws, rounded
  CHECK(distance(got, results_of(reference_context<double>(), 0, program)) > 1e-4);
}

TEST_CASE("bfloat products: attention") {
  Tensor<std::uint8_t> mask({70, 210});
  Philox rng(3);
  for (std::int64_t i = 0; i < 70; ++i)
    for (std::int64_t j = 0; j < 210; ++j) mask.view()(i, j) = i != 1 && rng.uniform() < 0.6;  // query 1 sees nothing
  for (const std::int64_t D : {1, 5, 48, 64})
    for (const std::int64_t Nq : {1, 70})
      for (const std::int64_t Nk : {1, 49, 210})
        for (const bool masked : {false, true}) {
          CAPTURE(D);
          CAPTURE(Nq);
          CAPTURE(Nk);
          CAPTURE(masked);
          check_products(
              cpu::Products::bfloat16,
              [&]<class T>(Bench<T>& bench) {
                const auto q = bench.in({2, Nq, 3 * D}).split(2, D), k = bench.in({2, Nk, 3 * D}).split(2, D);
                const auto v = bench.in({2, Nk, 3 * D}).split(2, D);
                View<const std::uint8_t> allowed;
                if (masked) allowed = View<const std::uint8_t>(mask.view().slice(0, 0, Nq).slice(1, 0, Nk));
                const auto y = bench.out({2, Nq, 3 * D}).split(2, D);
                const auto lse = bench.out({2, 3, Nq});
                ops::run(bench.ctx,
                         AttentionForward<T>{.q = q, .k = k, .v = v, .mask = allowed, .scale = 0.25, .y = y, .lse = lse});
                ops::run(bench.ctx, AttentionBackward<T>{.q = q,
                                                         .k = k,
                                                         .v = v,
                                                         .mask = allowed,
                                                         .scale = 0.25,
                                                         .y = y,
                                                         .lse = lse,
                                                         .dy = bench.in({2, Nq, 3 * D}).split(2, D),
                                                         .dq = bench.out({2, Nq, 3 * D}).split(2, D),
                                                         .dk = bench.out({2, Nk, 3 * D}).split(2, D),
                                                         .dv = bench.out({2, Nk, 3 * D}).split(2, D)});
              },
              0.006);  // weights and their gradients are rounded, too: 2^-9 of a value
        }
}

TEST_CASE("bfloat products: a context says so, and refuses double") {
  CHECK(cpu::make_context<float>(bfloat_products(1)).describe().find("bfloat16 products") != std::string::npos);
  CHECK(cpu::make_context<float>({1}).describe().find("bfloat16") == std::string::npos);
  CHECK_THROWS_AS(cpu::make_context<double>(bfloat_products(1)), Error);
}
