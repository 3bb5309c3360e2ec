// Patch embedding: images to tokens.
#pragma once

#include <string>

#include "detrack/core/instantiate.hpp"
#include "detrack/nn/linear.hpp"

namespace detrack {

/// A P x P convolution of stride P, as a linear layer on patch columns. Its weight keeps the convolution's shape.
template <class T>
struct PatchEmbed {
  Linear<T> proj;  ///< (C, 3, P, P), (C)
  std::int64_t patch = 16;

  struct Saved {
    View<const T> columns{};
  };

  PatchEmbed() = default;
  PatchEmbed(std::int64_t channels, std::int64_t width, std::int64_t p) : patch(p) {
    proj.weight = Param<T>({width, channels, p, p});
    proj.bias = Param<T>(Shape{width});
  }

  /// Tokens of several stacks of images in one product: images[i] (B_i, c, H_i, W_i) gives the next B_i (H_i/P) (W_i/P) rows
  /// of tokens (R, C).
  template <std::size_t n>
  void forward(Context<T>& ctx, const View<const T> (&images)[n], View<T> tokens, Saved* saved) const {
    ArenaScope scope(ctx.arena());
    const std::int64_t width = proj.weight.shape.numel() / proj.weight.shape[0];
    const View<T> columns = ctx.arena().template allocate<T>({tokens.extent(0), width});
    std::int64_t at = 0;
    for (const View<const T>& image : images) {
      if (!image || image.numel() == 0) continue;
      const std::int64_t rows = image.extent(0) * (image.extent(2) / patch) * (image.extent(3) / patch);
      ops::run(ctx, PatchifyForward<T>{.image = image, .patch = patch, .columns = columns.slice(0, at, rows)});
      at += rows;
    }
    proj.forward(ctx, columns, tokens);
    if (saved) {
      saved->columns = columns;
      scope.keep();
    }
  }

  /// Gradients of the weights only: nothing before the images is trained.
  void backward(Context<T>& ctx, View<const T> dtokens, const Saved& saved) {
    proj.backward(ctx, dtokens, saved.columns, {});
  }

  template <class F>
  void visit(const std::string& prefix, F&& f) {
    proj.visit(prefix + "proj.", f);
  }
};

DETRACK_INSTANTIATE(struct PatchEmbed<float>)
DETRACK_INSTANTIATE(struct PatchEmbed<double>)

}  // namespace detrack
