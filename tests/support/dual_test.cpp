// Dual numbers against central differences.
#include "tests/support/dual.hpp"

#include <doctest/doctest.h>

#include <initializer_list>

using detrack::test::Dual;

namespace {

template <class F>
void check_derivative(F f, double x) {
  const double h = 1e-5, slope = (f(Dual(x + h)).value - f(Dual(x - h)).value) / (2 * h);
  CHECK(f(Dual(x, 1)).derivative == doctest::Approx(slope).epsilon(1e-8));
  CHECK(f(Dual(x, -3)).derivative == doctest::Approx(-3 * slope).epsilon(1e-8));
}

}  // namespace

TEST_CASE("dual: every function's derivative is its slope") {
  for (const double x : {0.3, 1.0, 2.5}) {
    check_derivative([](Dual a) { return a * a - Dual(2) * a + Dual(1); }, x);
    check_derivative([](Dual a) { return (a + Dual(1)) / (a * a); }, x);
    check_derivative([](Dual a) { return -exp(a); }, x);
    check_derivative([](Dual a) { return log(a); }, x);
    check_derivative([](Dual a) { return sqrt(a); }, x);
    check_derivative([](Dual a) { return erf(a); }, x);
    check_derivative([](Dual a) { return abs(a) + abs(-a * a); }, x);
  }
}
