// Cross-entropy.
#include "tests/ops/cases/cross_entropy.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

namespace {

double loss_of(std::vector<double> logits, double target, double sigma = 0) {
  auto ctx = reference_context<double>();
  double loss;
  ops::run(ctx, CrossEntropyForward<double>{
                    .logits = View<const double>(logits.data(), {1, static_cast<std::int64_t>(logits.size())}),
                    .target = View<const double>(&target, {1}),
                    .sigma = sigma,
                    .loss = View<double>(&loss, {1})});
  return loss;
}

}  // namespace

TEST_CASE("cross entropy") {
  check_op(cross_entropy_cases(), {"cross_entropy_forward/logits/1"});
}

TEST_CASE("cross entropy: of uniform logits it is log V, whatever the target") {
  for (const double sigma : {0.0, 1.5})
    for (const double target : {-9.0, 0.0, 2.5, 4.999, 77.0})
      CHECK(loss_of({3, 3, 3, 3, 3}, target, sigma) == doctest::Approx(std::log(5)).epsilon(1e-14));
}

TEST_CASE("cross entropy: the word is the target's floor, clamped; NaN is word 0") {
  const std::vector<double> logits{0, 1, 2};
  const double log_sum = std::log(1 + std::exp(1) + std::exp(2));
  for (const auto& [target, logit] : {std::pair{0.0, 0.0},
                                      {0.999, 0.0},
                                      {1.0, 1.0},
                                      {2.5, 2.0},
                                      {3.0, 2.0},
                                      {1e300, 2.0},
                                      {-0.5, 0.0},
                                      {-1e300, 0.0},
                                      {std::nan(""), 0.0}})
    CHECK(loss_of(logits, target) == doctest::Approx(log_sum - logit).epsilon(1e-14));
}

TEST_CASE("cross entropy: a Gaussian target is symmetric about its centre and stays finite far outside") {
  const auto q = reference::target_distribution(2.5, 1, 5);
  CHECK(q[0] == doctest::Approx(q[4]));
  CHECK(q[2] / q[1] == doctest::Approx(std::exp(0.5)));
  CHECK(q[0] + q[1] + q[2] + q[3] + q[4] == doctest::Approx(1));
  CHECK(reference::target_distribution(1e6, 1, 5)[4] == doctest::Approx(1));
  CHECK(reference::target_distribution(-1e6, 0.5, 5)[0] == doctest::Approx(1));
}

TEST_CASE("cross entropy: a narrow Gaussian is the single word") {
  CHECK(loss_of({0.3, -1, 2, 0.5}, 1.5, 0.01) == doctest::Approx(loss_of({0.3, -1, 2, 0.5}, 1.5)));
}

TEST_CASE("cross entropy: huge logits overflow nothing") {
  CHECK(loss_of({1e4, 0}, 0.5) == 0);
  CHECK(loss_of({1e4, 0}, 1.5) == 1e4);
}

TEST_CASE("cross entropy: the checks notice another sigma") {
  CHECK_FALSE(check_gradients(cross_entropy_cases().front(), kPacked, edited([](auto& op) { op.sigma = 0; })));
}
