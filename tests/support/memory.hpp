// The named arrays of a test case: same numbers for every scalar type and device, guarded, read back as doubles.
#pragma once

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "detrack/core/tensor.hpp"
#include "detrack/ops/backend.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/dual.hpp"
#include "tests/support/random.hpp"

namespace detrack::test {

/// How arrays lie in memory: elements before the first one, and between rows.
struct Layout {
  std::int64_t offset = 0, row_gap = 0;
};
inline constexpr Layout kPacked{}, kStrided{1, 3};

template <class E>
E from_double(double x) {
  if constexpr (std::is_integral_v<E>)
    return std::isnan(x) ? std::numeric_limits<E>::max() : static_cast<E>(x);
  else if constexpr (std::is_same_v<E, bfloat16>)
    return bfloat16(static_cast<float>(x));
  else
    return E(x);
}

template <class E>
double to_double(E x) {
  if constexpr (std::is_integral_v<E>)
    return x == std::numeric_limits<E>::max() ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(x);
  else if constexpr (std::is_same_v<E, bfloat16>)
    return static_cast<double>(static_cast<float>(x));
  else
    return static_cast<double>(x);
}

enum class Role {
  in,   ///< random values; must be left alone
  out,  ///< starts as NaN; must be overwritten
  sum   ///< starts as random values; must be added to
};

/// Arrays come into being when an operation first names them, with the element type and the shape it wants:
///     SoftmaxForward<T>{.x = memory.in("x", {R, V}), .y = memory.out("y", {R, V})}
/// An array named d<name> is the gradient of the array <name>.
template <class T>
class Memory {
 public:
  /// With T = Dual, the array `tangent` carries random derivatives; all others carry none.
  explicit Memory(Context<T>& ctx, Layout layout = kPacked, std::string tangent = {})
      : ctx_(&ctx), layout_(layout), tangent_(std::move(tangent)) {}

  class Handle;
  Handle in(const std::string& name, const Shape& shape = {}, Values values = normal()) {
    return Handle{this, name, Role::in, shape, std::move(values)};
  }
  Handle out(const std::string& name, const Shape& shape) { return Handle{this, name, Role::out, shape, nullptr}; }
  Handle sum(const std::string& name, const Shape& shape) { return Handle{this, name, Role::sum, shape, normal()}; }
  /// An output that starts with the values of the random input `input`, for operations in place.
  Handle over(const std::string& name, const Handle& input) {
    Handle handle{this, name, Role::out, input.shape_, input.values_};
    handle.source_ = input.name_;
    return handle;
  }

  /// Structs as they are, in the context's memory for as long as this lives. They have no name and are not compared.
  template <class E>
  View<const E> given(const std::vector<E>& elements) {
    const auto tensor = std::make_shared<Tensor<E>>(Shape{static_cast<std::int64_t>(elements.size())}, ctx_->allocator());
    given_.push_back(tensor);
    if (!elements.empty()) ctx_->backend().copy_bytes(tensor->data(), elements.data(), elements.size() * sizeof(E));
    return View<const E>(tensor->data(), tensor->shape(), ctx_->device());
  }

  bool has(const std::string& name) const { return slots_.count(name) != 0; }
  std::vector<std::string> names(Role role) const {
    std::vector<std::string> found;
    for (const auto& [name, slot] : slots_)
      if (slot->role == role) found.push_back(name);
    return found;
  }
  std::vector<std::string> all_names() const {
    std::vector<std::string> found;
    for (const auto& [name, slot] : slots_) found.push_back(name);
    return found;
  }
  bool infinite_ok(const std::string& name) const { return slots_.at(name)->infinite_ok; }

  Array values(const std::string& name) const { return slots_.at(name)->values(); }
  Array derivatives(const std::string& name) const { return slots_.at(name)->derivatives(); }
  void set(const std::string& name, const std::vector<double>& values) { slots_.at(name)->write(values, {}); }
  /// What an operation has added to, or written into, an output.
  Array change(const std::string& name) const {
    const Slot& slot = *slots_.at(name);
    Array array = values(name);
    if (slot.role == Role::sum)
      for (std::size_t i = 0; i < array.values.size(); ++i) array.values[i] -= slot.initial[i];
    return array;
  }

  /// Inputs are as they were, outputs are written and finite, and nothing else was touched.
  Verdict intact() const {
    for (const auto& [name, slot] : slots_) {
      if (!slot->only_elements_changed(slot->role == Role::in))
        return reject(name, slot->role == Role::in ? ": an input was changed" : ": memory around the output was changed");
      if (slot->role == Role::in) continue;
      for (const double x : values(name).values)
        if (!(std::isfinite(x) || (slot->infinite_ok && std::isinf(x))))
          return reject(name, ": not overwritten, or not finite: ", x);
    }
    return {};
  }

  /// From here on everything that exists is an input: the forward is over, the backward follows.
  void freeze() {
    for (auto& [name, slot] : slots_) slot->role = Role::in, slot->remember();
  }

  class Handle {
   public:
    /// Left out (an absent view) unless `present`.
    Handle only_if(bool present) const {
      Handle handle = *this;
      handle.present_ = present;
      return handle;
    }
    Handle infinite_ok() const {
      Handle handle = *this;
      handle.infinite_ok_ = true;
      return handle;
    }
    template <class X>
    operator View<X>() const {
      if (!present_) return {};
      return memory_->template view<X>(*this);
    }

