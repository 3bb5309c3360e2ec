// Blocks of a Vision Transformer one after another, each of the same width.
#pragma once

#include <string>
#include <vector>

#include "detrack/nn/vit_block.hpp"

namespace detrack {

template <class T>
struct VitBlocks {
  std::vector<VitBlock<T>> blocks;

  using Saved = std::vector<typename VitBlock<T>::Saved>;

  VitBlocks() = default;
  VitBlocks(std::int64_t depth, std::int64_t C, std::int64_t heads, std::int64_t ratio) {
    for (std::int64_t j = 0; j < depth; ++j) blocks.emplace_back(C, heads, ratio);
  }

  /// x, y (B, N, C), at least one block.
  void forward(Context<T>& ctx, View<const T> x, View<T> y, Saved* saved) const {
    ArenaScope scope(ctx.arena());
    if (saved) saved->resize(blocks.size());
    View<T> qkv{};
    for (std::size_t j = 0; j < blocks.size(); ++j) {
      if (saved || !qkv) qkv = ctx.arena().template allocate<T>({x.extent(0), x.extent(1), 3 * x.extent(2)});
      // A backward wants every block's input; without one, all blocks after the first work in place.
      const bool keep = saved && j + 1 < blocks.size();
      const View<T> out = keep ? ctx.arena().template allocate<T>(x.shape()) : y;
      blocks[j].forward_image(ctx, x, qkv, out, saved ? &(*saved)[j] : nullptr);
      x = out;
    }
    if (saved) scope.keep();
  }

  /// In place: the gradient (B, N, C) of y becomes that of x.
  void backward(Context<T>& ctx, const Saved& saved, View<T> dx) {
    for (std::size_t j = blocks.size(); j-- > 0;) blocks[j].backward(ctx, saved[j], {}, dx);
  }

  template <class F>
  void visit(const std::string& prefix, F&& f) {
    for (std::size_t j = 0; j < blocks.size(); ++j) blocks[j].visit(prefix + std::to_string(j) + ".", f);
  }
};

}  // namespace detrack
