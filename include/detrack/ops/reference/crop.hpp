// Reference loops: crops of frames, a tap at a time.
#pragma once

#include "detrack/ops/crop.hpp"

namespace detrack::reference {

template <class T>
void run(const CropNormalise<T>& given) {
  const CropNormalise<T> op = given.resolved();
  const auto height = static_cast<double>(op.frame.height), width = static_cast<double>(op.frame.width);
  const auto tap = [&](double row, double column) {
    const bool inside = row >= 0 && row < height && column >= 0 && column < width;
    return inside ? op.frame(static_cast<std::int64_t>(row), static_cast<std::int64_t>(column))
                  : std::array<std::uint8_t, 3>{};
  };
  for (std::int64_t i = 0; i < op.y.extent(1); ++i)
    for (std::int64_t j = 0; j < op.y.extent(2); ++j) {
      const double row = op.source(op.top, i), column = op.source(op.left, j);
      const double above = std::floor(row), before = std::floor(column);
      const double down = row - above, right = column - before;
      const auto a = tap(above, before), b = tap(above, before + 1);
      const auto c = tap(above + 1, before), d = tap(above + 1, before + 1);
      for (std::size_t k = 0; k < 3; ++k) {
        const double upper = (1 - right) * a[k] + right * b[k], lower = (1 - right) * c[k] + right * d[k];
        const double value = (1 - down) * upper + down * lower;
        op.y(k, i, j) = T(stat_t<T>((value / 255 - op.mean[k]) / op.std[k]));
      }
    }
}

}  // namespace detrack::reference
