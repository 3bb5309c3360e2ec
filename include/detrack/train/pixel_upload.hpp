// The pixels of a batch into memory of a device as the model's scalar: made on the host, or made there.
#pragma once

#include <memory>
#include <type_traits>

#include "detrack/core/tensor.hpp"
#include "detrack/model/config.hpp"
#include "detrack/ops/backend.hpp"
#include "detrack/train/batch.hpp"
#include "detrack/train/device_crops.hpp"

namespace detrack {

/// Pixels that are floats travel as they are and are rounded on the device: rounding them on the host's one thread takes
/// longer than a step. The batch must stay until the context's next synchronize(), which every copy back to the host is.
template <class T>
class PixelUpload {
 public:
  /// search (B, 3, S, S); templates (B, n, 3, Z, Z), or absent where the batch has none. Errors: shape, out_of_memory, those
  /// of the backend.
  void upload(Context<T>& ctx, const Config& config, const Batch& batch, View<T> search, View<T> templates = {}) {
    if (batch.pictures) {
      pictures_ = batch.pictures;
      crops_.make(ctx, config, *batch.pictures, batch.planned_search, search);
      if (templates) crops_.make(ctx, config, *batch.pictures, batch.planned_templates, joined(templates));
    } else {
      upload(ctx, batch.search.view(), search);
      if (templates) upload(ctx, batch.templates.view(), templates);
    }
  }

 private:
  /// Templates one after the other.
  static View<T> joined(View<T> t) { return t.reshape({t.extent(0) * t.extent(1), t.extent(2), t.extent(3), t.extent(4)}); }

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

  Tensor<float> staged_;
  DeviceCrops<T> crops_;
  std::shared_ptr<DevicePictures> pictures_;  ///< crops may still be made of them when the last batch is gone
};

}  // namespace detrack
