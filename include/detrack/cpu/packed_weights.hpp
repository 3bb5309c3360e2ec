// Weights rounded and packed once, for products with them in any number of contexts and threads.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>

#include "detrack/core/view.hpp"
#include "detrack/cpu/gemm.hpp"
#include "detrack/cpu/products.hpp"
#include "detrack/cpu/workspace.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// Knows weights by their memory, which must stay where and as it is while contexts use this. Takes half their bytes again
/// for bfloat16 products, a quarter for int8 ones, nothing for full ones.
class PackedWeights {
 public:
  explicit PackedWeights(Products products) : products_(products) {}

  /// w (O, I).
  void add(const View<const float>& w) {
    Packed packed{w.extent(0), w.extent(1), w.stride(0), {}, {}};
    if (products_ == Products::bfloat16) pack(w, packed.pairs);
    if (products_ == Products::int8) pack(w, packed.quads);
    all_.insert_or_assign(w.data(), std::move(packed));
  }

  /// For multiply(); null where just this view was not added, or not as factors E.
  template <class E>
  const E* find(const View<const float>& w) const {
    const auto found = all_.find(w.data());
    if (found == all_.end()) return nullptr;
    const Packed& packed = found->second;
    if (packed.O != w.extent(0) || packed.I != w.extent(1) || packed.stride != w.stride(0)) return nullptr;
    if constexpr (std::is_same_v<E, BfloatPair>)
      return packed.pairs.data();
    else
      return packed.quads.data();
  }

 private:
  struct Packed {
    std::int64_t O, I, stride;
    Scratch<BfloatPair> pairs;
    Scratch<ByteQuad> quads;
  };

  template <class E>
  static void pack(const View<const float>& w, Scratch<E>& to) {
    Product<float> p;
    p.N = w.extent(0), p.K = w.extent(1), p.b = w.data(), p.ldb = w.stride(0);
    const Panels<E> cut(p.N, p.K);
    to.reserve(cut.packed_elements());
    for (std::int64_t block = 0; block < cut.depth_blocks; ++block)
      for (std::int64_t panel = 0; panel < cut.panels; ++panel)
        pack_panel(p, cut, block, panel, to.data() + cut.packed_at(block, panel));
  }

  Products products_;
  std::unordered_map<const float*, Packed> all_;
};

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
