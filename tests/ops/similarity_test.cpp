// Similarity map.
#include "tests/ops/cases/similarity.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("similarity") {
  check_op(similarity_cases(), {"dx", "dtable"});
}
