// One forward, losses and backward: what a training step does before the optimizer.
#pragma once

#include <span>

#include "detrack/model/buffers.hpp"
#include "detrack/model/losses.hpp"

namespace detrack {

/// What the IoU head is to learn in a pass, one entry a sample, on the host; empty: the head is left out.
struct IouTask {
  std::span<const CropBox> boxes;  ///< crop units
  std::span<const double> truth;   ///< their overlap with the target
};

struct PassValues {
  LossValues box;
  double iou = 0;  ///< mean squared error of the predicted overlaps
};

/// Keeps what a pass saves between its forward and its backward, so that a second pass of the same size allocates nothing.
template <class T>
class TrainingPass {
 public:
  /// `recompute`: less scratch memory for more work; see DenoisingViT::Saved.
  TrainingPass(const Config& config, const LossWeights& weights, bool recompute = false) : losses_(config, weights) {
    saved_.backbone.recompute = recompute;
  }

  /// Fills `out` (all of it must be there but `confidence` and `step_boxes`) and `iou_out` (B, 1), and adds the gradients of
  /// box.total + iou to the model's.
  PassValues run(Context<T>& ctx, DeTrack<T>& model, const ModelInputs<T>& in, const ModelOutputs<T>& out, View<T> iou_out,
                 const LossTargets& targets, const IouTask& iou = {}) {
    const ArenaScope scope(ctx.arena());
    PassValues values;
    model.forward(ctx, in, out, &saved_);
    const View<stat_t<T>> dlogits = ctx.arena().template allocate<stat_t<T>>(out.logits.shape());
    const View<stat_t<T>> dstep_logits = ctx.arena().template allocate<stat_t<T>>(out.step_logits.shape());
    values.box = losses_.run(ctx, out.logits, out.box, out.step_logits, targets, dlogits, dstep_logits);

    const View<T> dimage = ctx.arena().template allocate<T>(out.image.shape());
    if (iou.boxes.empty())
      ops::run(ctx, Fill<T>{.value = 0, .y = dimage});
    else
      values.iou = run_iou(ctx, model, iou, out.image, iou_out, dimage);
    model.backward(ctx, saved_, dlogits, dstep_logits, dimage);
    return values;
  }

 private:
  /// Overwrites dimage with what the IoU head sends back.
  double run_iou(Context<T>& ctx, DeTrack<T>& model, const IouTask& task, View<const T> image, View<T> predicted,
                 View<T> dimage) {
    const std::int64_t B = image.extent(0);
    for (const std::size_t size : {task.boxes.size(), task.truth.size()})
      if (size != static_cast<std::size_t>(B))
        fail(ErrorCode::argument, "TrainingPass: iou: expected ", B, " samples, got ", size);
    const ArenaScope scope(ctx.arena());
    const auto boxes =
        transfer_.template upload<double>(ctx, {B, 4}, [&](std::size_t i) { return task.boxes[i / 4][i % 4]; });
    const auto truth =
        transfer_.template upload<stat_t<T>>(ctx, {B, 1}, [&](std::size_t i) { return stat_t<T>(task.truth[i]); });
    const auto weight =
        transfer_.template upload<stat_t<T>>(ctx, {B}, [&](std::size_t) { return stat_t<T>(1.0 / static_cast<double>(B)); });
    const View<stat_t<T>> loss = ctx.arena().template allocate<stat_t<T>>({B});
    const View<T> dpredicted = ctx.arena().template allocate<T>({B, 1});
    model.predict_iou(ctx, boxes, image, predicted, &iou_saved_);
    ops::run(ctx, MseForward<T>{.a = predicted, .b = truth, .y = loss});
    ops::run(ctx, MseBackward<T>{.a = predicted, .b = truth, .dy = weight, .da = dpredicted});
    model.predict_iou_backward(ctx, dpredicted, iou_saved_, dimage);
    return transfer_.mean(ctx, loss);
  }

  typename DeTrack<T>::Saved saved_;
  typename DeTrack<T>::IouSaved iou_saved_;
  Losses<T> losses_;
  HostTransfer<T> transfer_;
};

}  // namespace detrack
