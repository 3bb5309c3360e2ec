// The denoising ViT: patches of the search and template images, and the blocks that denoise the box tokens beside them.
#pragma once

#include <string>
#include <vector>

#include "detrack/core/instantiate.hpp"
#include "detrack/model/config.hpp"
#include "detrack/model/denoising_block.hpp"
#include "detrack/nn/patch_embed.hpp"

namespace detrack {

template <class T>
struct DenoisingViT {
  PatchEmbed<T> patch_embed;
  Param<T> pos_embed_search, pos_embed_template;  ///< (1, Ns, C), (1, (Z/P)^2, C)
  Param<T> template_embed;                        ///< (templates, C)
  std::vector<DenoisingBlock<T>> blocks;
  LayerNorm<T> norm;

  struct Saved {
    /// Set it before a forward: that then keeps of each block only what enters it, and the backward runs the block again
    /// [Chen et al. 2016]. A fifth more work, a quarter of the memory at depth 12, the same gradients to the bit.
    bool recompute = false;
    typename PatchEmbed<T>::Saved patches{};
    std::vector<typename DenoisingBlock<T>::Saved> blocks;  ///< empty where they are run again
    View<const T> levels{}, box{}, steps{};  ///< image tokens (L + 1, B, N, C) and box tokens before and after each block
    View<const stat_t<T>> drop_path{};
    typename LayerNorm<T>::Saved norm{};
    std::int64_t templates = 0;
  };

  DenoisingViT() = default;
  explicit DenoisingViT(const Config& c)
      : patch_embed(3, c.width, c.patch),
        pos_embed_search({1, c.search_tokens(), c.width}),
        pos_embed_template({1, c.template_tokens(), c.width}),
        template_embed({c.templates, c.width}),
        norm(c.width) {
    for (std::int64_t j = 0; j < c.depth; ++j)
      blocks.emplace_back(c.width, c.heads, c.mlp_ratio, DenoiseParts{c.denoising_attention, c.noise_prediction});
  }

  std::int64_t search_tokens() const { return pos_embed_search.shape[1]; }
  std::int64_t template_tokens() const { return pos_embed_template.shape[1]; }

  /// search (B, 3, S, S), templates (B, n, 3, Z, Z) with n from 0 to the configuration's, or absent; box (B, 4, C), the
  /// embedded start box -> image (B, N, C), normed tokens in the order search, template 0, template 1, ...;
  /// steps (L, B, 4, C), the box tokens after each block. With box and steps absent only the image half runs.
  /// drop_path (L, 2, B): see VitBlock::forward_image.
  void forward(Context<T>& ctx, View<const T> search, View<const T> templates, View<const T> box, View<T> image,
               View<T> steps, Saved* saved, View<const stat_t<T>> drop_path = {}) const {
    ArenaScope scope(ctx.arena());
    const std::int64_t L = depth();
    const View<T> levels =
        ctx.arena().template allocate<T>({saved ? L + 1 : 1, image.extent(0), image.extent(1), image.extent(2)});
    const auto level = [&](std::int64_t j) { return levels.select(0, saved ? j : 0); };
    embed_images(ctx, search, templates, level(0), saved);
    if (saved) {
      saved->blocks.resize(saved->recompute ? 0 : blocks.size());
      saved->levels = levels, saved->box = box, saved->steps = steps;
      saved->drop_path = drop_path;
    }
    // Box tokens never feed back into image tokens: where the backend can, their half runs beside the next image halves, and
    // the projections that it reads stay until the end.
    const bool beside = box && !saved && ctx.backend().runs_side_by_side();
    for (std::int64_t j = 0; j < L; ++j) {
      ArenaScope block_scope(ctx.arena());
      typename DenoisingBlock<T>::Saved passing;  // what will run again saves now as it will then: the same bits
      auto* block_saved = !saved ? nullptr : saved->recompute ? &passing : &saved->blocks[static_cast<std::size_t>(j)];
      const View<T> step = steps ? steps.select(0, j) : steps;
      forward_block(ctx, j, level(j), box, drop_path, level(j + 1), step, block_saved, beside);
      if (beside || (saved && !saved->recompute)) block_scope.keep();
      box = step;
    }
    if (beside) ctx.join_side();
    norm.forward(ctx, level(L), image, saved ? &saved->norm : nullptr);
    if (saved) scope.keep();
  }

  /// dimage (B, N, C): gradient of the normed tokens, or absent (none). dsteps (L, B, 4, C): gradients of the box tokens
  /// after each block. dbox (B, 4, C) receives the start tokens' gradient. Overwrites dimage.
  void backward(Context<T>& ctx, const Saved& saved, View<T> dimage, View<const T> dsteps, View<T> dbox) {
    const std::int64_t last = depth() - 1;
    norm.backward(ctx, dimage, saved.norm, {}, dimage);
    ops::run(ctx, Add<T>{.a = dsteps.select(0, last), .y = dbox});
    for (std::int64_t j = last; j >= 0; --j) {
      const ArenaScope scope(ctx.arena());
      const auto i = static_cast<std::size_t>(j);
      typename DenoisingBlock<T>::Saved again;
      if (saved.recompute)
        forward_block(ctx, j, saved.levels.select(0, j), j > 0 ? saved.steps.select(0, j - 1) : saved.box, saved.drop_path,
                      {}, {}, &again);
      blocks[i].backward(ctx, saved.recompute ? again : saved.blocks[i], search_tokens(), dimage, dbox);
      if (j > 0) ops::run(ctx, Add<T>{.a = dbox, .b = dsteps.select(0, j - 1), .y = dbox});
    }
    embed_images_backward(ctx, saved, dimage);
  }

