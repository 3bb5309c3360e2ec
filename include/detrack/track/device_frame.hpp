// A frame where the network's device can read it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "detrack/core/tensor.hpp"
#include "detrack/image/image.hpp"
#include "detrack/ops/backend.hpp"

namespace detrack {

/// Frames that are in the device's memory are used there, others are copied. The context must outlive this.
template <class T>
class DeviceFrame {
 public:
  explicit DeviceFrame(Context<T>& ctx) : ctx_(&ctx) {}

  /// Begins the copy, which is done after synchronize(); until then `frame` must stay.
  /// Errors: device (the memory of another device), out_of_memory.
  void set(const ImageView& frame) {
    pixels_ = frame.pixels();
    const Device device = pixels_.planes[0].samples.device();
    if (device == ctx_->device()) return;
    if (device.kind != DeviceKind::cpu)
      fail(ErrorCode::device, "frame: expected memory of the cpu or of ", to_string(ctx_->device()), ", got ",
           to_string(device));
    copy_planes();
  }
  const Pixels& pixels() const { return pixels_; }

 private:
  /// Addresses from the first to past the last byte of a plane.
  struct Range {
    const std::uint8_t* begin;
    const std::uint8_t* end;
  };
  static Range range_of(const View<const std::uint8_t>& samples) {
    Range range{samples.data(), samples.data() + 1};
    for (int axis = 0; axis < 2; ++axis) {
      const std::int64_t reach = (samples.extent(axis) - 1) * samples.stride(axis);
      (reach < 0 ? range.begin : range.end) += reach;
    }
    return range;
  }

  /// Planes that lie in one another, as those of packed pixels do, are copied together; what lies between planes is not
  /// touched: it may be no memory at all.
  void copy_planes() {
    std::array<Range, 3> ranges;
    for (std::size_t i = 0; i < 3; ++i) ranges[i] = range_of(pixels_.planes[i].samples);
    std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
    std::size_t count = 0;
    std::int64_t bytes = 0;
    for (const Range& range : ranges)
      if (count > 0 && range.begin <= ranges[count - 1].end)
        ranges[count - 1].end = std::max(ranges[count - 1].end, range.end);
      else
        ranges[count++] = range;
    for (std::size_t i = 0; i < count; ++i) bytes += ranges[i].end - ranges[i].begin;
    if (memory_.numel() < bytes) memory_ = Tensor<std::uint8_t>(Shape{bytes}, ctx_->allocator());

    std::uint8_t* to = memory_.data();
    for (std::size_t i = 0; i < count; ++i) {
      const auto [begin, end] = ranges[i];
      ctx_->backend().copy_bytes_later(to, begin, static_cast<std::size_t>(end - begin));
      for (Pixels::Plane& plane : pixels_.planes) {
        const View<const std::uint8_t> samples = plane.samples;
        if (samples.device() == ctx_->device() || samples.data() < begin || samples.data() >= end) continue;
        plane.samples = {
            to + (samples.data() - begin), samples.shape(), {samples.stride(0), samples.stride(1)}, ctx_->device()};
      }
      to += end - begin;
    }
  }

  Context<T>* ctx_;
  Pixels pixels_;
  Tensor<std::uint8_t> memory_;
};

}  // namespace detrack
