// A backend against the reference: the same case, the same numbers, every output and every gradient.
#pragma once

#include <algorithm>
#include <cmath>

#include "tests/support/op_check.hpp"
#include "tests/support/rounded.hpp"

namespace detrack::test {

/// Runs a case on a context of any backend and scalar, and on the reference: in double, or, for bfloat16, in double rounded
/// at the same points. Each element may differ by `bound` times the largest of its array, which counts as at least
/// kCancelled: some results are zeros left over when numbers of that size cancel (layer norm of one column, attention to one
/// key), and how they do depends on fused multiply-adds.
inline constexpr double kCancelled = 4;

template <class T, class Case>
Verdict matches_reference(const Case& c, Context<T>& ctx, double bound, Layout layout = kPacked) {
  using R = std::conditional_t<std::is_same_v<T, bfloat16>, Rounded, double>;
  auto reference_ctx = reference_context<R>();
  Memory<T> memory(ctx, layout);
  Memory<R> reference(reference_ctx, layout);
  if (const Verdict verdict = run_case(c, ctx, memory, RunBackward{}); !verdict) return reject(c.name(), ": ", verdict.why);
  if (const Verdict verdict = run_case(c, reference_ctx, reference, RunBackward{}); !verdict)
    return reject(c.name(), ": reference: ", verdict.why);
  for (const std::string& name : reference.all_names()) {
    const Array expected = reference.values(name);
    if (expected.values.empty()) continue;
    double largest = 0;
    for (const double x : expected.values)
      if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
    const Infinities infinities = reference.infinite_ok(name) ? Infinities::expected : Infinities::refused;
    const Verdict verdict =
        compare(memory.values(name), expected, {.atol = bound * std::max(largest, kCancelled), .infinities = infinities});
    if (!verdict) return reject(c.name(), ": ", name, ": ", verdict.why);
  }
  return {};
}

}  // namespace detrack::test
