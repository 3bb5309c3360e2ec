// Decoded pictures in the memory of a device, as long as there is room.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "detrack/core/tensor.hpp"
#include "detrack/image/image.hpp"
#include "detrack/ops/crop_plan.hpp"

namespace detrack {

/// Pictures that were put here stay until the end, so that what find() gives stays good. Nothing is thrown out: training
/// goes round in all of its data, and whatever was thrown out would be missed as soon.
class DevicePictures {
 public:
  /// `memory`: of the context that crops are made on. `most_bytes`: pictures beyond are not held.
  DevicePictures(std::shared_ptr<Allocator> memory, std::size_t most_bytes)
      : memory_(std::move(memory)),
        most_bytes_(std::min(most_bytes, std::size_t{std::numeric_limits<std::ptrdiff_t>::max()})) {}

  /// Bytes that a picture takes on a device: the next one begins aligned.
  static std::int64_t room_of(const Image& image) {
    constexpr std::int64_t kAlign = 256;
    return (3 * image.width() * image.height() + kAlign - 1) / kAlign * kAlign;
  }

  /// Where a picture lies, if it does. For any number of threads.
  std::optional<RgbPicture> find(const std::filesystem::path& file) const {
    const std::lock_guard lock(mutex_);
    const auto found = pictures_.find(file.native());
    return found == pictures_.end() ? std::nullopt : std::optional(found->second);
  }

  /// A place for a picture that is not here yet, which the caller fills before anything looks at it; nullptr where there is
  /// no room. For the thread that owns the context.
  std::uint8_t* add(const std::filesystem::path& file, const Image& image) {
    const std::int64_t room = room_of(image);
    if (!make_room(room)) return nullptr;
    std::uint8_t* const place = blocks_.back().data() + used_of_last_;
    used_of_last_ += room;
    const std::lock_guard lock(mutex_);
    pictures_[file.native()] = {place, image.height(), image.width()};
    return place;
  }

  /// Of the device, used or not.
  std::size_t bytes() const { return bytes_; }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return pictures_.size();
  }
  /// The first time after the device's memory came to its end: that it did. For the thread that owns the context.
  std::string take_notice() { return std::exchange(notice_, {}); }

 private:
  static constexpr std::int64_t kBlock = 64 << 20;  // devices allocate slowly, and in pages of megabytes
  /// Of a device's memory, for who comes after: validation, a larger picture.
  static constexpr std::int64_t kSpare = 512 << 20;

  bool make_room(std::int64_t bytes) {
    if (!blocks_.empty() && bytes <= blocks_.back().numel() - used_of_last_) return true;
    const auto left = static_cast<std::int64_t>(most_bytes_ - bytes_);
    if (full_ || bytes > left) return false;
    const std::int64_t size = std::max(bytes, std::min(kBlock, left));
    try {
      if (memory_->device().kind != DeviceKind::cpu) Tensor<std::uint8_t>({size + kSpare}, memory_);
      blocks_.emplace_back(Shape{size}, memory_);
    } catch (const std::bad_alloc&) {
      return out_of_memory();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::out_of_memory) throw;
      return out_of_memory();
    }
    bytes_ += static_cast<std::size_t>(size);
    used_of_last_ = 0;
    return true;
  }
  bool out_of_memory() {
    full_ = true;
    notice_ = detail::concat(to_string(memory_->device()), ": no memory for more than ", bytes_ >> 20,
                             " MiB of pictures: the others travel with each batch");
    return false;
  }

  std::shared_ptr<Allocator> memory_;
  std::size_t most_bytes_, bytes_ = 0;
  std::vector<Tensor<std::uint8_t>> blocks_;
  std::int64_t used_of_last_ = 0;
  bool full_ = false;
  std::string notice_;
  mutable std::mutex mutex_;  ///< of what follows
  std::unordered_map<std::string, RgbPicture> pictures_;
};

}  // namespace detrack