  template <class F>
  void visit(const std::string& prefix, F&& f) {
    patch_embed.visit(prefix + "patch_embed.", f);
    f(prefix + "pos_embed_search", pos_embed_search);
    f(prefix + "pos_embed_template", pos_embed_template);
    f(prefix + "template_embed", template_embed);
    for (std::size_t j = 0; j < blocks.size(); ++j) blocks[j].visit(prefix + "blocks." + std::to_string(j) + ".", f);
    norm.visit(prefix + "norm.", f);
  }

 private:
  std::int64_t depth() const { return static_cast<std::int64_t>(blocks.size()); }

  /// Both halves of block j, the box half beside what follows if wanted; without box only the image half.
  void forward_block(Context<T>& ctx, std::int64_t j, View<const T> image, View<const T> box,
                     View<const stat_t<T>> drop_path, View<T> image_out, View<T> box_out,
                     typename DenoisingBlock<T>::Saved* saved, bool beside = false) const {
    const DenoisingBlock<T>& block = blocks[static_cast<std::size_t>(j)];
    ArenaScope scope(ctx.arena());
    const View<T> qkv = ctx.arena().template allocate<T>({image.extent(0), image.extent(1), 3 * image.extent(2)});
    block.forward_image(ctx, image, qkv, image_out, saved, drop_path ? drop_path.select(0, j) : drop_path);
    const auto forward_box = [&] { block.forward_box(ctx, box, qkv, search_tokens(), box_out, saved); };
    if (beside)
      ctx.run_side(forward_box);
    else if (box)
      forward_box();
    if (saved || beside) scope.keep();
  }

  /// (B, n, C) of the tokens of template i.
  template <class X>
  View<X> template_slice(View<X> tokens, std::int64_t i) const {
    return tokens.slice(1, search_tokens() + i * template_tokens(), template_tokens());
  }

  void embed_images(Context<T>& ctx, View<const T> search, View<const T> templates, View<T> tokens, Saved* saved) const {
    const std::int64_t B = search.extent(0), C = tokens.extent(2), Ns = search_tokens(), n = template_tokens();
    const std::int64_t count = templates ? templates.extent(1) : 0;
    ArenaScope scope(ctx.arena());
    const View<T> embedded = ctx.arena().template allocate<T>({B * (Ns + count * n), C});
    const View<const T> stacked =
        count ? templates.reshape({B * count, templates.extent(2), templates.extent(3), templates.extent(4)})
              : View<const T>{};
    patch_embed.forward(ctx, {search, stacked}, embedded, saved ? &saved->patches : nullptr);

    ops::run(ctx, PositionEmbeddingForward<T>{.x = embedded.slice(0, 0, B * Ns).split(0, Ns),
                                              .embedding = pos_embed_search.value.select(0, 0),
                                              .y = tokens.slice(1, 0, Ns)});
    for (std::int64_t i = 0; i < count; ++i) {
      const View<T> of_template = embedded.slice(0, B * Ns, B * count * n).split(0, n).split(0, count).select(1, i);
      const View<T> y = template_slice(tokens, i);
      ops::run(ctx,
               PositionEmbeddingForward<T>{.x = of_template, .embedding = pos_embed_template.value.select(0, 0), .y = y});
      ops::run(ctx, PositionEmbeddingForward<T>{.x = y, .embedding = template_embed.value.slice(0, i, 1), .y = y});
    }
    if (saved) {
      saved->templates = count;
      scope.keep();
    }
  }

  void embed_images_backward(Context<T>& ctx, const Saved& saved, View<const T> dtokens) {
    const std::int64_t B = dtokens.extent(0), C = dtokens.extent(2), Ns = search_tokens(), n = template_tokens();
    const ArenaScope scope(ctx.arena());
    const View<T> dembedded = ctx.arena().template allocate<T>({B * dtokens.extent(1), C});
    const auto pass = [&](View<const T> dy, View<T> dpos, View<T> to) {
      ops::run(ctx, PositionEmbeddingBackward<T>{.dy = dy, .dembedding = dpos});
      ops::run(ctx, Add<T>{.a = dy, .y = to});
    };
    pass(dtokens.slice(1, 0, Ns), pos_embed_search.grad.select(0, 0), dembedded.slice(0, 0, B * Ns).split(0, Ns));
    for (std::int64_t i = 0; i < saved.templates; ++i) {
      const View<const T> dy = template_slice(dtokens, i);
      ops::run(ctx, PositionEmbeddingBackward<T>{.dy = dy, .dembedding = template_embed.grad.slice(0, i, 1)});
      pass(dy, pos_embed_template.grad.select(0, 0),
           dembedded.slice(0, B * Ns, B * saved.templates * n).split(0, n).split(0, saved.templates).select(1, i));
    }
    patch_embed.backward(ctx, dembedded, saved.patches);
  }
};

DETRACK_INSTANTIATE(struct DenoisingViT<float>)
DETRACK_INSTANTIATE(struct DenoisingViT<double>)

}  // namespace detrack
