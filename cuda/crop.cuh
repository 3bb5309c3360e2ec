// Crops of frames of any pixel format, one thread a pixel of the crop, all three channels.
#pragma once

#include "cuda/launch.cuh"
#include "cuda/scalar.cuh"
#include "detrack/ops/crop.hpp"

namespace detrack::cuda {

/// Coordinates and weights in double, as the operation says; bytes are mixed in float.
template <class T>
struct CropPixel {
  CropNormalise<T> given;
  std::array<float, 3> scale, black;  ///< a channel's byte v becomes scale v + black

  __device__ void operator()(std::int64_t pixel) const {
    const CropNormalise<T> op = given.resolved();
    const std::int64_t i = pixel / op.y.extent(2), j = pixel % op.y.extent(2);
    const double row = op.source(op.top, i), column = op.source(op.left, j);
    const double above = floor(row), before = floor(column);
    const auto down = static_cast<float>(row - above), right = static_cast<float>(column - before);
    float mixed[3] = {};
    const auto add_tap = [&](double at_row, double at_column, float weight) {
      const bool inside = at_row >= 0 && at_row < static_cast<double>(op.frame.height) && at_column >= 0 &&
                          at_column < static_cast<double>(op.frame.width);
      if (!inside) return;
      const auto bytes = op.frame(static_cast<std::int64_t>(at_row), static_cast<std::int64_t>(at_column));
#pragma unroll
      for (std::size_t c = 0; c < 3; ++c) mixed[c] += weight * static_cast<float>(bytes[c]);
    };
    add_tap(above, before, (1 - down) * (1 - right));
    add_tap(above, before + 1, (1 - down) * right);
    add_tap(above + 1, before, down * (1 - right));
    add_tap(above + 1, before + 1, down * right);
#pragma unroll
    for (std::size_t c = 0; c < 3; ++c) op.y(c, i, j) = from_float<T>(mixed[c] * scale[c] + black[c]);
  }
};

template <class T>
void run(Stream& stream, const CropNormalise<T>& op) {
  CropPixel<T> crop{op, {}, {}};
  for (std::size_t c = 0; c < 3; ++c) {
    crop.scale[c] = static_cast<float>(1 / (255 * op.std[c]));
    crop.black[c] = static_cast<float>(-op.mean[c] / op.std[c]);
  }
  for_each(stream, op.y.extent(1) * op.y.extent(2), crop);
}

}  // namespace detrack::cuda
