// Values rounded to another type.
#include "tests/ops/cases/cast.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("cast") {
  check_op(cast_cases(), {"x/0"});
}
