// Boxes as tokens: word embeddings with a slot each, and the tied similarity map back to words.
#pragma once

#include <string>

#include "detrack/core/instantiate.hpp"
#include "detrack/model/config.hpp"
#include "detrack/nn/layer_norm.hpp"

namespace detrack {

/// A box becomes 4 tokens, word embedding + slot (x1, y1, x2, y2); a token becomes logits over words by its product with the
/// same table.
template <class T>
struct BoxWords {
  Param<T> word_embed, slot_embed;  ///< (V, C), (4, C)
  LayerNorm<T> norm;                ///< before the similarity map of denoised tokens
  Vocabulary vocabulary;

  struct Saved {
    View<const std::int32_t> words{};  ///< (4 R)
  };

  BoxWords() = default;
  explicit BoxWords(const Config& c)
      : word_embed({c.words(), c.width}), slot_embed({4, c.width}), norm(c.width), vocabulary(c.vocabulary()) {}

  /// boxes (R, 4), crop units -> tokens (R, 4, C).
  void embed(Context<T>& ctx, View<const double> boxes, View<T> tokens, Saved* saved) const {
    ArenaScope scope(ctx.arena());
    const std::int64_t R = boxes.extent(0);
    const View<std::int32_t> words = ctx.arena().template allocate<std::int32_t>({4 * R});
    ops::run(ctx, BoxToWords<T>{.box = boxes, .vocabulary = vocabulary, .words = words});
    ops::run(ctx, EmbeddingForward<T>{.index = words, .table = word_embed.value, .y = tokens.rows()});
    ops::run(ctx, PositionEmbeddingForward<T>{.x = tokens, .embedding = slot_embed.value, .y = tokens});
    if (saved) {
      saved->words = words;
      scope.keep();
    }
  }
  void embed_backward(Context<T>& ctx, View<const T> dtokens, const Saved& saved) {
    ops::run(ctx, EmbeddingBackward<T>{.index = saved.words, .dy = dtokens.rows(), .dtable = word_embed.grad});
    ops::run(ctx, PositionEmbeddingBackward<T>{.dy = dtokens, .dembedding = slot_embed.grad});
  }

  /// tokens (..., C) -> logits (..., V).
  void similarity(Context<T>& ctx, View<const T> tokens, View<stat_t<T>> logits) const {
    ops::run(ctx, SimilarityForward<T>{.x = tokens.rows(), .table = word_embed.value, .logits = logits.rows()});
  }
  void similarity_backward(Context<T>& ctx, View<const stat_t<T>> dlogits, View<const T> tokens, View<T> dtokens) {
    ops::run(ctx, SimilarityBackward<T>{.dlogits = dlogits.rows(),
                                        .x = tokens.rows(),
                                        .table = word_embed.value,
                                        .dx = dtokens.rows(),
                                        .dtable = word_embed.grad});
  }

  /// logits (..., 4, V) -> boxes (..., 4), crop units.
  void expected_box(Context<T>& ctx, View<const stat_t<T>> logits, View<stat_t<T>> boxes) const {
    ops::run(ctx,
             ExpectationForward<T>{.logits = logits.rows(), .vocabulary = vocabulary, .y = boxes.reshape({boxes.numel()})});
  }

  template <class F>
  void visit(const std::string& prefix, F&& f) {
    f(prefix + "word_embed.weight", word_embed);
    f(prefix + "slot_embed", slot_embed);
    norm.visit(prefix + "norm.", f);
  }
};

DETRACK_INSTANTIATE(struct BoxWords<float>)
DETRACK_INSTANTIATE(struct BoxWords<double>)

}  // namespace detrack
