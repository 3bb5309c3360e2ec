// The decoder of a masked autoencoder: from the encoded visible tokens to the pixels of the masked patches.
#pragma once

#include <string>

#include "detrack/core/instantiate.hpp"
#include "detrack/model/mask_indices.hpp"
#include "detrack/model/masked_autoencoder_config.hpp"
#include "detrack/nn/vit_blocks.hpp"

namespace detrack {

/// Each visible token is projected, each masked one is the same learned token; with fixed position embeddings they go
/// through the blocks together, and the masked ones become patches: head(LN(.)).
template <class T>
struct PatchDecoder {
  Linear<T> embed;      ///< (Cd, C)
  Param<T> mask_token;  ///< (1, Cd)
  Param<T> pos_embed;   ///< (1, N, Cd), of rows and columns; not trained: its gradient stays as it is
  VitBlocks<T> blocks;
  LayerNorm<T> norm;
  Linear<T> head;  ///< (3 P^2, Cd)

  struct Saved {
    View<const T> latent{}, normed{};  ///< (B, Nv, C), (B Nm, Cd)
    typename VitBlocks<T>::Saved blocks{};
    typename LayerNorm<T>::Saved norm{};
  };

  PatchDecoder() = default;
  PatchDecoder(const Config& c, const MaskedAutoencoderConfig& d)
      : embed(c.width, d.decoder_width),
        mask_token({1, d.decoder_width}),
        pos_embed({1, c.search_tokens(), d.decoder_width}),
        blocks(d.decoder_depth, d.decoder_width, d.decoder_heads, c.mlp_ratio),
        norm(d.decoder_width),
        head(d.decoder_width, 3 * c.patch * c.patch) {}

  /// latent (B, Nv, C) -> prediction (B Nm, 3 P^2), the patches that `at` masks.
  void forward(Context<T>& ctx, View<const T> latent, const MaskIndices& at, View<T> prediction, Saved* saved) const {
    ArenaScope scope(ctx.arena());
    const std::int64_t B = at.batch, N = pos_embed.shape[1], C = pos_embed.shape[2], visible = at.visible.extent(0);
    const auto allocate = [&](const Shape& shape) { return ctx.arena().template allocate<T>(shape); };
    const View<T> tokens = allocate({B, N, C});
    {
      const ArenaScope rows_scope(ctx.arena());
      const View<T> rows = allocate({visible + 1, C});
      embed.forward(ctx, latent, rows.slice(0, 0, visible));
      ops::run(ctx, Add<T>{.a = mask_token.value, .y = rows.slice(0, visible, 1)});
      ops::run(ctx, EmbeddingForward<T>{.index = at.sources, .table = rows, .y = tokens.rows()});
    }
    ops::run(ctx, PositionEmbeddingForward<T>{.x = tokens, .embedding = pos_embed.value.select(0, 0), .y = tokens});
    const View<T> decoded = saved ? allocate({B, N, C}) : tokens;
    blocks.forward(ctx, tokens, decoded, saved ? &saved->blocks : nullptr);

    const View<T> masked = allocate({at.masked.extent(0), C}), normed = saved ? allocate(masked.shape()) : masked;
    ops::run(ctx, EmbeddingForward<T>{.index = at.masked, .table = decoded.rows(), .y = masked});
    norm.forward(ctx, masked, normed, saved ? &saved->norm : nullptr);
    head.forward(ctx, normed, prediction);
    if (saved) {
      saved->latent = latent;
      saved->normed = normed;
      scope.keep();
    }
  }

  /// dprediction (B Nm, 3 P^2). Overwrites dlatent (B, Nv, C).
  void backward(Context<T>& ctx, View<const T> dprediction, const MaskIndices& at, const Saved& saved, View<T> dlatent) {
    const ArenaScope scope(ctx.arena());
    const std::int64_t B = at.batch, N = pos_embed.shape[1], C = pos_embed.shape[2], masked = at.masked.extent(0);
    const auto allocate = [&](const Shape& shape) { return ctx.arena().template allocate<T>(shape); };
    const View<T> dmasked = allocate({masked, C}), dtokens = allocate({B, N, C});
    head.backward(ctx, dprediction, saved.normed, dmasked);
    norm.backward(ctx, dmasked, saved.norm, {}, dmasked);
    ops::run(ctx, Fill<T>{.value = 0, .y = dtokens});
    ops::run(ctx, EmbeddingBackward<T>{.index = at.masked, .dy = dmasked, .dtable = dtokens.rows()});
    blocks.backward(ctx, saved.blocks, dtokens);

    // Every visible row went to one token, so its gradient is a look-up; the rest is one sum. EmbeddingBackward would add
    // most tokens to the mask token's row, one after the other.
    ops::run(ctx, EmbeddingForward<T>{.index = at.masked, .table = dtokens.rows(), .y = dmasked});
    ops::run(ctx, PositionEmbeddingBackward<T>{.dy = dmasked.reshape({1, masked, C}), .dembedding = mask_token.grad});
    const View<T> dembedded = allocate({at.visible.extent(0), C});
    ops::run(ctx, EmbeddingForward<T>{.index = at.visible, .table = dtokens.rows(), .y = dembedded});
    embed.backward(ctx, dembedded, saved.latent, dlatent);
  }

  template <class F>
  void visit(const std::string& prefix, F&& f) {
    embed.visit(prefix + "embed.", f);
    f(prefix + "mask_token", mask_token);
    f(prefix + "pos_embed", pos_embed);
    blocks.visit(prefix + "blocks.", f);
    norm.visit(prefix + "norm.", f);
    head.visit(prefix + "head.", f);
  }
};

DETRACK_INSTANTIATE(struct PatchDecoder<float>)
DETRACK_INSTANTIATE(struct PatchDecoder<double>)

}  // namespace detrack
