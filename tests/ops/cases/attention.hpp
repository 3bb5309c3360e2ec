// Cases of attention: self, cross, masked, with fully masked queries, and as columns of one projection.
#pragma once

#include <cmath>

#include "tests/support/memory.hpp"

namespace detrack::test {

enum class Mask {
  none,
  causal,    ///< query i sees keys 0 .. i
  scattered  ///< every third key hidden, and query 1 sees nothing
};

struct AttentionCase {
  std::int64_t B = 1, Nq = 1, Nk = 1, H = 1, D = 1;
  Mask mask = Mask::none;

  std::string name() const {
    return detrack::detail::concat("attention B ", B, " Nq ", Nq, " Nk ", Nk, " H ", H, " D ", D, " mask ",
                                   static_cast<int>(mask));
  }
  Values mask_values() const {
    return [c = *this](std::vector<double>& values, Philox&) {
      for (std::int64_t i = 0; i < c.Nq; ++i)
        for (std::int64_t j = 0; j < c.Nk; ++j)
          values[static_cast<std::size_t>(i * c.Nk + j)] = c.mask == Mask::causal ? j <= i : (i + j) % 3 != 0 && i != 1;
    };
  }
  template <class T>
  auto forward(Memory<T>& m) const {
    return AttentionForward<T>{.q = m.in("q", {B, Nq, H, D}),
                               .k = m.in("k", {B, Nk, H, D}),
                               .v = m.in("v", {B, Nk, H, D}),
                               .mask = m.in("mask", {Nq, Nk}, mask_values()).only_if(mask != Mask::none),
                               .scale = 1 / std::sqrt(static_cast<double>(D)),
                               .y = m.out("y", {B, Nq, H, D}),
                               .lse = m.out("lse", {B, H, Nq}).infinite_ok()};
  }
  template <class T>
  auto backward(Memory<T>& m) const {
    return AttentionBackward<T>{.q = m.in("q"),
                                .k = m.in("k"),
                                .v = m.in("v"),
                                .mask = m.in("mask").only_if(mask != Mask::none),
                                .scale = 1 / std::sqrt(static_cast<double>(D)),
                                .y = m.in("y"),
                                .lse = m.in("lse"),
                                .dy = m.in("dy", {B, Nq, H, D}),
                                .dq = m.out("dq", {B, Nq, H, D}),
                                .dk = m.out("dk", {B, Nk, H, D}),
                                .dv = m.out("dv", {B, Nk, H, D})};
  }
};

inline std::vector<AttentionCase> attention_cases() {
  return {{.B = 2, .Nq = 5, .Nk = 7, .H = 3, .D = 4, .mask = Mask::scattered},
          {},
          {.B = 3, .Nq = 7, .Nk = 7, .H = 2, .D = 5, .mask = Mask::causal},
          {.B = 1, .Nq = 4, .Nk = 33, .H = 3, .D = 8},
          {.B = 2, .Nq = 1, .Nk = 7, .H = 1, .D = 33},
          {.B = 1, .Nq = 7, .Nk = 1, .H = 2, .D = 16},
          {.B = 1, .Nq = 37, .Nk = 70, .H = 1, .D = 16}};
}

/// q, k and v, and their gradients, as columns of one projection (B, N, 3 H D); the keys of the first n tokens only.
struct FusedAttentionCase {
  std::int64_t B = 2, N = 7, n = 5, H = 2, D = 4;

  std::string name() const { return detrack::detail::concat("attention in one projection, ", n, " of ", N, " keys"); }
  template <class X>
  View<X> part(const View<X>& qkv, std::int64_t which, std::int64_t tokens) const {
    return qkv.slice(1, 0, tokens).slice(2, which * H * D, H * D).split(2, D);
  }
  template <class T>
  auto forward(Memory<T>& m) const {
    const View<const T> qkv = m.in("qkv", {B, N, 3 * H * D});
    return AttentionForward<T>{.q = part(qkv, 0, N),
                               .k = part(qkv, 1, n),
                               .v = part(qkv, 2, n),
                               .y = m.out("y", {B, N, H, D}),
                               .lse = m.out("lse", {B, H, N})};
  }
  template <class T>
  auto backward(Memory<T>& m) const {
    const View<const T> qkv = m.in("qkv");
    const View<T> dqkv = m.out("dqkv", {B, N, 3 * H * D});
    return std::make_tuple(Fill<T>{.y = dqkv},  // tokens whose keys nobody sees
                           AttentionBackward<T>{.q = part(qkv, 0, N),
                                                .k = part(qkv, 1, n),
                                                .v = part(qkv, 2, n),
                                                .y = m.in("y"),
                                                .lse = m.in("lse"),
                                                .dy = m.in("dy", {B, N, H, D}),
                                                .dq = part(dqkv, 0, N),
                                                .dk = part(dqkv, 1, n),
                                                .dv = part(dqkv, 2, n)});
  }
};

inline std::vector<FusedAttentionCase> fused_attention_cases() {
  return {{}, {.B = 1, .N = 9, .n = 9, .H = 1, .D = 3}};
}

}  // namespace detrack::test
