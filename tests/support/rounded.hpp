// A number for tests of bfloat16: computed in double, rounded to bfloat16 where it is stored.
#pragma once

#include "detrack/core/dtype.hpp"

namespace detrack::test {

/// The reference loops with this scalar round at the same points as a backend that stores bfloat16. What they add to an
/// element is summed in double, and rounded when it is read: a backend keeps such sums in registers.
struct Rounded {
  double value = 0;

  Rounded() = default;
  Rounded(double x) : value(round(x)) {}
  operator double() const { return round(value); }
  Rounded& operator+=(double x) { return value += x, *this; }
  Rounded& operator-=(double x) { return value -= x, *this; }

 private:
  static double round(double x) { return static_cast<double>(static_cast<float>(bfloat16(static_cast<float>(x)))); }
};

}  // namespace detrack::test

namespace detrack {

template <>
struct StatType<test::Rounded> {
  using type = double;
};

}  // namespace detrack
