// Cutting images into patches and putting them back: a walk along the rows of the image, 16 bytes a thread.
#pragma once

#include <type_traits>

#include "cuda/launch.cuh"
#include "cuda/scalar.cuh"
#include "detrack/ops/patchify.hpp"

namespace detrack::cuda {

/// Moves packs of pixels, to the columns if the image is const and from them otherwise. i counts packs of the image,
/// row-major; a patch's row is a whole number of packs, and its columns begin at a whole number of them.
template <class Image, class Columns, int kCount>
struct MovePatchRows {
  View<Image> image;
  View<Columns> columns;
  std::int64_t patch;
  __device__ void operator()(std::int64_t i) const {
    using P = Pack<std::remove_const_t<Image>, kCount>;
    const std::int64_t packs = patch / kCount, across = image.extent(3) / patch, down = image.extent(2) / patch;
    const auto digit = [&](std::int64_t base) {
      const std::int64_t rest = i / base, d = i - rest * base;
      i = rest;
      return d;
    };
    const std::int64_t in_column = digit(packs) * kCount, x = digit(across), in_row = digit(patch), y = digit(down);
    const std::int64_t channel = digit(image.extent(1)), b = i;
    Image* const pixel = &image(b, channel, y * patch + in_row, x * patch + in_column);
    Columns* const element = &columns((b * down + y) * across + x, (channel * patch + in_row) * patch + in_column);
    if constexpr (std::is_const_v<Image>)
      *reinterpret_cast<P*>(element) = *reinterpret_cast<const P*>(pixel);
    else
      *reinterpret_cast<P*>(pixel) = *reinterpret_cast<const P*>(element);
  }
};

template <class Image, class Columns>
void move_patches(const Stream& stream, const View<Image>& image, const View<Columns>& columns, std::int64_t patch) {
  constexpr int kCount = kPack<Image>;
  if (patch % kCount == 0 && packable<kCount>(image) && packable<kCount>(columns))
    for_each(stream, image.numel() / kCount, MovePatchRows<Image, Columns, kCount>{image, columns, patch});
  else
    for_each(stream, image.numel(), MovePatchRows<Image, Columns, 1>{image, columns, patch});
}

template <class T>
void run(Stream& stream, const PatchifyForward<T>& op) {
  move_patches(stream, op.image, op.columns, op.patch);
}

template <class T>
void run(Stream& stream, const PatchifyBackward<T>& op) {
  move_patches(stream, op.dimage, op.dcolumns, op.patch);
}

}  // namespace detrack::cuda