   private:
    friend class Memory;
    Handle(Memory* memory, const std::string& name, Role role, const Shape& shape, Values values)
        : memory_(memory), name_(name), role_(role), shape_(shape), values_(std::move(values)) {}
    Memory* memory_;
    std::string name_;
    Role role_;
    Shape shape_;
    Values values_;
    std::string source_;
    bool present_ = true, infinite_ok_ = false;
  };

 private:
  struct Slot {
    Role role{};
    bool infinite_ok = false;
    std::vector<double> initial;

    virtual ~Slot() = default;
    virtual Array values() const = 0;
    virtual Array derivatives() const = 0;
    virtual void write(const std::vector<double>& values, const std::vector<double>& derivatives) = 0;
    virtual bool only_elements_changed(bool not_even_those) const = 0;
    virtual void remember() = 0;
  };

  /// A buffer of elements E with guards before, between and after its rows, and an image of it on the host.
  template <class E>
  struct SlotOf final : Slot {
    SlotOf(Context<T>& context, const Shape& extents, Layout lay) : ctx(&context), shape(extents), layout(lay) {
      width = shape.rank() ? shape[shape.rank() - 1] : 1;
      const std::int64_t rows = width ? shape.numel() / width : 0, guard = 8;
      size = static_cast<std::size_t>(layout.offset + rows * (width + layout.row_gap) + guard);
      buffer = Tensor<E>({static_cast<std::int64_t>(size)}, ctx->allocator());
      image.assign(size, from_double<E>(std::numeric_limits<double>::quiet_NaN()));
      upload();
    }
    View<E> view() {
      std::array<std::int64_t, kMaxRank> strides{};
      std::int64_t stride = 1;
      for (int i = shape.rank() - 1; i >= 0; --i) {
        strides[static_cast<std::size_t>(i)] = stride;
        stride *= i == shape.rank() - 1 ? width + layout.row_gap : shape[i];
      }
      return {buffer.data() + layout.offset, shape, strides, ctx->device()};
    }
    std::size_t place(std::int64_t i) const {
      return static_cast<std::size_t>(layout.offset + i / width * (width + layout.row_gap) + i % width);
    }
    template <class F>
    Array read(F&& number) const {
      const std::vector<E> now = download();
      Array array{shape, {}};
      for (std::int64_t i = 0; i < shape.numel(); ++i) array.values.push_back(number(now[place(i)]));
      return array;
    }
    Array values() const override { return read(to_double<E>); }
    Array derivatives() const override {
      if constexpr (std::is_same_v<E, Dual>) return read([](Dual x) { return x.derivative; });
      return read([](E) { return 0.0; });
    }
    void write(const std::vector<double>& values, const std::vector<double>& derivatives) override {
      image = download();
      for (std::size_t i = 0; i < values.size(); ++i) {
        E& element = image[place(static_cast<std::int64_t>(i))];
        element = from_double<E>(values[i]);
        if constexpr (std::is_same_v<E, Dual>) element.derivative = derivatives.empty() ? 0 : derivatives[i];
      }
      upload();
    }
    bool only_elements_changed(bool not_even_those) const override {
      std::vector<E> now = download();
      if (!not_even_those)
        for (std::int64_t i = 0; i < shape.numel(); ++i) now[place(i)] = image[place(i)];
      return std::memcmp(static_cast<const void*>(now.data()), image.data(), size * sizeof(E)) == 0;
    }
    void remember() override { image = download(); }
    std::vector<E> download() const {
      std::vector<E> now(size);
      ctx->backend().copy_bytes(now.data(), buffer.data(), size * sizeof(E));
      return now;
    }
    void upload() { ctx->backend().copy_bytes(buffer.data(), image.data(), size * sizeof(E)); }

    Context<T>* ctx;
    Shape shape;
    Layout layout;
    std::int64_t width = 1;
    std::size_t size = 0;
    Tensor<E> buffer;
    std::vector<E> image;
  };

  template <class X>
  View<X> view(const Handle& handle) {
    using E = std::remove_const_t<X>;
    if (!has(handle.name_)) create<E>(handle);
    auto* slot = dynamic_cast<SlotOf<E>*>(slots_.at(handle.name_).get());
    if (!slot) throw std::logic_error("test case: " + handle.name_ + " was made with another element type");
    if (!std::is_const_v<X> && slot->role == Role::in) throw std::logic_error("test case: " + handle.name_ + " is an input");
    return slot->view();
  }

  template <class E>
  void create(const Handle& handle) {
    auto slot = std::make_unique<SlotOf<E>>(*ctx_, handle.shape_, layout_);
    slot->role = handle.role_;
    slot->infinite_ok = handle.infinite_ok_;
    if (!handle.source_.empty()) view<const E>(in(handle.source_, handle.shape_, handle.values_));
    if (handle.values_) {
      const std::string& origin = handle.source_.empty() ? handle.name_ : handle.source_;
      std::vector<double> values(static_cast<std::size_t>(handle.shape_.numel())), derivatives(values.size());
      Philox numbers(1, stream_of(origin)), directions(2, stream_of(origin));
      handle.values_(values, numbers);
      if (origin == tangent_) normal()(derivatives, directions);
      slot->write(values, derivatives);
      slot->initial = slot->values().values;
    }
    slots_[handle.name_] = std::move(slot);
  }

  Context<T>* ctx_;
  Layout layout_;
  std::string tangent_;
  std::map<std::string, std::unique_ptr<Slot>> slots_;
  std::vector<std::shared_ptr<void>> given_;
};

}  // namespace detrack::test
