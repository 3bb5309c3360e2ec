// A borrowed, strided window onto tensor memory: pointer + shape + strides + device.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "detrack/core/device.hpp"
#include "detrack/core/error.hpp"
#include "detrack/core/shape.hpp"

namespace detrack {

/// Trivially copyable window of T. Strides count elements. It owns nothing: whoever made the memory keeps it alive.
/// A default-constructed view is absent (`!view`), which is how optional arguments are left out.
template <class T>
class View {
 public:
  using value_type = T;

  constexpr View() = default;
  /// Contiguous, row-major.
  constexpr View(T* data, const Shape& shape, Device device = {}) : data_(data), shape_(shape), device_(device) {
    std::int64_t stride = 1;
    for (int i = shape.rank() - 1; i >= 0; --i) {
      strides_[i] = stride;
      stride *= shape[i];
    }
  }
  constexpr View(T* data, const Shape& shape, const std::array<std::int64_t, kMaxRank>& strides, Device device)
      : data_(data), shape_(shape), strides_(strides), device_(device) {}
  /// View<T> reads as View<const T>. A template, because nvcc warns of a View<const T> that would convert to itself.
  template <class U>
    requires(!std::is_const_v<T> && std::is_same_v<U, const T>)
  constexpr operator View<U>() const {
    return {data_, shape_, strides_, device_};
  }

  constexpr T* data() const { return data_; }
  constexpr const Shape& shape() const { return shape_; }
  constexpr int rank() const { return shape_.rank(); }
  constexpr std::int64_t extent(int axis) const { return shape_[axis]; }
  constexpr std::int64_t stride(int axis) const { return strides_[axis]; }
  constexpr std::int64_t numel() const { return shape_.numel(); }
  constexpr Device device() const { return device_; }
  constexpr explicit operator bool() const { return data_ != nullptr; }

  /// Element without any check: for kernels. Host memory only.
  template <class... I>
  constexpr T& operator()(I... index) const {
    std::int64_t offset = 0;
    int axis = 0;
    ((offset += static_cast<std::int64_t>(index) * strides_[axis++]), ...);
    return data_[offset];
  }

  /// Element, checked. Errors: shape (rank or index out of range), device (not host memory).
  template <class... I>
  T& at(I... index) const {
    if (device_.kind != DeviceKind::cpu) fail(ErrorCode::device, "View::at: expected cpu memory, got ", to_string(device_));
    if (sizeof...(I) != static_cast<std::size_t>(rank()))
      fail(ErrorCode::shape, "View::at: expected ", rank(), " indices, got ", sizeof...(I));
    int axis = 0;
    [[maybe_unused]] const auto check = [&](std::int64_t i) {  // unused for scalars
      if (i < 0 || i >= extent(axis))
        fail(ErrorCode::shape, "View::at: axis ", axis, ": expected an index below ", extent(axis), ", got ", i);
      ++axis;
    };
    (check(static_cast<std::int64_t>(index)), ...);
    return (*this)(index...);
  }

  /// Row-major without gaps (extents of 1 may have any stride; nothing at all has no gaps).
  constexpr bool contiguous() const {
    if (numel() == 0) return true;
    std::int64_t expected = 1;
    for (int i = rank() - 1; i >= 0; --i) {
      if (extent(i) != 1 && stride(i) != expected) return false;
      expected *= extent(i);
    }
    return true;
  }

  /// `count` positions of `axis` from `begin` on. Errors: shape.
  constexpr View slice(int axis, std::int64_t begin, std::int64_t count) const {
    check_axis("slice", axis);
    if (begin < 0 || count < 0 || begin > extent(axis) || count > extent(axis) - begin)
      fail(ErrorCode::shape, "View::slice: axis ", axis, ": expected a range within [0, ", extent(axis), "), got ", count,
           " from ", begin, " on");
    Shape shape;
    for (int i = 0; i < rank(); ++i) shape.append(i == axis ? count : extent(i));
    return {data_ + begin * stride(axis), shape, strides_, device_};
  }

  /// Position `index` of `axis`, which goes away. Errors: shape.
  constexpr View select(int axis, std::int64_t index) const {
    const View one = slice(axis, index, 1);
    Shape shape;
    std::array<std::int64_t, kMaxRank> strides{};
    for (int i = 0; i < rank(); ++i) {
      if (i == axis) continue;
      strides[shape.rank()] = stride(i);
      shape.append(extent(i));
    }
    return {one.data_, shape, strides, device_};
  }

  /// Splits `axis` of extent n into (n / inner, inner): heads out of a width, no copy. Errors: shape.
  constexpr View split(int axis, std::int64_t inner) const {
    check_axis("split", axis);
    if (inner <= 0 || extent(axis) % inner != 0)
      fail(ErrorCode::shape, "View::split: axis ", axis, ": expected a divisor of ", extent(axis), ", got ", inner);
    if (rank() == kMaxRank) fail(ErrorCode::shape, "View::split: expected a rank below ", kMaxRank, ", got ", rank());
    Shape shape;
    std::array<std::int64_t, kMaxRank> strides{};
    for (int i = 0; i < rank(); ++i) {
      if (i == axis) {
        strides[shape.rank()] = stride(i) * inner;
        shape.append(extent(i) / inner);
      }
      strides[shape.rank()] = stride(i);
      shape.append(i == axis ? inner : extent(i));
    }
    return {data_, shape, strides, device_};
  }

  /// The same elements under another shape. Errors: shape (not contiguous, or another number of elements).
  constexpr View reshape(const Shape& shape) const {
    if (shape.numel() != numel())
      fail(ErrorCode::shape, "View::reshape: expected ", numel(), " elements, got ", to_string(shape));
    if (!contiguous()) fail(ErrorCode::shape, "View::reshape: expected a contiguous view of ", to_string(shape_));
    return {data_, shape, device_};
  }

  /// All leading axes as one: (..., C) as (R, C), no copy. Errors: shape, if the leading axes have gaps between them.
  constexpr View rows() const {
    if (rank() == 0) fail(ErrorCode::shape, "View::rows: expected a rank of at least 1, got 0");
    const std::int64_t width = extent(rank() - 1);
    std::int64_t count = 1, row_stride = 0;
    bool started = false;
    for (int i = rank() - 2; i >= 0; --i) {
      if (extent(i) != 1) {
        if (!started)
          row_stride = stride(i), started = true;
        else if (numel() != 0 && stride(i) != row_stride * count)
          fail(ErrorCode::shape, "View::rows: the leading axes of ", to_string(shape_), " cannot be joined");
      }
      count *= extent(i);
    }
    return {data_, Shape{count, width}, {started ? row_stride : width, stride(rank() - 1)}, device_};
  }

 private:
  constexpr void check_axis(const char* what, int axis) const {
    if (axis < 0 || axis >= rank())
      fail(ErrorCode::shape, "View::", what, ": expected an axis below ", rank(), ", got ", axis);
  }

  T* data_ = nullptr;
  Shape shape_;
  std::array<std::int64_t, kMaxRank> strides_{};
  Device device_;
};

}  // namespace detrack
