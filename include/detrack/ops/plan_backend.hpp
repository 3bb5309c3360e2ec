// The backend that computes nothing and counts everything: FLOPs, bytes and, through its arena, memory.
#pragma once

#include <map>
#include <string>

#include "detrack/core/instantiate.hpp"
#include "detrack/ops/backend.hpp"

namespace detrack {

struct Cost {
  double flops = 0;  ///< a fused multiply-add counts as two
  double bytes = 0;  ///< each view of each operation counted once
  long runs = 0;
};

/// Runs a program without data: its views are addresses nobody reads. After a run, total() and by_operation() tell what
/// it would cost and the context's arena().peak() how much scratch memory it needs.
template <class T>
class PlanBackend final : public Backend<T> {
 public:
  /// `side_by_side`: plans for a backend that keeps more memory, because it runs operations beside each other.
  explicit PlanBackend(bool side_by_side = false) : side_by_side_(side_by_side) {}

  std::string describe() const override { return "plan: counts, computes nothing"; }
  bool runs_side_by_side() const override { return side_by_side_; }
  void copy_bytes(void*, const void*, std::size_t) override {}

#define DETRACK_COUNT_OP(Op)           \
  void run(const Op<T>& op) override { \
    count(op);                         \
  }
  DETRACK_FOR_EACH_OP(DETRACK_COUNT_OP)
#undef DETRACK_COUNT_OP

  const Cost& total() const {
    return total_;
  }
  const std::map<std::string, Cost>& by_operation() const {
    return by_operation_;
  }

 private:
  template <class Op>
  void count(const Op& op) {
    const double flops = op.flops(), bytes = ops::bytes_moved(op);
    for (Cost* cost : {&total_, &by_operation_[Op::kName]}) {
      cost->flops += flops;
      cost->bytes += bytes;
      ++cost->runs;
    }
  }
  bool side_by_side_;
  Cost total_;
  std::map<std::string, Cost> by_operation_;
};

/// A context that plans: give its backend to read the counts from.
template <class T>
Context<T> plan_context(std::shared_ptr<PlanBackend<T>> backend = std::make_shared<PlanBackend<T>>()) {
  return Context<T>(std::move(backend), plan_allocator());
}

DETRACK_INSTANTIATE(class PlanBackend<float>)
DETRACK_INSTANTIATE(class PlanBackend<double>)

}  // namespace detrack
