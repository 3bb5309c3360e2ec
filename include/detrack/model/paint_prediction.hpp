// What a masked autoencoder predicts, as pixels, for pictures of its progress.
#pragma once

#include <cmath>

#include "detrack/core/view.hpp"
#include "detrack/model/token_mask.hpp"

namespace detrack {

/// Replaces the masked patches of images (B, 3, S, S) by prediction (B Nm, 3 P^2), as MaskedAutoencoderPass::evaluate gives
/// it. What is predicted is normalised patch by patch, so each patch keeps the mean and the deviation that it has in the
/// images. Host memory. Errors: shape.
template <class T>
void paint_prediction(View<const T> prediction, const TokenMask& mask, std::int64_t P, View<T> images) {
  const std::int64_t n = 3 * P * P, across = images.rank() == 4 ? images.extent(3) / P : 0;
  const auto count = static_cast<std::int64_t>(mask.masked.size());
  if (images.rank() != 4 || images.extent(0) != mask.batch || images.extent(1) != 3 ||
      images.extent(2) / P * across != mask.tokens)
    fail(ErrorCode::shape, "paint_prediction: images: expected ", mask.batch, " of 3 planes and ", mask.tokens,
         " patches, got ", to_string(images.shape()));
  if (!(prediction.shape() == Shape{count, n}))
    fail(ErrorCode::shape, "paint_prediction: prediction: expected ", to_string(Shape{count, n}), ", got ",
         to_string(prediction.shape()));
  for (std::int64_t r = 0; r < count; ++r) {
    const std::int64_t place = mask.masked[static_cast<std::size_t>(r)];
    const View<T> image = images.select(0, r / (count / mask.batch));
    const View<T> patch = image.slice(1, place / across * P, P).slice(2, place % across * P, P);
    const auto at = [&](std::int64_t i) -> T& { return patch(i / (P * P), i / P % P, i % P); };
    double mean = 0, squares = 0;
    for (std::int64_t i = 0; i < n; ++i) mean += static_cast<double>(at(i)) / static_cast<double>(n);
    for (std::int64_t i = 0; i < n; ++i) squares += std::pow(static_cast<double>(at(i)) - mean, 2);
    const double deviation = std::sqrt(squares / static_cast<double>(n - 1) + 1e-6);
    for (std::int64_t i = 0; i < n; ++i) at(i) = T(mean + deviation * static_cast<double>(prediction(r, i)));
  }
}

}  // namespace detrack
