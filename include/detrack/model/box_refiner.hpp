// The box refiner: denoised box tokens, the trajectory before them, and the image, to refined box tokens.
#pragma once

#include <string>
#include <vector>

#include "detrack/core/instantiate.hpp"
#include "detrack/model/config.hpp"
#include "detrack/nn/attention.hpp"
#include "detrack/nn/layer_norm.hpp"
#include "detrack/nn/mlp.hpp"

namespace detrack {

/// Pre-norm layer: block-causal self-attention over steps, cross-attention to the image tokens, MLP.
template <class T>
struct RefineLayer {
  LayerNorm<T> norm1, norm2, norm3;
  SelfAttention<T> self_attn;
  CrossAttention<T> cross_attn;
  Mlp<T> mlp;

  struct Saved {
    typename LayerNorm<T>::Saved norm1{}, norm2{}, norm3{};
    typename SelfAttention<T>::Saved self_attn{};
    typename CrossAttention<T>::Saved cross_attn{};
    typename Mlp<T>::Saved mlp{};
  };

  RefineLayer() = default;
  RefineLayer(std::int64_t C, std::int64_t heads, std::int64_t ratio)
      : norm1(C), norm2(C), norm3(C), self_attn(C, heads), cross_attn(C, heads), mlp(C, ratio * C, C, Activation::gelu) {}

  /// x, y (B, n, C), image (B, N, C), mask (n, n). y may be x where nothing is saved.
  void forward(Context<T>& ctx, View<const T> x, View<const T> image, View<const std::uint8_t> mask, View<T> y,
               Saved* saved) const {
    ArenaScope scope(ctx.arena());
    const auto tokens = [&] { return ctx.arena().template allocate<T>(x.shape()); };
    const View<T> normed = tokens(), attended = tokens(), normed2 = tokens(), looked = tokens(), normed3 = tokens();
    const View<T> qkv = ctx.arena().template allocate<T>({x.extent(0), x.extent(1), 3 * x.extent(2)});
    self_attn.forward(ctx, norm1.ahead(ctx, x, normed, saved ? &saved->norm1 : nullptr), mask, x, qkv, attended,
                      saved ? &saved->self_attn : nullptr);
    cross_attn.forward(ctx, norm2.ahead(ctx, attended, normed2, saved ? &saved->norm2 : nullptr), image, attended, looked,
                       saved ? &saved->cross_attn : nullptr);
    mlp.forward(ctx, norm3.ahead(ctx, looked, normed3, saved ? &saved->norm3 : nullptr), looked, y,
                saved ? &saved->mlp : nullptr);
    if (saved) scope.keep();
  }

  /// dx (B, n, C) holds the output's gradient and becomes the input's; the image's is added to dimage (B, N, C).
  void backward(Context<T>& ctx, const Saved& saved, View<T> dx, View<T> dimage) {
    const ArenaScope scope(ctx.arena());
    const View<T> branch = ctx.arena().template allocate<T>(dx.shape());
    mlp.backward(ctx, dx, saved.mlp, branch);
    norm3.backward(ctx, branch, saved.norm3, dx, dx);
    {
      const ArenaScope inner(ctx.arena());
      const View<T> dmemory = ctx.arena().template allocate<T>(dimage.shape());
      cross_attn.backward(ctx, dx, saved.cross_attn, branch, dmemory);
      ops::run(ctx, Add<T>{.a = dimage, .b = dmemory, .y = dimage});
    }
    norm2.backward(ctx, branch, saved.norm2, dx, dx);
    const View<T> dqkv = ctx.arena().template allocate<T>({dx.extent(0), dx.extent(1), 3 * dx.extent(2)});
    self_attn.backward_attention(ctx, dx, saved.self_attn, dqkv);
    self_attn.backward_projection(ctx, dqkv, saved.self_attn, branch);
    norm1.backward(ctx, branch, saved.norm1, dx, dx);
  }

  template <class F>
  void visit(const std::string& prefix, F&& f) {
    norm1.visit(prefix + "norm1.", f);
    self_attn.visit(prefix + "self_attn.", f);
    norm2.visit(prefix + "norm2.", f);
    cross_attn.visit(prefix + "cross_attn.", f);
    norm3.visit(prefix + "norm3.", f);
    mlp.visit(prefix + "mlp.", f);
  }
};

/// k <= K previous boxes (oldest first) and the denoised one, each step's 4 tokens with that step's time embedding.
template <class T>
struct BoxRefiner {
  Param<T> time_embed;  ///< (K + 1, C), oldest first, the current step last
  std::vector<RefineLayer<T>> layers;
  LayerNorm<T> norm;
  /// (4 (K + 1), 4 (K + 1)): a token sees its own step and earlier ones. The leading part serves fewer steps.
  Tensor<std::uint8_t> mask;

  struct Saved {
    std::vector<typename RefineLayer<T>::Saved> layers;
    typename LayerNorm<T>::Saved norm{};
    std::int64_t steps = 0;  ///< k + 1
  };

