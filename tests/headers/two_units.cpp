// Two translation units that include everything: they must link (nothing defined twice) and share one state.
#include "two_units.hpp"

#include <cstdio>

int main() {
  const SecondUnit other = second_unit();
  if (other.allocator != detrack::host_allocator().get()) return std::puts("two units, two host allocators"), 1;
  if (other.product != 6 || multiply(2, 3) != 6) return std::puts("2 x 3 is not 6"), 1;
  return 0;
}
