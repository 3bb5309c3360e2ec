// Planned crops become pixels in the memory of a device.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "detrack/core/tensor.hpp"
#include "detrack/model/config.hpp"
#include "detrack/ops/backend.hpp"
#include "detrack/train/device_pictures.hpp"
#include "detrack/train/planned_crop.hpp"

namespace detrack {

/// Pictures that are not held go through one block of memory, as many crops at a time as it has room for; it grows only for
/// a crop whose pictures alone are larger.
template <class T>
class DeviceCrops {
 public:
  /// y (N, 3, S, S): the crops, normalised as the model wants them. Pictures that are missing go to `pictures` while it
  /// takes them; both must stay until the context's next synchronize(). Errors: shape, out_of_memory; those of the backend.
  void make(Context<T>& ctx, const Config& config, DevicePictures& pictures, const std::vector<PlannedCrop>& crops,
            View<T> y) {
    const auto count = static_cast<std::int64_t>(crops.size());
    ops::expect_shape("device crops", "y", y.shape(), {count, 3, y.extent(2), y.extent(2)});
    if (plans_.numel() < count) {
      ctx.backend().synchronize();  // what is given back may be in use
      plans_ = Tensor<CropPlan>({count}, ctx.allocator());
    }
    Tensor<CropPlan>& host = host_plans_[next_host_++ % host_plans_.size()];
    if (host.numel() < count) host = Tensor<CropPlan>({count}, ctx.backend().host_allocator());
    std::int64_t begin = 0;
    const auto make_until = [&](std::int64_t end) {
      if (begin == end) return;
      const View<CropPlan> from = host.view().slice(0, begin, end - begin), to = plans_.view().slice(0, begin, end - begin);
      ctx.backend().copy_bytes_later(to.data(), from.data(), static_cast<std::size_t>(end - begin) * sizeof(CropPlan));
      ops::run(ctx,
               AugmentedCrops<T>{.plans = to, .mean = config.mean, .std = config.std, .y = y.slice(0, begin, end - begin)});
      begin = end;
    };
    passing_.clear();
    passing_bytes_ = 0;
    for (std::int64_t n = 0; n < count; ++n) {
      const PlannedCrop& crop = crops[static_cast<std::size_t>(n)];
      if (!fits(crop)) {
        make_until(n);
        passing_.clear();
        passing_bytes_ = 0;
        reserve(ctx, room_of(crop));
      }
      CropPlan plan = crop.plan;
      for (std::size_t k = 0; k < crop.missing.size(); ++k)
        if (crop.missing[k].image) picture_of(plan, k).data = place(ctx, pictures, crop.missing[k]);
      host.view()(n) = plan;
    }
    make_until(count);
  }

 private:
  static constexpr std::int64_t kPassing = 32 << 20;

  static std::int64_t room_of(const PlannedCrop& crop) {
    std::int64_t bytes = 0;
    for (const auto& missing : crop.missing)
      if (missing.image) bytes += DevicePictures::room_of(*missing.image);
    return bytes;
  }
  /// Whether its pictures have room beside those that pass by already, even if all of them must.
  bool fits(const PlannedCrop& crop) const { return passing_bytes_ + room_of(crop) <= block_.numel(); }

  /// Before pictures are held, which may take all memory there is.
  void reserve(Context<T>& ctx, std::int64_t bytes) {
    if (bytes <= block_.numel()) return;
    ctx.backend().synchronize();
    block_ = {};
    block_ = Tensor<std::uint8_t>({std::max(bytes, kPassing)}, ctx.allocator());
  }

  const std::uint8_t* place(Context<T>& ctx, DevicePictures& pictures, const PlannedCrop::Missing& missing) {
    if (const auto there = pictures.find(missing.file)) return there->data;  // since it was planned
    const Image& image = *missing.image;
    std::uint8_t* to = pictures.add(missing.file, image);
    if (!to) {
      const auto [found, is_new] = passing_.try_emplace(&image, nullptr);
      if (!is_new) return found->second;
      to = found->second = block_.data() + passing_bytes_;
      passing_bytes_ += DevicePictures::room_of(image);
    }
    ctx.backend().copy_bytes_later(to, image.data(), static_cast<std::size_t>(3 * image.width() * image.height()));
    return to;
  }

  Tensor<CropPlan> plans_;
  /// Of search crops and templates, of this batch and the one before, whose copies may be on their way.
  std::array<Tensor<CropPlan>, 4> host_plans_;
  std::size_t next_host_ = 0;
  Tensor<std::uint8_t> block_;
  std::unordered_map<const Image*, std::uint8_t*> passing_;  ///< in block_, of the crops that are made next
  std::int64_t passing_bytes_ = 0;
};

}  // namespace detrack
