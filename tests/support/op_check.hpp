// Checks of an operation and its gradient on the reference backend: adjoint identity, assignment semantics, and mutants.
#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "detrack/ops/reference_backend.hpp"
#include "tests/support/memory.hpp"

namespace detrack::test {

// A test case is a small struct with
//   name()               for messages
//   forward(memory)      an operation, or a tuple of operations run one after the other
//   backward(memory)     the same for the gradients, in the memory the forward ran in; absent where there are none
// both templates over the scalar type. Every array d<name> that the backward writes is checked as the gradient of the
// forward's input <name>, given the cotangents d<name> of the forward's outputs that it reads.

template <class Ops>
auto as_tuple(Ops ops) {
  if constexpr (requires { std::tuple_size<Ops>::value; })
    return ops;
  else
    return std::make_tuple(ops);
}

template <class T, class Ops>
void run_all(Context<T>& ctx, const Ops& ops) {
  std::apply([&](const auto&... op) { (ops::run(ctx, op), ...); }, as_tuple(ops));
}

template <class Case, class T>
concept HasBackward = requires(const Case& c, Memory<T>& memory) {
  c.backward(memory);
};

/// Runs a case in a memory, forward and backward; inputs untouched, outputs overwritten and finite.
/// Gradients may be run by another function than run_all, which is how the checks themselves are tested.
template <class T, class Case, class RunBackward>
Verdict run_case(const Case& c, Context<T>& ctx, Memory<T>& memory, RunBackward&& run_backward) {
  run_all(ctx, c.forward(memory));
  if (const Verdict verdict = memory.intact(); !verdict) return reject("forward: ", verdict.why);
  if constexpr (HasBackward<Case, T>) {
    memory.freeze();
    run_backward(ctx, memory, as_tuple(c.backward(memory)));
    if (const Verdict verdict = memory.intact(); !verdict) return reject("backward: ", verdict.why);
  }
  return {};
}

struct RunBackward {
  template <class T, class Ops>
  void operator()(Context<T>& ctx, Memory<T>&, const Ops& ops) const {
    run_all(ctx, ops);
  }
};

namespace detail {

inline double dot(const Array& a, const Array& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) sum += a.values[i] * b.values[i];
  return sum;
}
inline double norm(const Array& a) {
  return std::sqrt(dot(a, a));
}

}  // namespace detail

/// <J v, w> = <v, J^T w> for random v and w, one input at a time: J v by dual numbers, J^T w by the backward in double.
template <class Case, class Run = RunBackward>
Verdict check_gradients(const Case& c, Layout layout = kPacked, Run&& run_backward = {}) {
  auto ctx = reference_context<double>();
  Memory<double> memory(ctx, layout), names(ctx);
  run_all(ctx, c.forward(names));  // only to learn what belongs to the forward
  if (const Verdict verdict = run_case(c, ctx, memory, run_backward); !verdict) return reject(c.name(), ": ", verdict.why);

  int checked = 0;
  for (const std::string& input : names.names(Role::in)) {
    if (!memory.has("d" + input)) continue;
    auto dual_ctx = reference_context<Dual>();
    Memory<Dual> dual(dual_ctx, kPacked, input);
    run_all(dual_ctx, c.forward(dual));
    const Array v = dual.derivatives(input), gradient = memory.change("d" + input);
    const double right = detail::dot(v, gradient);
    double left = 0, scale = detail::norm(v) * detail::norm(gradient);
    for (const std::string& output : names.names(Role::out)) {
      if (!memory.has("d" + output)) continue;
      const Array slope = dual.derivatives(output), w = memory.values("d" + output);
      left += detail::dot(slope, w);
      scale += (detail::norm(slope) + 1e-3 * detail::norm(v)) * detail::norm(w);
    }
    if (!(std::abs(left - right) <= 1e-12 * scale))
      return reject(c.name(), ": gradient of ", input, ": <Jv, w> = ", left, ", <v, J^T w> = ", right);
    ++checked;
  }
  return checked ? Verdict{} : reject(c.name(), ": no gradient was checked");
}

/// The checks must reject a backward whose results were spoilt: each gradient in turn with its sign flipped, with its
/// largest element dropped, and assigned where it should be added or added where it should be assigned.
template <class Case>
Verdict rejects_mutants(const Case& c) {
  auto ctx = reference_context<double>();
  Memory<double> forward(ctx), both(ctx);
  run_all(ctx, c.forward(forward));
  if (const Verdict verdict = run_case(c, ctx, both, RunBackward{}); !verdict) return verdict;

  struct Mutation {
    const char* what;
    std::function<void(std::vector<double>& result, const std::vector<double>& change)> apply;
  };
  const auto largest = [](const std::vector<double>& x) {
    std::size_t at = 0;
    for (std::size_t i = 1; i < x.size(); ++i)
      if (std::abs(x[i]) > std::abs(x[at])) at = i;
    return at;
  };
  const Mutation mutations[] = {
      {"sign flipped",
       [](auto& result, const auto& change) {
         for (std::size_t i = 0; i < result.size(); ++i) result[i] -= 2 * change[i];
       }},
      {"element dropped", [&](auto& result, const auto& change) { result[largest(change)] -= change[largest(change)]; }},
      {"one part in a million wrong",
       [&](auto& result, const auto& change) { result[largest(change)] += 1e-6 * change[largest(change)]; }},
      {"not written", [](auto& result, const auto&) { result.back() = std::nan(""); }},
      {"not added to", [](auto& result, const auto& change) { result = change; }},
  };
  int applied = 0;
  for (const std::string& input : forward.names(Role::in)) {
    const std::string gradient = "d" + input;
    if (!both.has(gradient)) continue;
    for (const Mutation& mutation : mutations) {
      bool changed = false;
      const Verdict verdict = check_gradients(c, kPacked, [&](auto& context, auto& memory, const auto& ops) {
        run_all(context, ops);
        const std::vector<double> before = memory.values(gradient).values;
        std::vector<double> result = before;
        mutation.apply(result, memory.change(gradient).values);
        memory.set(gradient, result);
        changed = result != before;
      });
      if (!changed) continue;  // "not added to" says nothing of a gradient that is assigned
      ++applied;
      if (verdict) return reject(c.name(), ": the checks accept ", gradient, " with ", mutation.what);
    }
  }
  return applied >= 4 ? Verdict{} : reject(c.name(), ": too few mutants");
}

/// A run_backward for check_gradients with arguments changed on the way: what a forgotten factor would compute.
template <class Edit>
auto edited(Edit edit) {
  return [edit](auto& ctx, auto&, auto ops) {
    std::apply([&](auto&... op) { (edit(op), ...); }, ops);
    run_all(ctx, ops);
  };
}

}  // namespace detrack::test
