// The second unit of the two_units program.
#include "two_units.hpp"

SecondUnit second_unit() {
  return {detrack::host_allocator().get(), multiply(2, 3)};
}
