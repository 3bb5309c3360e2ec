// Attention layers: self-attention with one qkv projection (timm's layout), and cross-attention to a memory.
#pragma once

#include <cmath>
#include <string>

#include "detrack/core/instantiate.hpp"
#include "detrack/nn/linear.hpp"

namespace detrack {

/// Attention of queries over keys and values that are columns of wider tensors, heads side by side.
/// What the backward needs beside its inputs: the mixed values y and the log-sum-exp.
template <class T>
struct HeadAttention {
  View<const T> q{}, k{}, v{};  ///< (B, Nq, C), (B, Nk, C) twice; strided
  View<const std::uint8_t> mask{};
  View<T> y{};            ///< (B, Nq, C)
  View<stat_t<T>> lse{};  ///< (B, H, Nq); absent in inference

  void forward(Context<T>& ctx, std::int64_t heads) const {
    const std::int64_t D = q.extent(2) / heads;
    ops::run(ctx, AttentionForward<T>{.q = q.split(2, D),
                                      .k = k.split(2, D),
                                      .v = v.split(2, D),
                                      .mask = mask,
                                      .scale = scale(D),
                                      .y = y.split(2, D),
                                      .lse = lse});
  }
  void backward(Context<T>& ctx, std::int64_t heads, View<const T> dy, View<T> dq, View<T> dk, View<T> dv) const {
    const std::int64_t D = q.extent(2) / heads;
    ops::run(ctx, AttentionBackward<T>{.q = q.split(2, D),
                                       .k = k.split(2, D),
                                       .v = v.split(2, D),
                                       .mask = mask,
                                       .scale = scale(D),
                                       .y = y.split(2, D),
                                       .lse = lse,
                                       .dy = dy.split(2, D),
                                       .dq = dq.split(2, D),
                                       .dk = dk.split(2, D),
                                       .dv = dv.split(2, D)});
  }

 private:
  static double scale(std::int64_t D) { return 1 / std::sqrt(static_cast<double>(D)); }
};

/// Self-attention. The caller provides the memory of the projection, because a denoising block lends its keys and values
/// to the box tokens.
template <class T>
struct SelfAttention {
  Linear<T> qkv, proj;  ///< (3C, C): rows of q, then k, then v; (C, C)
  std::int64_t heads = 1;

  struct Saved {
    View<const T> x{};
    HeadAttention<T> attention{};
  };

  SelfAttention() = default;
  SelfAttention(std::int64_t width, std::int64_t h) : qkv(width, 3 * width), proj(width, width), heads(h) {}

  /// projected (B, n, 3C) = qkv(x);  y = residual + proj(attention of projected). x, residual, y (B, n, C); y may be
  /// residual, which may be absent, or x where nothing is saved.
  void forward(Context<T>& ctx, const LinearInput<T>& x, View<const std::uint8_t> mask, View<const T> residual,
               View<T> projected, View<T> y, Saved* saved) const {
    const std::int64_t B = x.view.extent(0), n = x.view.extent(1), C = x.view.extent(2);
    ArenaScope scope(ctx.arena());
    HeadAttention<T> attention{.q = projected.slice(2, 0, C),
                               .k = projected.slice(2, C, C),
                               .v = projected.slice(2, 2 * C, C),
                               .mask = mask,
                               .y = ctx.arena().template allocate<T>({B, n, C})};
    if (saved) {
      attention.lse = ctx.arena().template allocate<stat_t<T>>({B, heads, n});
      *saved = {x.view, attention};
      scope.keep();
    }
    qkv.forward(ctx, x, projected);
    attention.forward(ctx, heads);
    proj.forward(ctx, attention.y, y, {.residual = residual});
  }

