// Cases of a layer norm and the linear layer that reads it.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct NormedLinearCase {
  std::int64_t R = 1, I = 1, O = 1;
  bool statistics = false, pre = false;
  Activation activation = Activation::identity;
  double eps = 1e-6;

  std::string name() const {
    return detrack::detail::concat("normed linear ", R, " x ", I, " -> ", O, statistics ? " statistics" : "",
                                   pre ? " pre" : "", " activation ", static_cast<int>(activation));
  }
  template <class T>
  auto forward(Memory<T>& m) const {
    const auto normed = m.out("normed", {R, I});
    return NormedLinear<T>{.norm = {.x = m.in("x", {R, I}, normal(2, 1)),
                                    .gamma = m.in("gamma", {I}, normal(0.5, 1)),
                                    .beta = m.in("beta", {I}),
                                    .eps = eps,
                                    .y = normed,
                                    .mean = m.out("mean", {R}).only_if(statistics),
                                    .rstd = m.out("rstd", {R}).only_if(statistics)},
                           .linear = {.x = normed,
                                      .w = m.in("w", {O, I}),
                                      .b = m.in("b", {O}),
                                      .activation = activation,
                                      .pre = m.out("pre", {R, O}).only_if(pre),
                                      .y = m.out("y", {R, O})}};
  }
};

inline std::vector<NormedLinearCase> normed_linear_cases() {
  return {{.R = 4, .I = 24, .O = 10, .statistics = true, .pre = true, .activation = Activation::gelu, .eps = 0.1},
          {.R = 8, .I = 192, .O = 33},
          {.R = 6, .I = 1288, .O = 9},
          {.R = 1, .I = 64, .O = 5, .activation = Activation::relu},
          {.R = 3, .I = 7, .O = 5, .statistics = true},
          {.R = 0, .I = 8, .O = 2},
          {.R = 2, .I = 16, .O = 0, .statistics = true},
          {.R = 21, .I = 48, .O = 24, .activation = Activation::gelu}};
}

}  // namespace detrack::test
