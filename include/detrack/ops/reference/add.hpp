// Reference loops: weighted sums and fills of views of any rank and strides.
#pragma once

#include "detrack/ops/add.hpp"

namespace detrack::reference {

/// Peels axes off until single elements are left; an absent b stays absent.
template <class T>
void run(const Add<T>& op) {
  if (op.y.rank() == 0) {
    op.y() = op.b ? T(op.alpha) * op.a() + T(op.beta) * op.b() : T(op.alpha) * op.a();
    return;
  }
  for (std::int64_t i = 0; i < op.y.extent(0); ++i)
    run(Add<T>{.alpha = op.alpha,
               .a = op.a.select(0, i),
               .beta = op.beta,
               .b = op.b ? op.b.select(0, i) : op.b,
               .y = op.y.select(0, i)});
}

template <class T>
void run(const Fill<T>& op) {
  ops::detail::for_each_element(op.y, [&](T& y) { y = T(op.value); });
}

}  // namespace detrack::reference
