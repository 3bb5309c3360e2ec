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

/// Every parameter of a model begins at a multiple of this many elements in the flat buffers, whatever the type: buffers of a
/// model in float and of its copy in bfloat16 are laid out alike, and every parameter is aligned.
inline constexpr std::int64_t kParameterUnit = 64;
static_assert(kParameterUnit % static_cast<std::int64_t>(kAlignment) == 0);

constexpr std::int64_t padded_parameter(std::int64_t count) {
  return (count + kParameterUnit - 1) / kParameterUnit * kParameterUnit;
}

/// Owns the values and the gradients of every parameter of a model, each kind in one flat buffer in visiting order, so
/// that uploading, zeroing, clipping and averaging are single sweeps. The gaps between parameters hold zeros.
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
  template <class Model>
  static Tensor<T> allocate(Model& model, const std::shared_ptr<Allocator>& allocator, View<T> Param<T>::*member) {
    std::int64_t total = 0;
    model.visit([&](const std::string&, Param<T>& p) { total += padded_parameter(p.shape.numel()); });
    Tensor<T> flat(Shape{total}, allocator);
    if (flat.device().kind == DeviceKind::cpu) std::fill_n(flat.data(), total, T{});
    std::int64_t at = 0;
    model.visit([&](const std::string&, Param<T>& p) {
      p.*member = View<T>(flat.data() + at, p.shape, flat.device());
      at += padded_parameter(p.shape.numel());
    });
    return flat;
  }

  Tensor<T> values_, gradients_;
};

}  // namespace detrack
