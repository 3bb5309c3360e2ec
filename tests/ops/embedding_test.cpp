// Table look-up.
#include "tests/ops/cases/embedding.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("embedding") {
  check_op(embedding_cases(), {"table/0", "dtable/0"});
}

TEST_CASE("embedding: repeated rows add up") {
  auto ctx = reference_context<double>();
  const std::int32_t index[3] = {1, 0, 1};
  const double dy[3] = {10, 20, 40};
  double dtable[2] = {1, 2};
  ops::run(ctx, EmbeddingBackward<double>{.index = View<const std::int32_t>(index, {3}),
                                          .dy = View<const double>(dy, {3, 1}),
                                          .dtable = View<double>(dtable, {2, 1})});
  CHECK(dtable[0] == 21);
  CHECK(dtable[1] == 52);
}

TEST_CASE("embedding: an index outside the table is an error") {
  auto ctx = reference_context<double>();
  auto table = Tensor<double>::zeros({3, 2}), y = Tensor<double>::zeros({1, 2});
  for (const std::int32_t bad : {-1, 3, 1 << 30}) {
    const View<const std::int32_t> index(&bad, {1});
    require(throws(ErrorCode::argument, "embedding_forward: index: ", [&] {
      ops::run(ctx, EmbeddingForward<double>{.index = index, .table = table.view(), .y = y.view()});
    }));
    require(throws(ErrorCode::argument, "embedding_backward: index: ", [&] {
      ops::run(ctx, EmbeddingBackward<double>{.index = index, .dy = y.view(), .dtable = table.view()});
    }));
  }
}
