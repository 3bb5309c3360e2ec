// The pixels of a batch, which are floats, into memory of a device as the model's scalar.
#pragma once

#include <type_traits>

#include "detrack/core/tensor.hpp"
#include "detrack/ops/backend.hpp"

namespace detrack {

/// The pixels travel as they are and are rounded on the device: rounding them on the host's one thread takes longer than a
/// step. They must stay until the context's next synchronize(), which every copy back to the host is.
template <class T>
class PixelUpload {
 public:
  void upload(Context<T>& ctx, View<const float> from, View<T> to) {
    ops::expect_shape("upload", "to", to.shape(), from.shape());
    const auto bytes = static_cast<std::size_t>(from.numel()) * sizeof(float);
    if constexpr (std::is_same_v<T, float>) {
      ctx.backend().copy_bytes_later(to.data(), from.data(), bytes);
    } else {
      if (staged_.numel() < from.numel()) staged_ = Tensor<float>({from.numel()}, ctx.allocator());
      const View<float> staged = staged_.view().slice(0, 0, from.numel());
      ctx.backend().copy_bytes_later(staged.data(), from.data(), bytes);
      ops::run(ctx, Cast<T>{.x = staged, .y = to.reshape({to.numel()})});
    }
  }

 private:
  Tensor<float> staged_;
};

}  // namespace detrack
