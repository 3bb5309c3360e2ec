// One block of the denoising ViT: the image half is a ViT block, the box half takes noise off the box tokens.
#pragma once

#include <string>

#include "detrack/core/instantiate.hpp"
#include "detrack/nn/attention.hpp"
#include "detrack/nn/layer_norm.hpp"
#include "detrack/nn/mlp.hpp"
#include "detrack/nn/vit_block.hpp"

namespace detrack {

/// What a box half consists of beside its MLP; without one of them its parameters do not exist (the paper's ablations).
struct DenoiseParts {
  bool attention = true;  ///< false: x' = x
  bool noise = true;      ///< false: y = x''
};

/// The box half (DeTrack eqs. 6-10): 4 tokens attend to the search keys and values of the block's own image attention.
template <class T>
struct Denoise {
  LayerNorm<T> norm1, norm2;
  Linear<T> q, proj;
  Mlp<T> mlp, noise;
  std::int64_t heads = 1;
  DenoiseParts parts;

  struct Saved {
    typename LayerNorm<T>::Saved norm1{}, norm2{};
    typename Mlp<T>::Saved mlp{}, noise{};
    HeadAttention<T> attention{};
    View<const T> query_input{};
  };

  Denoise() = default;
  Denoise(std::int64_t C, std::int64_t h, std::int64_t ratio, DenoiseParts p = {})
      : norm2(C), mlp(C, ratio * C, C, Activation::gelu), heads(h), parts(p) {
    if (parts.attention) norm1 = LayerNorm<T>(C), q = Linear<T>(C, C), proj = Linear<T>(C, C);
    if (parts.noise) noise = Mlp<T>(C, C, C, Activation::relu);
  }

  /// x' = x + proj(attention(q(LN x), keys, values));  x'' = x' + MLP(LN x');  y = x'' - noise(x'').
  /// x, y (B, 4, C); keys, values (B, Ns, C). With y absent only what a backward needs is computed.
  void forward(Context<T>& ctx, View<const T> x, View<const T> keys, View<const T> values, View<T> y, Saved* saved) const {
    ArenaScope scope(ctx.arena());
    const auto tokens = [&] { return ctx.arena().template allocate<T>(x.shape()); };
    const View<const T> attended = parts.attention ? attend(ctx, x, keys, values, tokens(), saved) : x;
    const View<T> normed2 = tokens(), denoisable = parts.noise ? tokens() : y;
    mlp.forward(ctx, norm2.ahead(ctx, attended, normed2, saved ? &saved->norm2 : nullptr), attended, denoisable,
                saved ? &saved->mlp : nullptr);
    if (parts.noise) noise.forward(ctx, denoisable, denoisable, y, saved ? &saved->noise : nullptr, -1);
    if (saved) scope.keep();
  }

  /// dx may be dy. dkeys and dvalues (B, Ns, C) are overwritten; without attention they may be absent.
  void backward(Context<T>& ctx, View<const T> dy, const Saved& saved, View<T> dx, View<T> dkeys, View<T> dvalues) {
    const ArenaScope scope(ctx.arena());
    const auto tokens = [&] { return ctx.arena().template allocate<T>(dy.shape()); };
    const View<T> sum = tokens(), branch = tokens();
    View<const T> ddenoisable = dy;  // with respect to x''
    if (parts.noise) {
      noise.backward(ctx, dy, saved.noise, branch, -1);
      ops::run(ctx, Add<T>{.a = dy, .b = branch, .y = sum});
      ddenoisable = sum;
    }
    mlp.backward(ctx, ddenoisable, saved.mlp, branch);
    norm2.backward(ctx, branch, saved.norm2, ddenoisable, parts.attention ? sum : dx);  // x'
    if (!parts.attention) return;
    const View<T> dqueries = tokens();
    proj.backward(ctx, sum, saved.attention.y, branch);
    saved.attention.backward(ctx, heads, branch, dqueries, dkeys, dvalues);
    q.backward(ctx, dqueries, saved.query_input, branch);
    norm1.backward(ctx, branch, saved.norm1, sum, dx);
  }

  template <class F>
  void visit(const std::string& prefix, F&& f) {
    if (parts.attention) {
      norm1.visit(prefix + "norm1.", f);
      q.visit(prefix + "q.", f);
      proj.visit(prefix + "proj.", f);
    }
    norm2.visit(prefix + "norm2.", f);
    mlp.visit(prefix + "mlp.", f);
    if (parts.noise) noise.visit(prefix + "noise.", f);
  }

 private:
  /// x' into `attended`. Leaves its scratch memory to the caller's scope.
  View<const T> attend(Context<T>& ctx, View<const T> x, View<const T> keys, View<const T> values, View<T> attended,
                       Saved* saved) const {
    const auto tokens = [&] { return ctx.arena().template allocate<T>(x.shape()); };
    const View<T> normed = tokens(), queries = tokens();
    HeadAttention<T> attention{.q = queries, .k = keys, .v = values, .y = tokens()};
    if (saved) attention.lse = ctx.arena().template allocate<stat_t<T>>({x.extent(0), heads, x.extent(1)});
    q.forward(ctx, norm1.ahead(ctx, x, normed, saved ? &saved->norm1 : nullptr), queries);
    attention.forward(ctx, heads);
    proj.forward(ctx, attention.y, attended, {.residual = x});
    if (saved) saved->attention = attention, saved->query_input = normed;
    return attended;
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
  DenoisingBlock(std::int64_t C, std::int64_t heads, std::int64_t ratio, DenoiseParts parts = {})
      : VitBlock<T>(C, heads, ratio), denoise(C, heads, ratio, parts) {}

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
    if (!denoise.parts.attention) {
      denoise.backward(ctx, dbox, saved.denoise, dbox, {}, {});
      VitBlock<T>::backward(ctx, saved, {}, dimage);
      return;
    }
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

DETRACK_INSTANTIATE(struct Denoise<float>)
DETRACK_INSTANTIATE(struct Denoise<double>)
DETRACK_INSTANTIATE(struct DenoisingBlock<float>)
DETRACK_INSTANTIATE(struct DenoisingBlock<double>)

}  // namespace detrack
