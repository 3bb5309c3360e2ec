// Layer normalisation layer.
#pragma once

#include <string>

#include "detrack/core/instantiate.hpp"
#include "detrack/nn/linear_input.hpp"
#include "detrack/nn/param.hpp"
#include "detrack/ops/backend.hpp"

namespace detrack {

template <class T>
struct LayerNorm {
  static constexpr double kEps = 1e-6;
  Param<T> gamma, beta;  ///< (C), named weight and bias as in PyTorch

  struct Saved {
    View<const T> x{};
    View<stat_t<T>> mean{}, rstd{};
  };

  LayerNorm() = default;
  explicit LayerNorm(std::int64_t width) : gamma(Shape{width}), beta(Shape{width}) {}

  /// x, y (..., C).
  void forward(Context<T>& ctx, View<const T> x, View<T> y, Saved* saved) const {
    ops::run(ctx, ahead(ctx, x, y, saved).norm);
  }
  /// The same, to be done when a linear layer reads y.
  LinearInput<T> ahead(Context<T>& ctx, View<const T> x, View<T> y, Saved* saved) const {
    Saved s{.x = x.rows()};
    if (saved) {
      s.mean = ctx.arena().template allocate<stat_t<T>>({s.x.extent(0)});
      s.rstd = ctx.arena().template allocate<stat_t<T>>({s.x.extent(0)});
      *saved = s;
    }
    return {
        y,
        LayerNormForward<T>{
            .x = s.x, .gamma = gamma.value, .beta = beta.value, .eps = kEps, .y = y.rows(), .mean = s.mean, .rstd = s.rstd}};
  }

  /// dx = residual + the norm's gradient; dx may be residual, which may be absent.
  void backward(Context<T>& ctx, View<const T> dy, const Saved& saved, View<const T> residual, View<T> dx) {
    ops::run(ctx, LayerNormBackward<T>{.x = saved.x,
                                       .gamma = gamma.value,
                                       .mean = saved.mean,
                                       .rstd = saved.rstd,
                                       .dy = dy.rows(),
                                       .residual = residual ? residual.rows() : residual,
                                       .dx = dx.rows(),
                                       .dgamma = gamma.grad,
                                       .dbeta = beta.grad});
  }

  template <class F>
  void visit(const std::string& prefix, F&& f) {
    f(prefix + "weight", gamma);
    f(prefix + "bias", beta);
  }
};

DETRACK_INSTANTIATE(struct LayerNorm<float>)
DETRACK_INSTANTIATE(struct LayerNorm<double>)

}  // namespace detrack
