// What every operation's test does with its list of cases.
#pragma once

#include <doctest/doctest.h>

#include "tests/support/op_check.hpp"
#include "tests/support/op_errors.hpp"
#include "tests/support/op_parity.hpp"

namespace detrack::test {

/// Fails, with the verdict's reason, where a verdict is bad.
inline void require(const Verdict& verdict) {
  CHECK_MESSAGE(static_cast<bool>(verdict), verdict.why);
}

/// Gradients of all cases, packed and strided; float against double; then mutants, wrong shapes and overlaps of the first,
/// which should be the richest. `free`: see rejects_wrong_shapes.
template <class Case>
void check_op(const std::vector<Case>& cases, const std::vector<std::string>& free = {}) {
  for (const Case& c : cases)
    for (const Layout layout : {kPacked, kStrided}) {
      auto ctx = reference_context<float>();
      require(matches_reference(c, ctx, 2e-5, layout));
      if constexpr (HasBackward<Case, double>) require(check_gradients(c, layout));
    }
  if constexpr (HasBackward<Case, double>) require(rejects_mutants(cases.front()));
  require(rejects_wrong_shapes(cases.front(), free));
  require(rejects_aliasing(cases.front()));
}

}  // namespace detrack::test
