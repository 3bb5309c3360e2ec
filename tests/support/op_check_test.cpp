// The harness must notice an operation that touches what is not its own.
#include "tests/support/op_check.hpp"

#include <doctest/doctest.h>

#include "tests/ops/cases/similarity.hpp"

using namespace detrack;
using namespace detrack::test;

namespace {

/// The verdict on a similarity backward that does something else besides.
template <class Mischief>
bool accepts_with(Layout layout, Mischief mischief) {
  return static_cast<bool>(check_gradients(similarity_cases().front(), layout, [&](auto& ctx, auto&, auto ops) {
    run_all(ctx, ops);
    mischief(std::get<0>(ops));
  }));
}

}  // namespace

TEST_CASE("harness: accepts the operation itself") {
  CHECK(accepts_with(kPacked, [](auto&) {}));
  CHECK(accepts_with(kStrided, [](auto&) {}));
}

TEST_CASE("harness: refuses a changed input") {
  CHECK_FALSE(accepts_with(kPacked, [](auto& op) { const_cast<double*>(op.x.data())[0] += 1; }));
  CHECK_FALSE(accepts_with(kPacked, [](auto& op) { const_cast<double*>(op.dlogits.data())[0] = 0; }));
}

TEST_CASE("harness: refuses a write before, between and after the rows of an output") {
  CHECK_FALSE(accepts_with(kStrided, [](auto& op) { op.dx.data()[-1] = 0; }));
  CHECK_FALSE(accepts_with(kStrided, [](auto& op) { op.dx.data()[op.dx.extent(1)] = 0; }));
  CHECK_FALSE(accepts_with(kPacked, [](auto& op) { op.dx.data()[op.dx.numel()] = 0; }));
}

TEST_CASE("harness: refuses an output that is not written") {
  CHECK_FALSE(static_cast<bool>(check_gradients(similarity_cases().front(), kPacked, [](auto&, auto&, const auto&) {})));
}
