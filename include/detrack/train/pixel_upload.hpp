// The pixels of a batch, which are floats, into memory of a device as the model's scalar.
#pragma once

#include <algorithm>
#include <type_traits>
#include <vector>

#include "detrack/ops/backend.hpp"

namespace detrack {

template <class T>
class PixelUpload {
 public:
  void upload(Context<T>& ctx, View<const float> from, View<T> to) {
    if constexpr (std::is_same_v<T, float>) {
      ops::copy(ctx, from, to);
    } else {
      rounded_.resize(static_cast<std::size_t>(from.numel()));
      std::transform(from.data(), from.data() + from.numel(), rounded_.begin(), [](float x) { return T(x); });
      ops::copy(ctx, View<const T>(rounded_.data(), from.shape()), to);
    }
  }

 private:
  std::vector<T> rounded_;
};

}  // namespace detrack
