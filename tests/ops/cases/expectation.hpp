// Cases of the expected coordinate; other losses on the same logits come in as a residual.
#pragma once

#include "tests/support/memory.hpp"

namespace detrack::test {

struct ExpectationCase {
  std::int64_t R = 1, V = 1;
  bool residual = false, in_place = false;  // dlogits over residual

  std::string name() const {
    return detrack::detail::concat("expectation ", R, " x ", V, residual ? " residual" : "", in_place ? " in place" : "");
  }
  Vocabulary vocabulary() const { return {.size = V, .per_unit = static_cast<double>(V) / 2, .min = -0.5}; }

  /// The other loss is the sum of the logits themselves, "past"; its gradient is what `residual` carries. A scalar whose
  /// logits are of another type has no operation for it.
  template <class T>
  auto forward(Memory<T>& m) const {
    const auto logits = m.in("logits", {R, V}, normal(2));
    const ExpectationForward<T> op{.logits = logits, .vocabulary = vocabulary(), .y = m.out("y", {R})};
    if constexpr (std::is_same_v<T, stat_t<T>>)
      return std::make_tuple(op, Add<T>{.a = logits, .y = m.out("past", {R, V})});
    else
      return op;
  }
  template <class T>
  auto backward(Memory<T>& m) const {
    const auto dpast = m.in("dpast", {R, V}).only_if(residual);
    const auto dlogits = in_place ? m.over("dlogits", dpast) : m.out("dlogits", {R, V});
    return ExpectationBackward<T>{.logits = m.in("logits"),
                                  .vocabulary = vocabulary(),
                                  .dy = m.in("dy", {R}),
                                  .residual = in_place ? dlogits : dpast,
                                  .dlogits = dlogits};
  }
};

inline std::vector<ExpectationCase> expectation_cases() {
  return {{.R = 7, .V = 33, .residual = true},
          {.R = 4, .V = 800},
          {.R = 1, .V = 1},
          {.R = 3, .V = 7},
          {.R = 5, .V = 16, .residual = true, .in_place = true},
          {.R = 0, .V = 3}};
}

}  // namespace detrack::test
