// Every operation's cases on the CUDA backend, against the reference.
#include "tests/cuda/machine.hpp"
#include "tests/ops/cases/all.hpp"
#include "tests/ops/check_op.hpp"

using namespace detrack;

namespace {

/// In every order of threads: a missing barrier shows in one of them.
template <class T>
void check_parity(double bound) {
  test::MachineScope machine;
  auto ctx = cuda::make_context<T>();
  for (const test::Order order : test::kOrders)
    for (const auto layout : {test::kPacked, test::kStrided}) {
      machine->order = order;
      test::for_each_case([&](const auto& c) { test::require(test::matches_reference(c, ctx, bound, layout)); });
    }
}

}  // namespace

TEST_CASE("cuda: every operation equals the reference, packed and strided") {
  check_parity<float>(2e-5);
}

// Results are rounded to 8 bits twice as the reference's are; where float and double differ before, they may round apart:
// one unit of the largest, 2^-8. Attention also rounds its probabilities.
TEST_CASE("cuda: every operation in bfloat16 equals the reference rounded at the same points") {
  check_parity<bfloat16>(0x1p-7);
}
