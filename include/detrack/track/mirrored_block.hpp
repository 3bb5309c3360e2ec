// Small arrays of several types in one block of device memory and one of host memory, copied as a whole.
#pragma once

#include <cstddef>
#include <memory>

#include "detrack/core/tensor.hpp"
#include "detrack/ops/backend.hpp"

namespace detrack {

/// First add() every array, then allocate(), then use them. The context must outlive this.
template <class T>
class MirroredBlock {
 public:
  template <class X>
  struct Array {
    std::size_t offset = 0;
    Shape shape;
  };

  explicit MirroredBlock(Context<T>& ctx) : ctx_(&ctx) {}

  template <class X>
  Array<X> add(const Shape& shape) {
    const Array<X> array{bytes_, shape};
    const std::size_t size = static_cast<std::size_t>(shape.numel()) * sizeof(X);
    bytes_ += (size + kAlignment - 1) / kAlignment * kAlignment;
    return array;
  }
  /// Host memory starts as zeros. Errors: out_of_memory.
  void allocate() {
    const Shape shape{static_cast<std::int64_t>(bytes_)};
    host_ = Tensor<std::byte>(shape, ctx_->backend().host_allocator());
    device_ = Tensor<std::byte>(shape, ctx_->allocator());
    std::fill_n(host_.data(), bytes_, std::byte{0});
  }

  template <class X>
  View<X> host(const Array<X>& array) {
    return {reinterpret_cast<X*>(host_.data() + array.offset), array.shape, Device{}};
  }
  template <class X>
  View<X> device(const Array<X>& array) {
    return {reinterpret_cast<X*>(device_.data() + array.offset), array.shape, ctx_->device()};
  }

  /// Begins a copy of all arrays; done after synchronize().
  void upload() { ctx_->backend().copy_bytes_later(device_.data(), host_.data(), bytes_); }
  void download() { ctx_->backend().copy_bytes_later(host_.data(), device_.data(), bytes_); }

 private:
  Context<T>* ctx_;
  std::size_t bytes_ = 0;
  Tensor<std::byte> host_, device_;
};

}  // namespace detrack
