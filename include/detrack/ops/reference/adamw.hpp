// Reference loop: the AdamW step.
#pragma once

#include <cmath>

#include "detrack/ops/adamw.hpp"

namespace detrack::reference {

template <class T>
void run(const AdamW<T>& op) {
  using std::sqrt;
  using S = stat_t<T>;
  for (std::int64_t i = 0; i < op.value.extent(0); ++i) {
    const S g = S(op.gradient_scale) * S(op.gradient(i)), value = op.value(i);
    const S m = S(op.beta1) * op.m(i) + S(1 - op.beta1) * g;
    const S v = S(op.beta2) * op.v(i) + S(1 - op.beta2) * g * g;
    const S step = (m / S(op.correction1)) / (sqrt(v / S(op.correction2)) + S(op.eps));
    op.m(i) = m, op.v(i) = v;
    S lr = S(op.lr), decay = S(op.weight_decay);
    if (op.factors) lr = lr * op.factors(0, i / op.kUnit), decay = decay * op.factors(1, i / op.kUnit);
    const S moved = value - lr * (decay * value + step);
    op.value(i) = moved;
    if (op.rounded) op.rounded(i) = T(moved);
    if (op.average) op.average(i) = S(op.average_decay) * op.average(i) + S(1 - op.average_decay) * moved;
  }
}

}  // namespace detrack::reference
