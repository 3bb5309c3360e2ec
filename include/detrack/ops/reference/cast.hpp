// Reference loop: values rounded to another type.
#pragma once

#include "detrack/ops/cast.hpp"

namespace detrack::reference {

template <class T>
void run(const Cast<T>& op) {
  for (std::int64_t i = 0; i < op.x.extent(0); ++i) op.y(i) = T(op.x(i));
}

}  // namespace detrack::reference
