// Attention on the (emulated) GPU: every path of it around the edges of its tiles, against the reference in double.
#include "tests/ops/cases/attention.hpp"

#include "tests/cuda/machine.hpp"
#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

namespace {

/// Share of the largest element of an array by which each element may be wrong. An array whose largest is below 1 counts as
/// 1: with one key, for example, dq and dk are what is left when numbers of that size cancel.
struct AttentionBounds {
  double y, lse, gradients;
};

template <class T>
AttentionBounds attention_bounds() {
  // A score of 50, which scale = 3 leads to, is 3e-6 off in float, and its probability as much of itself.
  if (sizeof(T) == 4) return {4e-6, 2e-6, 2e-5};
  // One unit in the last place is between 1/256 and 1/128 of a number. The output is rounded once, and so are, on the tensor
  // cores, the probabilities that weigh it (1/512 each, of independent signs). dv repeats this with many rows; dq and dk
  // also round ds, whose terms may be larger than their sum. lse and the arithmetic are float.
  return {1.0 / 256, 2e-6, 1.0 / 128};
}

template <class T>
Verdict within(const Memory<T>& got, const Memory<double>& exact, const std::string& name, double bound) {
  const Array expected = exact.values(name);
  if (expected.values.empty()) return {};
  double largest = 1;
  for (const double x : expected.values)
    if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
  const Verdict verdict = compare(got.values(name), expected, {.atol = bound * largest, .infinities = Infinities::expected});
  return verdict ? verdict : reject(name, ": ", verdict.why);
}

/// Outputs and gradients against the reference in double, which reads the very numbers that the device read: its inputs as
/// they were rounded and, for the backward, its y and lse.
template <class T, class Case>
Verdict attends_accurately(const Case& c, const Memory<T>& got) {
  auto ctx = reference_context<double>();
  Memory<double> exact(ctx);
  const auto read_what_was_read = [&] {
    for (const std::string& name : exact.names(Role::in)) exact.set(name, got.values(name).values);
  };
  const auto forward = c.forward(exact);
  read_what_was_read();
  run_all(ctx, forward);
  if (const Verdict verdict = within(got, exact, "y", attention_bounds<T>().y); !verdict) return verdict;
  if (const Verdict verdict = within(got, exact, "lse", attention_bounds<T>().lse); !verdict) return verdict;
  exact.freeze();
  const auto backward = c.backward(exact);
  read_what_was_read();
  run_all(ctx, backward);
  for (const std::string& name : exact.names(Role::out))
    if (const Verdict verdict = within(got, exact, name, attention_bounds<T>().gradients); !verdict) return verdict;
  return {};
}

/// The same bits whatever the order in which threads run, and those are right.
template <class T, class Case>
void check_attention(const Case& c, Layout layout = kPacked) {
  std::map<std::string, std::vector<double>> first;
  MachineScope machine;
  for (const auto order : kOrders) {
    machine->order = order;
    auto ctx = cuda::make_context<T>();
    Memory<T> memory(ctx, layout);
    const Verdict verdict = run_case(c, ctx, memory, RunBackward{});
    CHECK_MESSAGE(static_cast<bool>(verdict), c.name() << ", " << sizeof(T) << " bytes: " << verdict.why);
    if (!verdict) break;
    if (order == Order::forward) {
      const Verdict right = attends_accurately(c, memory);
      CHECK_MESSAGE(static_cast<bool>(right), c.name() << ", " << sizeof(T) << " bytes: " << right.why);
    }
    for (const std::string& name : memory.all_names()) {
      const std::vector<double> values = memory.values(name).values;
      CHECK_MESSAGE(first.emplace(name, values).first->second == values, c.name() << ": " << name << " does not repeat");
    }
  }
}

template <class Case>
void check_attention_both(const Case& c, Layout layout = kPacked) {
  check_attention<float>(c, layout);
  check_attention<bfloat16>(c, layout);
}

struct ScaledAttentionCase : AttentionCase {
  double scale = 1;
  template <class T>
  auto forward(Memory<T>& m) const {
    auto op = AttentionCase::forward(m);
    op.scale = scale;
    return op;
  }
  template <class T>
  auto backward(Memory<T>& m) const {
    auto op = AttentionCase::backward(m);
    op.scale = scale;
    return op;
  }
};

}  // namespace

TEST_CASE("cuda attention: token counts around the edges of tiles") {
  check_attention_both(AttentionCase{.Nq = 64, .Nk = 64, .H = 1, .D = 32});
  check_attention_both(AttentionCase{.Nq = 63, .Nk = 65, .H = 1, .D = 64});
  check_attention_both(AttentionCase{.Nq = 65, .Nk = 63, .H = 1, .D = 32});
  check_attention_both(AttentionCase{.Nq = 17, .Nk = 130, .H = 2, .D = 32});
  check_attention_both(AttentionCase{.Nq = 130, .Nk = 1, .H = 1, .D = 64});
}

