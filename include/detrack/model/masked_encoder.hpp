// The encoder of a masked autoencoder: the image half of the denoising ViT, on the visible tokens of search crops.
#pragma once

#include <string>

#include "detrack/core/instantiate.hpp"
#include "detrack/model/config.hpp"
#include "detrack/model/mask_indices.hpp"
#include "detrack/nn/patch_embed.hpp"
#include "detrack/nn/vit_blocks.hpp"

namespace detrack {

/// latent = LN(blocks(patches W^T + b + position)), visible patches only, no class token. Parameters have the names and
/// shapes they have in DenoisingViT, and the position embedding is trained as it is there (He et al. 2022 keep it fixed).
template <class T>
struct MaskedEncoder {
  PatchEmbed<T> patch_embed;
  Param<T> pos_embed_search;  ///< (1, N, C)
  VitBlocks<T> blocks;
  LayerNorm<T> norm;

  struct Saved {
    View<const T> visible{};  ///< (B Nv, 3 P^2)
    typename VitBlocks<T>::Saved blocks{};
    typename LayerNorm<T>::Saved norm{};
  };

  MaskedEncoder() = default;
  explicit MaskedEncoder(const Config& c)
      : patch_embed(3, c.width, c.patch),
        pos_embed_search({1, c.search_tokens(), c.width}),
        blocks(c.depth, c.width, c.heads, c.mlp_ratio),
        norm(c.width) {}

  /// patches (B N, 3 P^2) of whole images -> latent (B, Nv, C). Patches that `at` masks are not read.
  void forward(Context<T>& ctx, View<const T> patches, const MaskIndices& at, View<T> latent, Saved* saved) const {
    ArenaScope scope(ctx.arena());
    const View<T> visible = ctx.arena().template allocate<T>({at.visible.extent(0), patches.extent(1)});
    ops::run(ctx, EmbeddingForward<T>{.index = at.visible, .table = patches, .y = visible});
    const View<T> tokens = ctx.arena().template allocate<T>(latent.shape());
    ops::run(ctx, EmbeddingForward<T>{.index = at.places, .table = pos_embed_search.value.select(0, 0), .y = tokens.rows()});
    patch_embed.proj.forward(ctx, visible, tokens, {.residual = tokens});
    const View<T> encoded = ctx.arena().template allocate<T>(latent.shape());
    blocks.forward(ctx, tokens, encoded, saved ? &saved->blocks : nullptr);
    norm.forward(ctx, encoded, latent, saved ? &saved->norm : nullptr);
    if (saved) {
      saved->visible = visible;
      scope.keep();
    }
  }

  /// Gradients of the parameters; overwrites dlatent (B, Nv, C).
  void backward(Context<T>& ctx, const MaskIndices& at, const Saved& saved, View<T> dlatent) {
    norm.backward(ctx, dlatent, saved.norm, {}, dlatent);
    blocks.backward(ctx, saved.blocks, dlatent);
    ops::run(ctx,
             EmbeddingBackward<T>{.index = at.places, .dy = dlatent.rows(), .dtable = pos_embed_search.grad.select(0, 0)});
    patch_embed.proj.backward(ctx, dlatent, saved.visible, {});
  }

  template <class F>
  void visit(const std::string& prefix, F&& f) {
    patch_embed.visit(prefix + "patch_embed.", f);
    f(prefix + "pos_embed_search", pos_embed_search);
    blocks.visit(prefix + "blocks.", f);
    norm.visit(prefix + "norm.", f);
  }
};

DETRACK_INSTANTIATE(struct MaskedEncoder<float>)
DETRACK_INSTANTIATE(struct MaskedEncoder<double>)

}  // namespace detrack
