// Reference loops: looking words up for boxes.
#pragma once

#include "detrack/ops/words.hpp"

namespace detrack::reference {

template <class T>
void run(const BoxToWords<T>& op) {
  for (std::int64_t r = 0; r < op.box.extent(0); ++r)
    for (std::int64_t i = 0; i < 4; ++i) op.words(4 * r + i) = static_cast<std::int32_t>(op.vocabulary.word(op.box(r, i)));
}

}  // namespace detrack::reference
