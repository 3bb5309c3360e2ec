// A backend against the reference: the same case, the same numbers, every output and every gradient.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "tests/support/op_check.hpp"
#include "tests/support/rounded.hpp"

namespace detrack::test {

/// Runs the reference's backward from what another backend's forward has stored, having noted what its own has: where an
/// activation's argument is next to 0, the two may round to different sides of a kink, and both be right.
template <class T>
struct BackwardFrom {
  const Memory<T>& stored;
  std::map<std::string, Array>& forward;

  template <class R, class Ops>
  void operator()(Context<R>& ctx, Memory<R>& memory, const Ops& ops) const {
    for (const std::string& name : memory.names(Role::in)) {
      if (!stored.has(name)) continue;
      forward.emplace(name, memory.values(name));
      memory.set(name, stored.values(name).values);
    }
    run_all(ctx, ops);
  }
};

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
  std::map<std::string, Array> forward;
  if (const Verdict verdict = run_case(c, reference_ctx, reference, BackwardFrom<T>{memory, forward}); !verdict)
    return reject(c.name(), ": reference: ", verdict.why);
  for (const std::string& name : reference.all_names()) {
    const auto noted = forward.find(name);
    const Array expected = noted != forward.end() ? noted->second : reference.values(name);
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
