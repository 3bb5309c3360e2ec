// One block of the denoising ViT: the image half is a ViT block, the box half takes noise off the box tokens.
#pragma once

#include <string>

#include "detrack/nn/attention.hpp"
#include "detrack/nn/layer_norm.hpp"
#include "detrack/nn/mlp.hpp"
#include "detrack/nn/vit_block.hpp"

namespace detrack {

/// The box half (DeTrack eqs. 6-10): 4 tokens attend to the search keys and values of the block's own image attention.
template <class T>
struct Denoise {
  LayerNorm<T> norm1, norm2;
  Linear<T> q, proj;
  Mlp<T> mlp, noise;
  std::int64_t heads = 1;

  struct Saved {
    typename LayerNorm<T>::Saved norm1{}, norm2{};
    typename Mlp<T>::Saved mlp{}, noise{};
    HeadAttention<T> attention{};
    View<const T> query_input{};
  };

  Denoise() = default;
  Denoise(std::int64_t C, std::int64_t h, std::int64_t ratio)
      : norm1(C),
        norm2(C),
        q(C, C),
        proj(C, C),
        mlp(C, ratio * C, C, Activation::gelu),
        noise(C, C, C, Activation::relu),
        heads(h) {}

  /// x' = x + proj(attention(q(LN x), keys, values));  x'' = x' + MLP(LN x');  y = x'' - noise(x'').
  /// x, y (B, 4, C); keys, values (B, Ns, C). With y absent only what a backward needs is computed.
  void forward(Context<T>& ctx, View<const T> x, View<const T> keys, View<const T> values, View<T> y, Saved* saved) const {
    ArenaScope scope(ctx.arena());
    const auto tokens = [&] { return ctx.arena().template allocate<T>(x.shape()); };
    const View<T> normed = tokens(), queries = tokens(), mixed = tokens(), attended = tokens();
    HeadAttention<T> attention{.q = queries, .k = keys, .v = values, .y = mixed};
    if (saved) attention.lse = ctx.arena().template allocate<stat_t<T>>({x.extent(0), heads, x.extent(1)});

    norm1.forward(ctx, x, normed, saved ? &saved->norm1 : nullptr);
    q.forward(ctx, normed, queries);
    attention.forward(ctx, heads);
    proj.forward(ctx, mixed, attended, {.residual = x});
    const View<T> normed2 = tokens(), denoisable = tokens();
    norm2.forward(ctx, attended, normed2, saved ? &saved->norm2 : nullptr);
    mlp.forward(ctx, normed2, attended, denoisable, saved ? &saved->mlp : nullptr);
    noise.forward(ctx, denoisable, denoisable, y, saved ? &saved->noise : nullptr, -1);
    if (saved) {
      saved->attention = attention;
      saved->query_input = normed;
      scope.keep();
    }
  }

  /// dx may be dy. dkeys and dvalues (B, Ns, C) are overwritten.
  void backward(Context<T>& ctx, View<const T> dy, const Saved& saved, View<T> dx, View<T> dkeys, View<T> dvalues) {
    const ArenaScope scope(ctx.arena());
    const auto tokens = [&] { return ctx.arena().template allocate<T>(dy.shape()); };
    const View<T> sum = tokens(), branch = tokens(), dqueries = tokens();
    noise.backward(ctx, dy, saved.noise, branch, -1);
    ops::run(ctx, Add<T>{.a = dy, .b = branch, .y = sum});  // with respect to x''
    mlp.backward(ctx, sum, saved.mlp, branch);
    norm2.backward(ctx, branch, saved.norm2, sum, sum);  // x'
    proj.backward(ctx, sum, saved.attention.y, branch);
    saved.attention.backward(ctx, heads, branch, dqueries, dkeys, dvalues);
    q.backward(ctx, dqueries, saved.query_input, branch);
    norm1.backward(ctx, branch, saved.norm1, sum, dx);
  }

  template <class F>
  void visit(const std::string& prefix, F&& f) {
    norm1.visit(prefix + "norm1.", f);
    q.visit(prefix + "q.", f);
    proj.visit(prefix + "proj.", f);
    norm2.visit(prefix + "norm2.", f);
    mlp.visit(prefix + "mlp.", f);
    noise.visit(prefix + "noise.", f);
  }
};

/// A ViT block on image tokens (eq. 5) and the box half beside it. Box tokens never feed back into image tokens.
template <class T>
struct DenoisingBlock : VitBlock<T> {
  Denoise<T> denoise;

  struct Saved : VitBlock<T>::Saved {
    typename Denoise<T>::Saved denoise{};
  };

  DenoisingBlock() = default;
  DenoisingBlock(std::int64_t C, std::int64_t heads, std::int64_t ratio)
      : VitBlock<T>(C, heads, ratio), denoise(C, heads, ratio) {}

  /// box (B, 4, C) -> box_out, given the projection of the image half, of which the first n_search tokens are looked at.
  void forward_box(Context<T>& ctx, View<const T> box, View<const T> qkv, std::int64_t n_search, View<T> box_out,
                   Saved* saved) const {
    const View<const T> search = qkv.slice(1, 0, n_search);
    const std::int64_t C = box.extent(2);
    denoise.forward(ctx, box, search.slice(2, C, C), search.slice(2, 2 * C, C), box_out, saved ? &saved->denoise : nullptr);
  }

  /// In place: image gradients (B, N, C) and box gradients (B, 4, C) of the outputs become those of the inputs.
  void backward(Context<T>& ctx, const Saved& saved, std::int64_t n_search, View<T> dimage, View<T> dbox) {
    const ArenaScope scope(ctx.arena());
    const std::int64_t C = dimage.extent(2);
    const View<T> dsearch = ctx.arena().template allocate<T>({dimage.extent(0), n_search, 2 * C});
    denoise.backward(ctx, dbox, saved.denoise, dbox, dsearch.slice(2, 0, C), dsearch.slice(2, C, C));
    VitBlock<T>::backward(ctx, saved, dsearch, dimage);
  }

  template <class F>
  void visit(const std::string& prefix, F&& f) {
    VitBlock<T>::visit(prefix, f);
    denoise.visit(prefix + "denoise.", f);
  }
};

}  // namespace detrack
