// AdamW over a model's parameters, in groups, with clipping by the norm of all gradients together.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "detrack/core/instantiate.hpp"
#include "detrack/core/tensor.hpp"
#include "detrack/nn/param.hpp"
#include "detrack/ops/backend.hpp"
#include "detrack/train/options.hpp"

namespace detrack {

/// What a stage does with a parameter.
struct ParameterGroup {
  bool trained = true;
  double lr_factor = 1;
  bool decays = true;
};

/// The group of a parameter of a DeTrack or of its masked autoencoder. Weights of linear layers decay; biases, norms and
/// embeddings do not. The backbone's image half, which may have been pretrained, has its own factor. A stage trains the IoU
/// head or everything else.
inline ParameterGroup parameter_group(std::string_view name, int rank, Stage stage, double backbone_factor) {
  const bool patches = name.ends_with("patch_embed.proj.weight");
  const bool embedding = !patches && name.find("embed") != std::string_view::npos && !name.starts_with("decoder.embed.");
  const bool image_half =
      name.starts_with("backbone.") && name.find(".denoise.") == std::string_view::npos && !name.ends_with("template_embed");
  return {.trained = name.starts_with("iou.") == (stage == Stage::iou),
          .lr_factor = image_half ? backbone_factor : 1,
          .decays = rank >= 2 && !embedding && !name.ends_with("mask_token")};
}

/// Moments beside a model's parameters, in flat buffers. Parameters that follow each other in the model's memory and are
/// trained are one span, which is moved by one operation.
template <class T>
class Optimizer {
 public:
  using S = stat_t<T>;
  static_assert(AdamW<T>::kUnit == kParameterUnit, "no unit of factors may hold parts of two parameters");
  struct Slot {
    std::string name;
    ParameterGroup group;
    Shape shape;
    View<S> value{}, average{};  ///< flat, as all that follow
    View<T> rounded{};           ///< absent where T is S
    View<const T> gradient{};
    View<S> m{}, v{};
  };
  struct Span {
    View<S> value{}, average{}, m{}, v{};
    View<T> rounded{};
    View<const T> gradient{};
    View<const S> factors{};  ///< as AdamW takes them: of the learning rate and of the decay
  };

  /// Three models of one shape, in memory of the context's device: the weights, what is computed with (the weights rounded
  /// to T, or, where T is S, the very same model), which must have its gradients, and the average. They must outlive this.
  template <class Wide, class Model>
  Optimizer(Context<T>& ctx, Wide& weights, Model& model, Wide& average, const OptimizerOptions& options, Stage stage)
      : options_(options) {
    weights.visit([&](const std::string& name, Param<S>& p) {
      slots_.push_back({.name = name,
                        .group = parameter_group(name, p.shape.rank(), stage, options.backbone_factor),
                        .shape = p.shape,
                        .value = flat(p.value)});
    });
    auto slot = slots_.begin();
    model.visit([&](const std::string&, Param<T>& p) {
      if constexpr (!std::is_same_v<T, S>) slot->rounded = flat(p.value);
      slot++->gradient = flat(p.grad);
    });
    slot = slots_.begin();
    average.visit([&](const std::string&, Param<S>& p) { slot++->average = flat(p.value); });
    std::erase_if(slots_, [](const Slot& s) { return !s.group.trained; });
    std::int64_t trained = 0;
    for (const Slot& s : slots_) trained += padded_parameter(s.value.numel());
    for (Tensor<S>* moments : {&m_, &v_}) {
      *moments = Tensor<S>(Shape{trained}, ctx.allocator());
      upload(ctx, std::vector<S>(static_cast<std::size_t>(trained)), moments->view());
    }
    std::int64_t at = 0;
    for (Slot& s : slots_) {
      s.m = m_.view().slice(0, at, s.value.numel());
      s.v = v_.view().slice(0, at, s.value.numel());
      at += padded_parameter(s.value.numel());
    }
    make_spans(ctx);
  }