  BoxRefiner() = default;
  static Shape mask_shape(const Config& c) { return {4 * (c.trajectory + 1), 4 * (c.trajectory + 1)}; }
  /// A host view of mask_shape().
  static void fill_mask(View<std::uint8_t> mask) {
    for (std::int64_t i = 0; i < mask.extent(0); ++i)
      for (std::int64_t j = 0; j < mask.extent(1); ++j) mask(i, j) = j / 4 <= i / 4;
  }

  /// `mask` is made by DeTrack, which knows the device.
  explicit BoxRefiner(const Config& c) : time_embed({c.trajectory + 1, c.width}), norm(c.width) {
    for (std::int64_t i = 0; i < c.refine_layers; ++i) layers.emplace_back(c.width, c.refine_heads, c.mlp_ratio);
  }

  /// box (B, 4, C); trajectory (B, k, 4, C) with k from 0 to K, absent for 0; image (B, N, C) -> refined (B, 4, C).
  void forward(Context<T>& ctx, View<const T> box, View<const T> trajectory, View<const T> image, View<T> refined,
               Saved* saved) const {
    const std::int64_t B = box.extent(0), C = box.extent(2), steps = (trajectory ? trajectory.extent(1) : 0) + 1;
    if (steps > time_embed.shape[0])
      fail(ErrorCode::shape, "BoxRefiner: trajectory: expected at most ", time_embed.shape[0] - 1, " boxes, got ",
           steps - 1);
    ArenaScope scope(ctx.arena());
    View<T> x = ctx.arena().template allocate<T>({B, steps, 4, C});
    if (steps > 1) ops::run(ctx, Add<T>{.a = trajectory, .y = x.slice(1, 0, steps - 1)});
    ops::run(ctx, Add<T>{.a = box, .y = x.select(1, steps - 1)});
    const View<const T> times = time_rows(time_embed.value, steps);
    for (int slot = 0; slot < 4; ++slot) {
      const View<T> of_slot = x.select(2, slot);
      ops::run(ctx, PositionEmbeddingForward<T>{.x = of_slot, .embedding = times, .y = of_slot});
    }
    x = x.reshape({B, 4 * steps, C});

    const View<const std::uint8_t> seen = mask.view().slice(0, 0, 4 * steps).slice(1, 0, 4 * steps);
    if (saved) saved->layers.resize(layers.size());
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const View<T> y = saved ? ctx.arena().template allocate<T>(x.shape()) : x;
      layers[i].forward(ctx, x, image, seen, y, saved ? &saved->layers[i] : nullptr);
      x = y;
    }
    const View<T> current = ctx.arena().template allocate<T>({B, 4, C});
    ops::run(ctx, Add<T>{.a = x.slice(1, 4 * (steps - 1), 4), .y = current});
    norm.forward(ctx, current, refined, saved ? &saved->norm : nullptr);
    if (saved) {
      saved->steps = steps;
      scope.keep();
    }
  }

  /// dbox (B, 4, C) and dtrajectory (B, k, 4, C) are overwritten; the image's gradient is added to dimage (B, N, C).
  void backward(Context<T>& ctx, View<const T> drefined, const Saved& saved, View<T> dbox, View<T> dtrajectory,
                View<T> dimage) {
    const std::int64_t B = drefined.extent(0), C = drefined.extent(2), steps = saved.steps;
    const ArenaScope scope(ctx.arena());
    const View<T> dcurrent = ctx.arena().template allocate<T>(drefined.shape());
    norm.backward(ctx, drefined, saved.norm, {}, dcurrent);
    const View<T> dx = ctx.arena().template allocate<T>({B, 4 * steps, C});
    ops::run(ctx, Fill<T>{.value = 0, .y = dx});
    ops::run(ctx, Add<T>{.a = dcurrent, .y = dx.slice(1, 4 * (steps - 1), 4)});
    for (std::size_t i = layers.size(); i-- > 0;) layers[i].backward(ctx, saved.layers[i], dx, dimage);

    const View<T> dtokens = dx.reshape({B, steps, 4, C});
    for (int slot = 0; slot < 4; ++slot)
      ops::run(ctx,
               PositionEmbeddingBackward<T>{.dy = dtokens.select(2, slot), .dembedding = time_rows(time_embed.grad, steps)});
    ops::run(ctx, Add<T>{.a = dtokens.select(1, steps - 1), .y = dbox});
    if (steps > 1) ops::run(ctx, Add<T>{.a = dtokens.slice(1, 0, steps - 1), .y = dtrajectory});
  }

  template <class F>
  void visit(const std::string& prefix, F&& f) {
    f(prefix + "time_embed", time_embed);
    for (std::size_t i = 0; i < layers.size(); ++i) layers[i].visit(prefix + "layers." + std::to_string(i) + ".", f);
    norm.visit(prefix + "norm.", f);
  }

 private:
  /// The last `steps` rows of the table. One row would be read as "for all places", which is the same thing: one place.
  static View<T> time_rows(View<T> table, std::int64_t steps) { return table.slice(0, table.extent(0) - steps, steps); }
};

DETRACK_INSTANTIATE(struct RefineLayer<float>)
DETRACK_INSTANTIATE(struct RefineLayer<double>)
DETRACK_INSTANTIATE(struct BoxRefiner<float>)
DETRACK_INSTANTIATE(struct BoxRefiner<double>)

}  // namespace detrack
