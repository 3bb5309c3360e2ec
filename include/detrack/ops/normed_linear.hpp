// A layer norm and the linear layer that reads what it writes, for backends that do both at once.
#pragma once

#include "detrack/ops/layer_norm.hpp"
#include "detrack/ops/linear.hpp"

namespace detrack {

/// One operation after the other, as far as anyone can see. No output may be memory that either reads.
template <class T>
struct NormedLinear {
  static constexpr const char* kName = "normed_linear";
  LayerNormForward<T> norm{};
  LinearForward<T> linear{};  ///< x is norm's y

  template <class F>
  void views(F&& f) const {
    f("x", norm.x), f("gamma", norm.gamma), f("beta", norm.beta), f("normed", norm.y), f("mean", norm.mean);
    f("rstd", norm.rstd), f("w", linear.w), f("b", linear.b), f("residual", linear.residual), f("pre", linear.pre);
    f("y", linear.y);
  }
  void check() const {
    norm.check();
    linear.check();
    if (linear.x.data() != norm.y.data() || !ops::detail::same_layout(linear.x, norm.y))
      fail(ErrorCode::argument, kName, ": normed: expected what the linear layer reads, got another view");
  }
  double flops() const { return norm.flops() + linear.flops(); }
};

}  // namespace detrack