  /// Norm of the gradients of all trained parameters; not finite where one of them is not.
  double gradient_norm(Context<T>& ctx) {
    const View<double> squares = squares_.view();
    for (std::size_t i = 0; i < spans_.size(); ++i)
      ops::run(ctx, SquaredNorm<T>{.x = spans_[i].gradient, .y = squares.slice(0, static_cast<std::int64_t>(i), 1)});
    ops::copy(ctx, View<const double>(squares), View<double>(host_squares_.data(), squares.shape()));
    double sum = 0;
    for (const double square : host_squares_) sum += square;
    return std::sqrt(sum);
  }

  /// One update with the gradients times `scale`; then average = decay average + (1 - decay) weights.
  void update(Context<T>& ctx, double lr, double scale, double average_decay) {
    ++updates_;
    const auto correction = [&](double beta) { return 1 - std::pow(beta, static_cast<double>(updates_)); };
    for (const Span& span : spans_)
      ops::run(ctx, AdamW<T>{.value = span.value,
                             .gradient = span.gradient,
                             .m = span.m,
                             .v = span.v,
                             .rounded = span.rounded,
                             .average = span.average,
                             .factors = span.factors,
                             .lr = lr,
                             .beta1 = options_.beta1,
                             .beta2 = options_.beta2,
                             .eps = options_.eps,
                             .weight_decay = options_.weight_decay,
                             .gradient_scale = scale,
                             .correction1 = correction(options_.beta1),
                             .correction2 = correction(options_.beta2),
                             .average_decay = average_decay});
  }

  std::int64_t updates() const { return updates_; }
  void set_updates(std::int64_t updates) { updates_ = updates; }
  const std::vector<Slot>& slots() const { return slots_; }

 private:
  template <class X>
  static View<X> flat(View<X> x) {
    return x.reshape({x.numel()});
  }
  static void upload(Context<T>& ctx, const std::vector<S>& values, View<S> to) {
    ops::copy(ctx, View<const S>(values.data(), to.shape()), to);
  }

  void make_spans(Context<T>& ctx) {
    const std::int64_t units = m_.numel() / kParameterUnit;
    factors_ = Tensor<S>(Shape{2 * units}, ctx.allocator());
    std::vector<S> factors;
    for (auto first = slots_.begin(); first != slots_.end();) {
      auto last = first;  // of the span
      const auto end = [](const Slot& s) { return s.value.data() + padded_parameter(s.value.numel()); };
      while (last + 1 != slots_.end() && end(*last) == (last + 1)->value.data()) ++last;
      const std::int64_t count = (last->value.data() - first->value.data()) + last->value.numel();
      const std::int64_t span_units = padded_parameter(count) / kParameterUnit;
      const auto at = static_cast<std::int64_t>(factors.size());
      for (const bool decay : {false, true})
        for (auto s = first; s <= last; ++s)
          factors.insert(factors.end(), static_cast<std::size_t>(padded_parameter(s->value.numel()) / kParameterUnit),
                         decay ? S(s->group.decays ? 1 : 0) : S(s->group.lr_factor));
      spans_.push_back({.value = widened(first->value, count),
                        .average = widened(first->average, count),
                        .m = widened(first->m, count),
                        .v = widened(first->v, count),
                        .rounded = widened(first->rounded, count),
                        .gradient = widened(first->gradient, count),
                        .factors = factors_.view().slice(0, at, 2 * span_units).reshape({2, span_units})});
      first = last + 1;
    }
    upload(ctx, factors, factors_.view());
    squares_ = Tensor<double>(Shape{static_cast<std::int64_t>(spans_.size())}, ctx.allocator());
    host_squares_.resize(spans_.size());
  }

  /// The view and what follows it in its buffer.
  template <class X>
  static View<X> widened(const View<X>& x, std::int64_t count) {
    return x ? View<X>(x.data(), Shape{count}, x.device()) : x;
  }

  OptimizerOptions options_;
  std::vector<Slot> slots_;
  std::vector<Span> spans_;
  Tensor<S> m_, v_, factors_;
  Tensor<double> squares_;
  std::vector<double> host_squares_;
  std::int64_t updates_ = 0;
};

DETRACK_INSTANTIATE(class Optimizer<float>)

}  // namespace detrack
