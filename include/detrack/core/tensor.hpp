// The owner of tensor memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "detrack/core/allocator.hpp"
#include "detrack/core/view.hpp"

namespace detrack {

/// Owns contiguous row-major memory of one device; moves, never copies by accident. Elements start uninitialised.
template <class T>
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(const Shape& shape, std::shared_ptr<Allocator> allocator = host_allocator())
      : shape_(shape), allocator_(std::move(allocator)) {
    const auto count = static_cast<std::uint64_t>(std::max<std::int64_t>(shape.numel(), 1));
    if (count > std::numeric_limits<std::ptrdiff_t>::max() / sizeof(T))
      fail(ErrorCode::out_of_memory, "Tensor: ", to_string(shape), " is more than the address space holds");
    data_ = static_cast<T*>(allocator_->allocate(count * sizeof(T)));
  }
  Tensor(Tensor&& other) noexcept { swap(other); }
  Tensor& operator=(Tensor&& other) noexcept {
    Tensor taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~Tensor() {
    if (data_) allocator_->deallocate(data_);
  }

  /// A host tensor of zeros.
  static Tensor zeros(const Shape& shape) {
    Tensor tensor(shape);
    std::fill_n(tensor.data_, shape.numel(), T{});
    return tensor;
  }

  /// A copy of a host tensor. Errors: device.
  Tensor clone() const {
    if (!data_) return {};
    if (device().kind != DeviceKind::cpu)
      fail(ErrorCode::device, "Tensor::clone: expected cpu memory, got ", to_string(device()));
    Tensor copy(shape_, allocator_);
    std::copy_n(data_, shape_.numel(), copy.data_);
    return copy;
  }

  View<T> view() { return {data_, shape_, device()}; }
  View<const T> view() const { return {data_, shape_, device()}; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  const Shape& shape() const { return shape_; }
  std::int64_t numel() const { return data_ ? shape_.numel() : 0; }
  Device device() const { return allocator_ ? allocator_->device() : Device{}; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  void swap(Tensor& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(shape_, other.shape_);
    std::swap(allocator_, other.allocator_);
  }

  T* data_ = nullptr;
  Shape shape_;
  std::shared_ptr<Allocator> allocator_;
};

}  // namespace detrack
