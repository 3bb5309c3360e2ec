// The AdamW step and the norm of gradients on the CPU backend: any length, any number of threads, extreme moments.
#include "tests/cpu/cpu_support.hpp"

using namespace detrack;
using namespace detrack::cpu_test;

TEST_CASE("cpu adamw and squared norm") {
  for (const std::int64_t n : {1, 15, 16, 33, 5000, 300001}) {
    CAPTURE(n);
    check_against_reference(
        [&]<class T>(Bench<T>& bench) {
          const auto gradient = bench.in({n}), squares = bench.in({n});
          const auto value = bench.grad({n}), m = bench.grad({n}), v = bench.grad({n});
          for (std::int64_t i = 0; i < n; ++i) v(i) = squares(i) * squares(i);
          ops::run(bench.ctx, AdamW<T>{.value = value,
                                       .gradient = gradient,
                                       .m = m,
                                       .v = v,
                                       .lr = 0.1,
                                       .weight_decay = 0.05,
                                       .gradient_scale = 0.5,
                                       .correction1 = 0.3,
                                       .correction2 = 0.02});
        },
        4e-6);
    auto x = Tensor<float>(Shape{n});
    Philox rng(5);
    for (std::int64_t i = 0; i < n; ++i) x.data()[i] = static_cast<float>(rng.normal());
    const auto norm = [&](auto ctx) {
      double y = 0;
      ops::run(ctx, SquaredNorm<float>{.x = x.view(), .y = View<double>(&y, {1})});
      return y;
    };
    const double expected = norm(reference_context<float>()), one = norm(cpu::make_context<float>({1}));
    CHECK(one == doctest::Approx(expected).epsilon(1e-12));
    CHECK(norm(cpu::make_context<float>({some_threads()})) == one);
    for (const std::int64_t place : {std::int64_t{0}, n / 2, n - 1})
      for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        const float kept = std::exchange(x.data()[place], bad);
        CHECK_FALSE(std::isfinite(norm(cpu::make_context<float>({some_threads()}))));
        x.data()[place] = kept;
      }
  }
}

namespace {

/// Largest error of cpu::sqrt in ulps, from the smallest normal number to the largest.
template <class T>
double worst_root() {
  double worst = 0;
  for (int exponent = std::numeric_limits<T>::min_exponent; exponent <= std::numeric_limits<T>::max_exponent; ++exponent) {
    Philox rng(1, static_cast<std::uint64_t>(exponent + 10000));
    for (int i = 0; i < 20; ++i) {
      const T x = std::ldexp(static_cast<T>(0.5 + 0.5 * rng.uniform()), exponent);
      if (!std::isfinite(x)) continue;
      const T root = cpu::sqrt<T>(cpu::splat(x))[0], truth = std::sqrt(x);
      const double error = std::abs(static_cast<double>(root) - static_cast<double>(truth)) /
                           (static_cast<double>(truth) * static_cast<double>(std::numeric_limits<T>::epsilon()));
      if (!(error <= worst)) worst = error;
    }
  }
  return worst;
}

}  // namespace

TEST_CASE("cpu square roots are accurate from the smallest to the largest number") {
  CHECK(worst_root<float>() <= 1);
  CHECK(worst_root<double>() <= 1);
  CHECK(cpu::sqrt<float>(cpu::splat(0.0f))[0] == 0);
  CHECK(cpu::sqrt<double>(cpu::splat(0.0))[0] == 0);
  CHECK(std::isnan(cpu::sqrt<float>(cpu::splat(std::numeric_limits<float>::quiet_NaN()))[0]));
}