TEST_CASE("cuda attention: blocks of 128 queries when there are enough") {
  check_attention<bfloat16>(AttentionCase{.B = 1, .Nq = 130, .Nk = 65, .H = 4, .D = 32});
  check_attention<bfloat16>(AttentionCase{.B = 4, .Nq = 100, .Nk = 30, .H = 2, .D = 64});
}

TEST_CASE("cuda attention: few queries") {
  for (const std::int64_t Nk : {5, 64, 257}) {
    check_attention_both(AttentionCase{.Nq = 1, .Nk = Nk, .H = 1, .D = 64});   // a block a query
    check_attention_both(AttentionCase{.Nq = 4, .Nk = Nk, .H = 2, .D = 32});   // four queries a block
    check_attention_both(AttentionCase{.Nq = 16, .Nk = Nk, .H = 1, .D = 32});  // several blocks
  }
  check_attention_both(AttentionCase{.B = 2, .Nq = 7, .Nk = 70, .H = 2, .D = 32, .mask = Mask::scattered});
  check_attention_both(AttentionCase{.Nq = 3, .Nk = 70, .H = 1, .D = 64, .mask = Mask::scattered});
  check_attention_both(AttentionCase{.Nq = 2, .Nk = 300, .H = 1, .D = 32, .mask = Mask::causal});  // most warps see nothing
}

TEST_CASE("cuda attention: masks") {
  for (const Mask mask : {Mask::causal, Mask::scattered}) {
    check_attention_both(AttentionCase{.Nq = 70, .Nk = 70, .H = 1, .D = 32, .mask = mask});
    check_attention<bfloat16>(AttentionCase{.Nq = 20, .Nk = 100, .H = 1, .D = 64, .mask = mask});
  }
}

TEST_CASE("cuda attention: columns of one projection") {
  check_attention_both(FusedAttentionCase{.B = 2, .N = 70, .n = 66, .H = 2, .D = 32});
  check_attention_both(FusedAttentionCase{.B = 1, .N = 33, .n = 33, .H = 1, .D = 64});
  check_attention_both(FusedAttentionCase{.B = 2, .N = 9, .n = 7, .H = 3, .D = 64});
}

TEST_CASE("cuda attention: rows that cannot be read 16 bytes at a time, and other head dimensions") {
  check_attention_both(AttentionCase{.Nq = 66, .Nk = 65, .H = 1, .D = 32}, kStrided);
  check_attention_both(AttentionCase{.Nq = 4, .Nk = 65, .H = 2, .D = 64}, kStrided);
  check_attention_both(AttentionCase{.Nq = 40, .Nk = 65, .H = 2, .D = 48});
  check_attention_both(AttentionCase{.Nq = 65, .Nk = 40, .H = 1, .D = 128, .mask = Mask::scattered});
  check_attention_both(AttentionCase{.Nq = 3, .Nk = 33, .H = 1, .D = 100}, kStrided);
}

TEST_CASE("cuda attention: any scale") {
  for (const double scale : {-0.2, 0.0, 3.0}) {
    check_attention_both(ScaledAttentionCase{{.Nq = 20, .Nk = 40, .H = 1, .D = 32, .mask = Mask::scattered}, scale});
    check_attention_both(ScaledAttentionCase{{.Nq = 20, .Nk = 70, .H = 1, .D = 32}, scale});
    check_attention_both(ScaledAttentionCase{{.Nq = 4, .Nk = 40, .H = 1, .D = 32}, scale});
  }
}

TEST_CASE("cuda attention: no query") {
  check_attention_both(AttentionCase{.Nq = 0, .Nk = 40, .H = 1, .D = 32});
  check_attention_both(AttentionCase{.Nq = 0, .Nk = 40, .H = 1, .D = 8});
}

TEST_CASE("cuda attention: without lse the output is the same") {
  for (const std::int64_t Nq : {4, 20}) {
    auto ctx = cuda::make_context<bfloat16>();
    Memory<bfloat16> memory(ctx);
    auto op = AttentionCase{.Nq = Nq, .Nk = 40, .H = 2, .D = 32}.forward(memory);
    run_all(ctx, op);
    const Array with_lse = memory.values("y");
    op.lse = {};
    run_all(ctx, op);
    require(compare(memory.values("y"), with_lse, {}));
  }
}

TEST_CASE("cuda attention: heads of more than 128 are refused") {
  auto ctx = cuda::make_context<float>();
  Memory<float> memory(ctx);
  const AttentionCase c{.Nq = 2, .Nk = 2, .H = 1, .D = 129};
  CHECK_THROWS_WITH_AS(run_all(ctx, c.forward(memory)), doctest::Contains("head dimension of at most 128, got 129"), Error);
}
