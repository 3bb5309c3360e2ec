// The block of a Vision Transformer: attention and MLP, each on normed tokens and added to them.
#pragma once

#include <string>

#include "detrack/core/instantiate.hpp"
#include "detrack/nn/attention.hpp"
#include "detrack/nn/layer_norm.hpp"
#include "detrack/nn/mlp.hpp"

namespace detrack {

/// x' = x + attention(LN x);  y = x' + MLP(LN x')   [Dosovitskiy et al. 2021, eqs. 2 and 3]
/// In training each sample may drop either branch [Huang et al. 2016].
template <class T>
struct VitBlock {
  LayerNorm<T> norm1, norm2;
  SelfAttention<T> attn;
  Mlp<T> mlp;

  struct Saved {
    typename LayerNorm<T>::Saved norm1{}, norm2{};
    typename SelfAttention<T>::Saved attn{};
    typename Mlp<T>::Saved mlp{};
    View<const stat_t<T>> keep{};
  };

  VitBlock() = default;
  VitBlock(std::int64_t C, std::int64_t heads, std::int64_t ratio)
      : norm1(C), norm2(C), attn(C, heads), mlp(C, ratio * C, C, Activation::gelu) {}

  /// image (B, N, C) -> image_out, which may be image where nothing is saved; qkv (B, N, 3C) receives the projection.
  /// keep (2, B): factors of each sample's attention and MLP branch (drop path: 0 or 1 / (1 - p)), which a backward reads
  /// again; absent where none is dropped. With image_out absent only what a backward needs is computed.
  void forward_image(Context<T>& ctx, View<const T> image, View<T> qkv, View<T> image_out, Saved* saved,
                     View<const stat_t<T>> keep = {}) const {
    ArenaScope scope(ctx.arena());
    const View<T> normed = ctx.arena().template allocate<T>(image.shape());
    norm1.forward(ctx, image, normed, saved ? &saved->norm1 : nullptr);
    const View<T> attended = saved ? ctx.arena().template allocate<T>(image.shape()) : image_out;
    add_branch(ctx, keep, 0, image, attended, saved ? attended : normed, [&](View<const T> residual, View<T> y) {
      attn.forward(ctx, normed, {}, residual, qkv, y, saved ? &saved->attn : nullptr);
    });
    const View<T> normed2 = saved ? ctx.arena().template allocate<T>(image.shape()) : normed;
    norm2.forward(ctx, attended, normed2, saved ? &saved->norm2 : nullptr);
    add_branch(ctx, keep, 1, attended, image_out, saved ? image_out : normed2, [&](View<const T> residual, View<T> y) {
      mlp.forward(ctx, normed2, residual, y, saved ? &saved->mlp : nullptr);
    });
    if (saved) {
      saved->keep = keep;
      scope.keep();
    }
  }

  /// In place: the gradient (B, N, C) of the output becomes that of the input. dkeys_values (B, n, 2C), or absent: what
  /// others that looked at the keys and values of the first n tokens send back.
  void backward(Context<T>& ctx, const Saved& saved, View<const T> dkeys_values, View<T> dimage) {
    const ArenaScope scope(ctx.arena());
    const std::int64_t B = dimage.extent(0), N = dimage.extent(1), C = dimage.extent(2);
    const View<T> branch = ctx.arena().template allocate<T>(dimage.shape());
    mlp.backward(ctx, branch_gradient(ctx, saved.keep, 1, dimage, branch), saved.mlp, branch);
    norm2.backward(ctx, branch, saved.norm2, dimage, dimage);
    const View<T> dqkv = ctx.arena().template allocate<T>({B, N, 3 * C});
    attn.backward_attention(ctx, branch_gradient(ctx, saved.keep, 0, dimage, branch), saved.attn, dqkv);
    if (dkeys_values) {
      const View<T> dkv = dqkv.slice(1, 0, dkeys_values.extent(1)).slice(2, C, 2 * C);
      ops::run(ctx, Add<T>{.a = dkv, .b = dkeys_values, .y = dkv});
    }
    attn.backward_projection(ctx, dqkv, saved.attn, branch);
    norm1.backward(ctx, branch, saved.norm1, dimage, dimage);
  }

  template <class F>
  void visit(const std::string& prefix, F&& f) {
    norm1.visit(prefix + "norm1.", f);
    attn.visit(prefix + "attn.", f);
    norm2.visit(prefix + "norm2.", f);
    mlp.visit(prefix + "mlp.", f);
  }

 private:
  /// y = residual + the branch, or each sample's branch times its factor. run(residual, y) is the branch with the residual
  /// fused in; without, it goes through `alone`, which may be y where y is not the residual.
  template <class F>
  static void add_branch(Context<T>& ctx, View<const stat_t<T>> keep, int row, View<const T> residual, View<T> y,
                         View<T> alone, F&& run) {
    if (!keep) return run(residual, y);
    run({}, alone);
    if (y) ops::run(ctx, ScaleSamples<T>{.x = alone, .scale = keep.select(0, row), .residual = residual, .y = y});
  }

  /// What of the sum's gradient reaches a branch; `memory` is written where there are factors.
  static View<const T> branch_gradient(Context<T>& ctx, View<const stat_t<T>> keep, int row, View<const T> dsum,
                                       View<T> memory) {
    if (!keep) return dsum;
    ops::run(ctx, ScaleSamples<T>{.x = dsum, .scale = keep.select(0, row), .y = memory});
    return memory;
  }
};

DETRACK_INSTANTIATE(struct VitBlock<float>)
DETRACK_INSTANTIATE(struct VitBlock<double>)

}  // namespace detrack
