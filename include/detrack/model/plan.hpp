// What a run costs, before it is made: scratch memory, FLOPs, bytes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "detrack/model/training_pass.hpp"
#include "detrack/ops/plan_backend.hpp"

namespace detrack {

struct Plan {
  std::size_t arena_bytes = 0, side_arena_bytes = 0;
  Cost cost;
  std::map<std::string, Cost> by_operation;
};

/// Runs the model on the plan backend: the same code, no data. Training counts forward, losses and backward, IoU head
/// included; otherwise a forward and a predict_iou. `checks` and `side_by_side` must be what the context that will run has.
/// Errors: config, shape.
template <class T>
Plan plan(const Config& config, const RunShape& run, bool training = false, bool checks = false, bool side_by_side = false) {
  const auto backend = std::make_shared<PlanBackend<T>>(side_by_side);
  Context<T> ctx = plan_context<T>(backend);
  ctx.set_checks(checks);
  DeTrack<T> model(config, plan_allocator());
  const InputBuffers<T> in(config, run, plan_allocator());
  RunShape wanted = run;
  wanted.steps |= training;
  OutputBuffers<T> out(config, wanted, plan_allocator());
  if (training) {
    model.allocate_gradients();
    const auto B = static_cast<std::size_t>(run.batch);
    const std::vector<CropBox> boxes(B, CropBox{});
    const std::vector<double> t(B, 0);
    const std::vector<CropBox> judged(B * static_cast<std::size_t>(run.judged), CropBox{});
    const std::vector<double> overlap(judged.size(), 0);
    const std::vector<std::uint8_t> noised(B, 0);
    TrainingPass<T>(config, {}, run.recompute)
        .run(ctx, model, in.views(), out.views(), out.iou.view(), {boxes, boxes, boxes, t, noised}, {judged, overlap});
  } else {
    model.forward(ctx, in.views(), out.views());
    const Tensor<double> judged({run.batch * run.judged, 4}, plan_allocator());
    model.predict_iou(ctx, judged.view(), out.image.view(), out.iou.view());
  }
  return {ctx.arena().peak(), ctx.side_arena().peak(), backend->total(), backend->by_operation()};
}

/// Gives a context the scratch memory such a run needs. Returns the plan.
template <class T>
Plan reserve(Context<T>& ctx, const Config& config, const RunShape& run, bool training = false) {
  Plan made = plan<T>(config, run, training, ctx.checks(), ctx.backend().runs_side_by_side());
  ctx.arena().reserve(made.arena_bytes);
  ctx.side_arena().reserve(made.side_arena_bytes);
  return made;
}

}  // namespace detrack
