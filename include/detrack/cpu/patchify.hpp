// Cutting an image into patches, a patch's row of pixels at a time.
#pragma once

#include <algorithm>

#include "detrack/cpu/rows.hpp"
#include "detrack/ops/patchify.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

template <class T>
void run(Team<T>& team, const PatchifyForward<T>& op) {
  const std::int64_t P = op.patch, channels = op.image.extent(1), across = op.image.extent(3) / P;
  const std::int64_t down = op.image.extent(2) / P;
  for_each_row(team, op.image.extent(0) * down * across, channels * P * P, 2, [&](std::int64_t r) {
    const std::int64_t b = r / (down * across), row = r / across % down, column = r % across;
    const T* from = op.image.data() + b * op.image.stride(0) + row * P * op.image.stride(2) + column * P;
    T* to = op.columns.data() + r * op.columns.stride(0);
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t i = 0; i < P; ++i, to += P)
        std::copy_n(from + c * op.image.stride(1) + i * op.image.stride(2), P, to);
  });
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
