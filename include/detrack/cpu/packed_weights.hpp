// Weights rounded to bfloat16 and packed once, for products with them in any number of contexts and threads.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>

#include "detrack/core/view.hpp"
#include "detrack/cpu/gemm.hpp"
#include "detrack/cpu/workspace.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// Knows weights by their memory, which must stay where and as it is while contexts use this. Takes half their bytes again.
class PackedWeights {
 public:
  /// w (O, I).
  void add(const View<const float>& w) {
    Product<float> p;
    p.N = w.extent(0), p.K = w.extent(1), p.b = w.data(), p.ldb = w.stride(0);
    const Panels<BfloatPair> cut(p.N, p.K);
    Packed packed{p.N, p.K, p.ldb, {}};
    packed.memory.reserve(cut.packed_elements());
    for (std::int64_t block = 0; block < cut.depth_blocks; ++block)
      for (std::int64_t panel = 0; panel < cut.panels; ++panel)
        pack_panel(p, cut, block, panel, packed.memory.data() + cut.packed_at(block, panel));
    all_.insert_or_assign(p.b, std::move(packed));
  }

  /// For Product::packed; null where just this view was not added.
  const BfloatPair* find(const View<const float>& w) const {
    const auto found = all_.find(w.data());
    if (found == all_.end()) return nullptr;
    const Packed& packed = found->second;
    return packed.O == w.extent(0) && packed.I == w.extent(1) && packed.stride == w.stride(0) ? packed.memory.data()
                                                                                              : nullptr;
  }

 private:
  struct Packed {
    std::int64_t O, I, stride;
    Scratch<BfloatPair> memory;
  };
  std::unordered_map<const float*, Packed> all_;
};

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