  /// First half: from dy to the gradient of the projection, to which others may then add.
  void backward_attention(Context<T>& ctx, View<const T> dy, const Saved& saved, View<T> dprojected) {
    const std::int64_t C = dy.extent(2);
    const ArenaScope scope(ctx.arena());
    const View<T> dmixed = ctx.arena().template allocate<T>(dy.shape());
    proj.backward(ctx, dy, saved.attention.y, dmixed);
    saved.attention.backward(ctx, heads, dmixed, dprojected.slice(2, 0, C), dprojected.slice(2, C, C),
                             dprojected.slice(2, 2 * C, C));
  }
  /// Second half: from the projection's gradient to dx.
  void backward_projection(Context<T>& ctx, View<const T> dprojected, const Saved& saved, View<T> dx) {
    qkv.backward(ctx, dprojected, saved.x, dx);
  }

  template <class F>
  void visit(const std::string& prefix, F&& f) {
    qkv.visit(prefix + "qkv.", f);
    proj.visit(prefix + "proj.", f);
  }
};

/// Cross-attention: queries from x, keys and values from a memory.
template <class T>
struct CrossAttention {
  Linear<T> q, kv, proj;  ///< (C, C); (2C, C): rows of k, then v; (C, C)
  std::int64_t heads = 1;

  struct Saved {
    View<const T> x{}, memory{};
    HeadAttention<T> attention{};
  };

  CrossAttention() = default;
  CrossAttention(std::int64_t width, std::int64_t h) : q(width, width), kv(width, 2 * width), proj(width, width), heads(h) {}

  /// y = residual + proj(attention(q(x), kv(memory))). x, residual, y (B, n, C), memory (B, N, C); y may be residual.
  void forward(Context<T>& ctx, const LinearInput<T>& x, View<const T> memory, View<const T> residual, View<T> y,
               Saved* saved) const {
    const std::int64_t B = x.view.extent(0), n = x.view.extent(1), C = x.view.extent(2), N = memory.extent(1);
    ArenaScope scope(ctx.arena());
    const View<T> queries = ctx.arena().template allocate<T>({B, n, C});
    const View<T> projected = ctx.arena().template allocate<T>({B, N, 2 * C});
    HeadAttention<T> attention{.q = queries,
                               .k = projected.slice(2, 0, C),
                               .v = projected.slice(2, C, C),
                               .y = ctx.arena().template allocate<T>({B, n, C})};
    if (saved) {
      attention.lse = ctx.arena().template allocate<stat_t<T>>({B, heads, n});
      *saved = {x.view, memory, attention};
      scope.keep();
    }
    q.forward(ctx, x, queries);
    kv.forward(ctx, memory, projected);
    attention.forward(ctx, heads);
    proj.forward(ctx, attention.y, y, {.residual = residual});
  }

  /// Overwrites dx and dmemory.
  void backward(Context<T>& ctx, View<const T> dy, const Saved& saved, View<T> dx, View<T> dmemory) {
    const std::int64_t B = dy.extent(0), C = dy.extent(2), N = saved.memory.extent(1);
    const ArenaScope scope(ctx.arena());
    const View<T> dmixed = ctx.arena().template allocate<T>(dy.shape());
    const View<T> dqueries = ctx.arena().template allocate<T>(dy.shape());
    const View<T> dprojected = ctx.arena().template allocate<T>({B, N, 2 * C});
    proj.backward(ctx, dy, saved.attention.y, dmixed);
    saved.attention.backward(ctx, heads, dmixed, dqueries, dprojected.slice(2, 0, C), dprojected.slice(2, C, C));
    q.backward(ctx, dqueries, saved.x, dx);
    kv.backward(ctx, dprojected, saved.memory, dmemory);
  }

  template <class F>
  void visit(const std::string& prefix, F&& f) {
    q.visit(prefix + "q.", f);
    kv.visit(prefix + "kv.", f);
    proj.visit(prefix + "proj.", f);
  }
};

DETRACK_INSTANTIATE(struct SelfAttention<float>)
DETRACK_INSTANTIATE(struct SelfAttention<double>)
DETRACK_INSTANTIATE(struct CrossAttention<float>)
DETRACK_INSTANTIATE(struct CrossAttention<double>)

}  // namespace detrack
