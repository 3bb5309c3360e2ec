// One forward, loss and backward of a masked autoencoder, and the same without the backward.
#pragma once

#include <cmath>
#include <type_traits>

#include "detrack/core/instantiate.hpp"
#include "detrack/model/masked_autoencoder.hpp"

namespace detrack {

/// Keeps what a pass saves between its forward and its backward, so that a second pass of the same size allocates nothing.
template <class T>
class MaskedAutoencoderPass {
  static_assert(std::is_same_v<T, stat_t<T>>, "the targets are as exact as the images: float or double");

 public:
  /// images (B, 3, S, S), normalised RGB. Returns the mean over masked patches of the mean squared error to their pixels,
  /// each patch with its own mean and deviation taken off (He et al. 2022, section 3), and adds the gradients to the
  /// model's. Errors: shape; argument, where the mask does not fit or the model has no gradients.
  double run(Context<T>& ctx, MaskedAutoencoder<T>& model, View<const T> images, const TokenMask& mask) {
    const ArenaScope scope(ctx.arena());
    const Compared pair = forward(ctx, model, images, mask, {}, &saved_);
    const View<T> dprediction = ctx.arena().template allocate<T>(pair.prediction.shape());
    const std::int64_t R = pair.target.extent(0);
    const auto weight = transfer_.template upload<T>(ctx, {R}, [&](std::size_t) { return T(1.0 / static_cast<double>(R)); });
    ops::run(ctx, MseBackward<T>{.a = pair.prediction, .b = pair.target, .dy = weight, .da = dprediction});
    model.backward(ctx, dprediction, saved_);
    return mean_squared_error(ctx, pair);
  }

  /// The same loss without gradients. `prediction` (B Nm, 3 P^2), where present, receives the normalised pixels that the
  /// model predicts, in the order of mask.masked.
  double evaluate(Context<T>& ctx, const MaskedAutoencoder<T>& model, View<const T> images, const TokenMask& mask,
                  View<T> prediction = {}) {
    const ArenaScope scope(ctx.arena());
    return mean_squared_error(ctx, forward(ctx, model, images, mask, prediction, nullptr));
  }

 private:
  struct Compared {
    View<const T> prediction{}, target{};  ///< (B Nm, 3 P^2)
  };

  /// Into the context's arena.
  Compared forward(Context<T>& ctx, const MaskedAutoencoder<T>& model, View<const T> images, const TokenMask& mask,
                   View<T> prediction, typename MaskedAutoencoder<T>::Saved* saved) {
    const Config& c = model.config();
    ops::expect_rank(kName, "images", images.shape(), 4);
    const std::int64_t B = images.extent(0), S = c.search_size, width = model.patch_values();
    ops::expect(B >= 1, kName, "images", "a batch of at least 1", static_cast<double>(B));
    ops::expect_view(kName, "images", images, {B, 3, S, S});
    const MaskIndices at = upload_.run(ctx, mask, B, c.search_tokens());
    const auto allocate = [&](const Shape& shape) { return ctx.arena().template allocate<T>(shape); };
    const View<T> patches = allocate({B * c.search_tokens(), width}), target = allocate({at.masked.extent(0), width});
    if (!prediction) prediction = allocate(target.shape());
    ops::run(ctx, PatchifyForward<T>{.image = images, .patch = c.patch, .columns = patches});
    ops::run(ctx, EmbeddingForward<T>{.index = at.masked, .table = patches, .y = target});
    normalise_patches(ctx, target);
    model.forward(ctx, patches, at, prediction, saved);
    return {prediction, target};
  }

  /// In place: (x - mean) / sqrt(variance + eps), the variance of n values being the sum of squares over n - 1. With the sum
  /// over n, as layer norm has it, this is a layer norm with eps (n - 1) / n and scale sqrt((n - 1) / n).
  static void normalise_patches(Context<T>& ctx, View<T> patches) {
    constexpr double kEps = 1e-6;
    const ArenaScope scope(ctx.arena());
    const std::int64_t n = patches.extent(1);
    const double ratio = static_cast<double>(n - 1) / static_cast<double>(n);
    const View<T> scale = ctx.arena().template allocate<T>({n}), shift = ctx.arena().template allocate<T>({n});
    ops::run(ctx, Fill<T>{.value = std::sqrt(ratio), .y = scale});
    ops::run(ctx, Fill<T>{.value = 0, .y = shift});
    ops::run(ctx, LayerNormForward<T>{.x = patches, .gamma = scale, .beta = shift, .eps = kEps * ratio, .y = patches});
  }

  double mean_squared_error(Context<T>& ctx, const Compared& pair) {
    const ArenaScope scope(ctx.arena());
    const View<T> loss = ctx.arena().template allocate<T>({pair.target.extent(0)});
    ops::run(ctx, MseForward<T>{.a = pair.prediction, .b = pair.target, .y = loss});
    return transfer_.mean(ctx, loss);
  }

  static constexpr const char* kName = "MaskedAutoencoderPass";
  typename MaskedAutoencoder<T>::Saved saved_;
  MaskUpload<T> upload_;
  HostTransfer<T> transfer_;
};

DETRACK_INSTANTIATE(class MaskedAutoencoderPass<float>)
DETRACK_INSTANTIATE(class MaskedAutoencoderPass<double>)

}  // namespace detrack
