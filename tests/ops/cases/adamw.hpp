// Cases of the AdamW step.
#pragma once

#include <algorithm>
#include <cmath>

#include "tests/support/memory.hpp"

namespace detrack::test {

struct AdamWCase {
  std::int64_t n = 1;
  double lr = 1e-3, weight_decay = 0, gradient_scale = 1, correction1 = 1, correction2 = 1;
  bool rounded = false;
  double average_decay = -1;  // below 0: no average
  bool factors = false;

  std::string name() const { return detrack::detail::concat("adamw ", n, " lr ", lr, " decay ", weight_decay); }
  template <class T>
  auto forward(Memory<T>& m) const {
    const Values squares = [](std::vector<double>& values, Philox& rng) {
      for (double& x : values) x = exact_in_float(std::pow(rng.normal(), 2));
    };
    return AdamW<T>{.value = m.sum("value", {n}),
                    .gradient = m.in("gradient", {n}),
                    .m = m.sum("m", {n}),
                    .v = m.over("v", m.in("v before", {n}, squares)),
                    .rounded = m.out("rounded", {n}).only_if(rounded),
                    .average = m.sum("average", {n}).only_if(average_decay >= 0),
                    .factors = m.in("factors", {2, (n + 63) / 64}).only_if(factors),
                    .lr = lr,
                    .weight_decay = weight_decay,
                    .gradient_scale = gradient_scale,
                    .correction1 = correction1,
                    .correction2 = correction2,
                    .average_decay = std::max(average_decay, 0.0)};
  }
};

inline std::vector<AdamWCase> adamw_cases() {
  return {{.n = 37,
           .lr = 0.1,
           .weight_decay = 0.05,
           .gradient_scale = 0.3,
           .correction1 = 0.271,
           .correction2 = 2e-3,
           .rounded = true,
           .average_decay = 0.75,
           .factors = true},
          {.n = 200, .lr = 0.1, .weight_decay = 0.05, .factors = true},
          {.n = 10000, .lr = 0.1, .weight_decay = 0.05, .rounded = true, .average_decay = 0.5, .factors = true},
          {},
          {.n = 16, .average_decay = 0.5},
          {.n = 24, .rounded = true},
          {.n = 40000, .lr = 0.5, .gradient_scale = 100},
          {.n = 0}};
}

}  // namespace detrack::test
