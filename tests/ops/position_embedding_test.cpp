// Position embeddings.
#include "tests/ops/cases/position_embedding.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("position embedding") {
  check_op(position_embedding_cases(), {"position_embedding_backward/dy/0"});
}
