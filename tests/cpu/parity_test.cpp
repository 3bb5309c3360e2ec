// Every operation's cases on the CPU backend, against the reference in double.
#include "detrack/cpu/backend.hpp"
#include "tests/ops/cases/all.hpp"
#include "tests/ops/check_op.hpp"

namespace {

template <class T>
void check_parity(double bound) {
  for (const int threads : {1, 0}) {
    auto ctx = detrack::cpu::make_context<T>({.threads = threads});
    for (const auto layout : {detrack::test::kPacked, detrack::test::kStrided})
      detrack::test::for_each_case(
          [&](const auto& c) { detrack::test::require(detrack::test::matches_reference(c, ctx, bound, layout)); });
  }
}

}  // namespace

TEST_CASE("cpu: every operation equals the reference, in float and double, packed and strided") {
  check_parity<float>(2e-5);
  check_parity<double>(1e-12);
}
