// Forward, loss and backward of the IoU head on the image tokens of a forward pass.
#pragma once

#include <span>

#include "detrack/core/instantiate.hpp"
#include "detrack/model/detrack.hpp"
#include "detrack/model/host_transfer.hpp"

namespace detrack {

/// What the IoU head is to learn in a pass, on the host: as many boxes to each sample, sample by sample; empty: the head is
/// left out.
struct IouTask {
  std::span<const CropBox> boxes;  ///< crop units
  std::span<const double> truth;   ///< their overlap with the target
};

/// Keeps what it saves between its forward and its backward, so that a second pass of the same size allocates nothing.
template <class T>
class IouPass {
 public:
  /// Adds the gradients of the mean squared error, which it returns, to the head's and the words'. image (B, N, C) is of a
  /// forward pass; dimage of the same shape is overwritten; predicted (B n, 1) says how many boxes there are, n to a sample.
  /// Errors: argument, where the task has not as many.
  double run(Context<T>& ctx, DeTrack<T>& model, const IouTask& task, View<const T> image, View<T> predicted,
             View<T> dimage) {
    const std::int64_t count = predicted.extent(0);
    for (const std::size_t size : {task.boxes.size(), task.truth.size()})
      if (size != static_cast<std::size_t>(count))
        fail(ErrorCode::argument, "IouPass: expected ", count, " boxes, got ", size);
    const ArenaScope scope(ctx.arena());
    const auto boxes =
        transfer_.template upload<double>(ctx, {count, 4}, [&](std::size_t i) { return task.boxes[i / 4][i % 4]; });
    const auto truth =
        transfer_.template upload<stat_t<T>>(ctx, {count, 1}, [&](std::size_t i) { return stat_t<T>(task.truth[i]); });
    const auto weight = transfer_.template upload<stat_t<T>>(
        ctx, {count}, [&](std::size_t) { return stat_t<T>(1.0 / static_cast<double>(count)); });
    const View<stat_t<T>> loss = ctx.arena().template allocate<stat_t<T>>({count});
    const View<T> dpredicted = ctx.arena().template allocate<T>({count, 1});
    model.predict_iou(ctx, boxes, image, predicted, &saved_);
    ops::run(ctx, MseForward<T>{.a = predicted, .b = truth, .y = loss});
    ops::run(ctx, MseBackward<T>{.a = predicted, .b = truth, .dy = weight, .da = dpredicted});
    model.predict_iou_backward(ctx, dpredicted, saved_, dimage);
    return transfer_.mean(ctx, loss);
  }

 private:
  typename DeTrack<T>::IouSaved saved_;
  HostTransfer<T> transfer_;
};

DETRACK_INSTANTIATE(class IouPass<float>)
DETRACK_INSTANTIATE(class IouPass<double>)

}  // namespace detrack
