// One forward, losses and backward: what a training step does before the optimizer.
#pragma once

#include "detrack/core/instantiate.hpp"
#include "detrack/model/buffers.hpp"
#include "detrack/model/iou_pass.hpp"
#include "detrack/model/losses.hpp"

namespace detrack {

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
      values.iou = iou_pass_.run(ctx, model, iou, out.image, iou_out, dimage);
    model.backward(ctx, saved_, dlogits, dstep_logits, dimage);
    return values;
  }

 private:
  typename DeTrack<T>::Saved saved_;
  IouPass<T> iou_pass_;
  Losses<T> losses_;
};

DETRACK_INSTANTIATE(class TrainingPass<float>)
DETRACK_INSTANTIATE(class TrainingPass<double>)

}  // namespace detrack
