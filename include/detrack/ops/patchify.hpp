// Cutting an image into patches: what a stride-P convolution with P x P kernels reads.
#pragma once

#include "detrack/ops/op.hpp"

namespace detrack {

/// Math:   columns[b n + r, (c P + i) P + j] = image[b, c, y P + i, x P + j], r = y (W / P) + x. The patch embedding is a
/// linear
///         layer on these columns, its weight (C, 3, P, P) read as (C, 3 P P)   [Dosovitskiy et al. 2021, eq. 1]
/// Shapes: image (B, c, H, W), H and W divisible by P; columns (B (H/P) (W/P), c P P).
template <class T>
struct PatchifyForward {
  static constexpr const char* kName = "patchify_forward";
  View<const T> image{};
  std::int64_t patch = 16;
  View<T> columns{};

  template <class F>
  void views(F&& f) const {
    f("image", image), f("columns", columns);
  }
  void check() const;
  double flops() const { return 0; }
};

/// The adjoint: puts gradients of columns back where their pixels are.   Shapes: as PatchifyForward.
template <class T>
struct PatchifyBackward {
  static constexpr const char* kName = "patchify_backward";
  View<const T> dcolumns{};
  std::int64_t patch = 16;
  View<T> dimage{};

  template <class F>
  void views(F&& f) const {
    f("dcolumns", dcolumns), f("dimage", dimage);
  }
  void check() const;
  double flops() const { return 0; }
};

namespace ops::detail {

template <class Image, class Columns>
void check_patches(const char* op, const char* image_name, const View<Image>& image, const char* columns_name,
                   const View<Columns>& columns, std::int64_t P) {
  expect(P >= 1, op, "patch", "a positive side", static_cast<double>(P));
  expect_rank(op, image_name, image.shape(), 4);
  const std::int64_t B = image.extent(0), c = image.extent(1), H = image.extent(2), W = image.extent(3);
  if (H % P != 0 || W % P != 0)
    fail(ErrorCode::shape, op, ": ", image_name, ": expected sides divisible by ", P, ", got ", to_string(image.shape()));
  expect_view(op, image_name, image, image.shape());
  expect_view(op, columns_name, columns, {B * (H / P) * (W / P), c * P * P});
}

}  // namespace ops::detail

template <class T>
void PatchifyForward<T>::check() const {
  ops::detail::check_patches(kName, "image", image, "columns", columns, patch);
}
template <class T>
void PatchifyBackward<T>::check() const {
  ops::detail::check_patches(kName, "dimage", dimage, "dcolumns", dcolumns, patch);
}

}  // namespace detrack
