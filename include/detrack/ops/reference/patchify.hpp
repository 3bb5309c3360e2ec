// Reference loops: cutting an image into patches and putting them back.
#pragma once

#include "detrack/ops/patchify.hpp"

namespace detrack::reference {

/// Calls f(b, c, row, column of the pixel; row, column of its place in the columns) for every pixel.
template <class X, class F>
void for_each_patch_pixel(const View<X>& image, std::int64_t P, F&& f) {
  const std::int64_t across = image.extent(3) / P, patches = image.extent(2) / P * across;
  for (std::int64_t b = 0; b < image.extent(0); ++b)
    for (std::int64_t c = 0; c < image.extent(1); ++c)
      for (std::int64_t row = 0; row < image.extent(2); ++row)
        for (std::int64_t column = 0; column < image.extent(3); ++column)
          f(b, c, row, column, b * patches + row / P * across + column / P, (c * P + row % P) * P + column % P);
}

template <class T>
void run(const PatchifyForward<T>& op) {
  for_each_patch_pixel(op.image, op.patch, [&](auto b, auto c, auto row, auto column, auto r, auto k) {
    op.columns(r, k) = op.image(b, c, row, column);
  });
}

template <class T>
void run(const PatchifyBackward<T>& op) {
  for_each_patch_pixel(op.dimage, op.patch, [&](auto b, auto c, auto row, auto column, auto r, auto k) {
    op.dimage(b, c, row, column) = op.dcolumns(r, k);
  });
}

}  // namespace detrack::reference
