// The IoU head: how well a given box fits, as the predicted overlap with the target.
#pragma once

#include <string>

#include "detrack/core/instantiate.hpp"
#include "detrack/model/config.hpp"
#include "detrack/nn/attention.hpp"
#include "detrack/nn/layer_norm.hpp"
#include "detrack/nn/mlp.hpp"

namespace detrack {

/// The 4 word tokens of a box attend to the image tokens; their mean goes through an MLP and a sigmoid. Any number of boxes
/// may be judged in one image, which is projected once for all of them.
template <class T>
struct IouHead {
  LayerNorm<T> norm;
  CrossAttention<T> cross_attn;
  Mlp<T> mlp;  ///< fc1 (C, C), fc2 (1, C), named directly under the head

  struct Saved {
    typename LayerNorm<T>::Saved norm{};
    typename CrossAttention<T>::Saved cross_attn{};
    typename Mlp<T>::Saved mlp{};
    View<T> logit{};  ///< (B n, 1)
  };

  IouHead() = default;
  explicit IouHead(const Config& c)
      : norm(c.width), cross_attn(c.width, c.refine_heads), mlp(c.width, c.width, 1, Activation::gelu) {}

  /// box (B n, 4, C), the n boxes of an image side by side, image (B, N, C) -> iou (B n, 1) in (0, 1).
  void forward(Context<T>& ctx, View<const T> box, View<const T> image, View<T> iou, Saved* saved) const {
    const std::int64_t boxes = box.extent(0), C = box.extent(2);
    const View<const T> x = box.reshape({image.extent(0), boxes / image.extent(0) * 4, C});  // all tokens of an image
    ArenaScope scope(ctx.arena());
    const View<T> normed = ctx.arena().template allocate<T>(x.shape());
    const View<T> looked = ctx.arena().template allocate<T>(x.shape());
    const View<T> mean = ctx.arena().template allocate<T>({boxes, C});
    const View<T> logit = ctx.arena().template allocate<T>({boxes, 1});
    cross_attn.forward(ctx, norm.ahead(ctx, x, normed, saved ? &saved->norm : nullptr), image, x, looked,
                       saved ? &saved->cross_attn : nullptr);
    ops::run(ctx, MeanTokensForward<T>{.x = looked.reshape(box.shape()), .y = mean});
    mlp.forward(ctx, mean, {}, logit, saved ? &saved->mlp : nullptr);
    ops::run(ctx, ActivationForward<T>{.kind = Activation::sigmoid, .x = logit, .y = iou});
    if (saved) {
      saved->logit = logit;
      scope.keep();
    }
  }

  /// diou (B n, 1). Overwrites dbox (B n, 4, C) and dimage (B, N, C).
  void backward(Context<T>& ctx, View<const T> diou, const Saved& saved, View<T> dbox, View<T> dimage) {
    const std::int64_t boxes = dbox.extent(0), C = dbox.extent(2);
    const View<T> dx = dbox.reshape({dimage.extent(0), boxes / dimage.extent(0) * 4, C});
    const ArenaScope scope(ctx.arena());
    const View<T> dlogit = ctx.arena().template allocate<T>({boxes, 1});
    const View<T> dmean = ctx.arena().template allocate<T>({boxes, C});
    const View<T> dlooked = ctx.arena().template allocate<T>(dx.shape());
    const View<T> dnormed = ctx.arena().template allocate<T>(dx.shape());
    ops::run(ctx, ActivationBackward<T>{.kind = Activation::sigmoid, .x = saved.logit, .dy = diou, .dx = dlogit});
    mlp.backward(ctx, dlogit, saved.mlp, dmean);
    ops::run(ctx, MeanTokensBackward<T>{.dy = dmean, .dx = dlooked.reshape(dbox.shape())});
    cross_attn.backward(ctx, dlooked, saved.cross_attn, dnormed, dimage);
    norm.backward(ctx, dnormed, saved.norm, dlooked, dx);
  }

  template <class F>
  void visit(const std::string& prefix, F&& f) {
    norm.visit(prefix + "norm.", f);
    cross_attn.visit(prefix + "cross_attn.", f);
    mlp.visit(prefix, f);
  }
};

DETRACK_INSTANTIATE(struct IouHead<float>)
DETRACK_INSTANTIATE(struct IouHead<double>)

}  // namespace detrack
