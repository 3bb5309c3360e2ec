// A parameter and its gradient, and the two flat buffers that hold all of a model's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "detrack/core/tensor.hpp"

namespace detrack {

/// One named tensor that training changes. The memory belongs to the model's ParameterStore; `grad` is absent until the
/// store has gradients.
template <class T>
struct Param {
  Shape shape;
  View<T> value{}, grad{};

  Param() = default;
  explicit Param(const Shape& s) : shape(s) {}
};

/// Owns the values and the gradients of every parameter of a model, each kind in one flat buffer in visiting order, so
/// that uploading, zeroing, clipping and averaging are single sweeps. Every parameter starts on a kAlignment boundary; the
/// gaps hold zeros.
template <class T>
class ParameterStore {
 public:
  /// Allocates values for everything `model.visit` names and points the parameters at them.
  template <class Model>
  void allocate_values(Model& model, const std::shared_ptr<Allocator>& allocator) {
    values_ = allocate(model, allocator, &Param<T>::value);
  }
  /// The same for gradients.
  template <class Model>
  void allocate_gradients(Model& model, const std::shared_ptr<Allocator>& allocator) {
    gradients_ = allocate(model, allocator, &Param<T>::grad);
  }

  View<T> values() { return values_.view(); }
  View<const T> values() const { return values_.view(); }
  /// Absent before allocate_gradients.
  View<T> gradients() { return gradients_.view(); }

 private:
  static std::int64_t padded(std::int64_t count) {
    constexpr auto unit = static_cast<std::int64_t>(kAlignment / sizeof(T) > 0 ? kAlignment / sizeof(T) : 1);
    return (count + unit - 1) / unit * unit;
  }

  template <class Model>
  static Tensor<T> allocate(Model& model, const std::shared_ptr<Allocator>& allocator, View<T> Param<T>::*member) {
    std::int64_t total = 0;
    model.visit([&](const std::string&, Param<T>& p) { total += padded(p.shape.numel()); });
    Tensor<T> flat(Shape{total}, allocator);
    if (flat.device().kind == DeviceKind::cpu) std::fill_n(flat.data(), total, T{});
    std::int64_t at = 0;
    model.visit([&](const std::string&, Param<T>& p) {
      p.*member = View<T>(flat.data() + at, p.shape, flat.device());
      at += padded(p.shape.numel());
    });
    return flat;
  }

  Tensor<T> values_, gradients_;
};

}  // namespace detrack
