// Linear layer: y = x W^T + b, with residual and activation fused in.
#pragma once

#include <string>

#include "detrack/core/instantiate.hpp"
#include "detrack/nn/linear_input.hpp"
#include "detrack/nn/param.hpp"
#include "detrack/ops/backend.hpp"

namespace detrack {

template <class T>
struct Linear {
  Param<T> weight, bias;  ///< (O, I), (O)

  Linear() = default;
  Linear(std::int64_t in, std::int64_t out) : weight({out, in}), bias({out}) {}

  /// What may be fused into the forward; see LinearForward.
  struct Fused {
    View<const T> residual{};
    double alpha = 1;
    Activation activation = Activation::identity;
    View<T> pre{};
  };

  /// x (..., I) -> y (..., O). The backward needs x again.
  void forward(Context<T>& ctx, const LinearInput<T>& x, View<T> y, const Fused& fused = {}) const {
    const auto rows = [](auto view) { return view ? view.rows() : view; };
    const LinearForward<T> op{.x = x.view.rows(),
                              .w = matrix(weight.value),
                              .b = bias.value,
                              .residual = rows(fused.residual),
                              .alpha = fused.alpha,
                              .activation = fused.activation,
                              .pre = rows(fused.pre),
                              .y = y.rows()};
    if (x.norm.x)
      ops::run(ctx, NormedLinear<T>{.norm = x.norm, .linear = op});
    else
      ops::run(ctx, op);
  }

  /// dy: gradient before the activation. dx is overwritten, or absent; weight.grad and bias.grad are added to, unless the
  /// model has no gradients.
  void backward(Context<T>& ctx, View<const T> dy, View<const T> x, View<T> dx, double alpha = 1) {
    ops::run(ctx, LinearBackward<T>{.dy = dy.rows(),
                                    .x = x.rows(),
                                    .w = matrix(weight.value),
                                    .alpha = alpha,
                                    .dx = dx ? dx.rows() : dx,
                                    .dw = matrix(weight.grad),
                                    .db = bias.grad});
  }

  template <class F>
  void visit(const std::string& prefix, F&& f) {
    f(prefix + "weight", weight);
    f(prefix + "bias", bias);
  }

 private:
  /// A convolution's weight (O, c, P, P) is read as (O, c P P).
  static View<T> matrix(View<T> w) { return w && w.rank() > 2 ? w.reshape({w.extent(0), w.numel() / w.extent(0)}) : w; }
};

DETRACK_INSTANTIATE(struct Linear<float>)
DETRACK_INSTANTIATE(struct Linear<double>)

}  // namespace detrack
