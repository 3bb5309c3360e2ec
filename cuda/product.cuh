// What a product of two matrices is asked to compute.
#pragma once

#include "detrack/core/view.hpp"
#include "detrack/ops/activation.hpp"

namespace detrack::cuda {

/// z = alpha (op(a) op(b) + bias) + added;  d = activation(z), rows first as everywhere in detrack.
/// a and b are stored as (M, K) and (K, N), or the other way round where they are to be transposed; bias (N), added, pre and
/// d (M, N). bias, added and pre may be absent; pre receives z. added may be d.
template <class In, class Out>
struct Product {
  View<const In> a{}, b{};
  bool transpose_a = false, transpose_b = false;
  float alpha = 1;
  View<const Out> bias{}, added{};
  Activation activation = Activation::identity;
  View<Out> pre{}, d{};

  constexpr std::int64_t inner() const { return a.extent(transpose_a ? 0 : 1); }
};

}  // namespace detrack::cuda
