// Activations.
#include "tests/ops/cases/activation.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("activation") {
  check_op(activation_cases());
}

TEST_CASE("activation: known values") {
  using reference::activate, reference::activation_slope;
  CHECK(activate(Activation::gelu, 0.0) == 0);
  CHECK(activation_slope(Activation::gelu, 0.0) == 0.5);
  CHECK(activate(Activation::gelu, 1.0) == doctest::Approx(0.84134474606854293).epsilon(1e-15));
  CHECK(activate(Activation::gelu, -40.0) == 0);
  CHECK(activate(Activation::gelu, 40.0) == 40);
  CHECK(activate(Activation::relu, -2.0) == 0);
  CHECK(activate(Activation::relu, 2.0) == 2);
  CHECK(activation_slope(Activation::relu, 0.0) == 0);
  CHECK(activate(Activation::sigmoid, 0.0) == 0.5);
  CHECK(activate(Activation::sigmoid, -1000.0) == 0);
  CHECK(activate(Activation::sigmoid, 1000.0) == 1);
  CHECK(activation_slope(Activation::sigmoid, 0.0) == 0.25);
}

TEST_CASE("activation: the checks notice another activation's slope") {
  const auto wrong_kind = edited([](auto& op) { op.kind = Activation::sigmoid; });
  CHECK_FALSE(check_gradients(activation_cases().front(), kPacked, wrong_kind));
}
