// Two linear layers with an activation between: the MLP of a transformer block, the noise predictor, the IoU head's top.
#pragma once

#include <string>

#include "detrack/core/instantiate.hpp"
#include "detrack/nn/linear.hpp"

namespace detrack {

template <class T>
struct Mlp {
  Linear<T> fc1, fc2;
  Activation activation = Activation::gelu;

  struct Saved {
    View<const T> x{};
    View<T> pre{}, hidden{};  ///< (R, hidden) before and after the activation
  };

  Mlp() = default;
  Mlp(std::int64_t in, std::int64_t hidden, std::int64_t out, Activation act)
      : fc1(in, hidden), fc2(hidden, out), activation(act) {}

  /// y = residual + alpha fc2(activation(fc1(x))); y may be residual, which may be absent, or x where nothing is saved.
  /// With y absent only what a backward needs is computed.
  void forward(Context<T>& ctx, const LinearInput<T>& x, View<const T> residual, View<T> y, Saved* saved,
               double alpha = 1) const {
    ArenaScope scope(ctx.arena());
    Saved s{.x = x.view.rows()};
    const Shape shape{s.x.extent(0), fc1.bias.shape[0]};
    s.hidden = ctx.arena().template allocate<T>(shape);
    if (saved) {
      // max(z, 0) > 0 exactly where z > 0, so ReLU needs no copy of its input.
      s.pre = activation == Activation::relu ? s.hidden : ctx.arena().template allocate<T>(shape);
      *saved = s;
      scope.keep();
    }
    const bool keep_pre = s.pre && s.pre.data() != s.hidden.data();
    fc1.forward(ctx, x, s.hidden, {.activation = activation, .pre = keep_pre ? s.pre : View<T>{}});
    if (y) fc2.forward(ctx, s.hidden, y, {.residual = residual, .alpha = alpha});
  }

  /// dx: gradient through the two layers, which may be dy; the residual's is dy itself.
  void backward(Context<T>& ctx, View<const T> dy, const Saved& saved, View<T> dx, double alpha = 1) {
    const ArenaScope scope(ctx.arena());
    const View<T> dhidden = ctx.arena().template allocate<T>(saved.hidden.shape());
    fc2.backward(ctx, dy, saved.hidden, dhidden, alpha);
    ops::run(ctx, ActivationBackward<T>{.kind = activation, .x = saved.pre, .dy = dhidden, .dx = dhidden});
    fc1.backward(ctx, dhidden, saved.x, dx);
  }

  template <class F>
  void visit(const std::string& prefix, F&& f) {
    fc1.visit(prefix + "fc1.", f);
    fc2.visit(prefix + "fc2.", f);
  }
};

DETRACK_INSTANTIATE(struct Mlp<float>)
DETRACK_INSTANTIATE(struct Mlp<double>)

}  // namespace detrack
