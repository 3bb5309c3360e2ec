// Dual numbers: forward-mode derivatives, exact to rounding, of anything written for a number type.
#pragma once

#include <cmath>
#include <numbers>

namespace detrack::test {

/// value + derivative e, e^2 = 0. Doubles convert by name only, so that loops which forget their scalar type do not compile.
struct Dual {
  double value = 0, derivative = 0;

  Dual() = default;
  explicit Dual(double v, double d = 0) : value(v), derivative(d) {}
  explicit operator double() const { return value; }

  Dual operator-() const { return Dual(-value, -derivative); }
  friend Dual operator+(Dual a, Dual b) { return Dual(a.value + b.value, a.derivative + b.derivative); }
  friend Dual operator-(Dual a, Dual b) { return Dual(a.value - b.value, a.derivative - b.derivative); }
  friend Dual operator*(Dual a, Dual b) { return Dual(a.value * b.value, a.derivative * b.value + a.value * b.derivative); }
  friend Dual operator/(Dual a, Dual b) {
    return Dual(a.value / b.value, (a.derivative - a.value / b.value * b.derivative) / b.value);
  }
  Dual& operator+=(Dual b) { return *this = *this + b; }
  Dual& operator-=(Dual b) { return *this = *this - b; }
  Dual& operator*=(Dual b) { return *this = *this * b; }
  Dual& operator/=(Dual b) { return *this = *this / b; }

  friend bool operator==(Dual a, Dual b) { return a.value == b.value; }
  friend bool operator<(Dual a, Dual b) { return a.value < b.value; }
  friend bool operator>(Dual a, Dual b) { return a.value > b.value; }
  friend bool operator<=(Dual a, Dual b) { return a.value <= b.value; }
  friend bool operator>=(Dual a, Dual b) { return a.value >= b.value; }

  friend Dual exp(Dual x) { return Dual(std::exp(x.value), std::exp(x.value) * x.derivative); }
  friend Dual log(Dual x) { return Dual(std::log(x.value), x.derivative / x.value); }
  friend Dual sqrt(Dual x) { return Dual(std::sqrt(x.value), x.derivative / (2 * std::sqrt(x.value))); }
  friend Dual abs(Dual x) { return x.value < 0 ? -x : x; }
  friend Dual erf(Dual x) {
    return Dual(std::erf(x.value), 2 * std::numbers::inv_sqrtpi * std::exp(-x.value * x.value) * x.derivative);
  }
};

}  // namespace detrack::test
