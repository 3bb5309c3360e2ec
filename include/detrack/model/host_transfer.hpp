// Small arrays between host and device, through buffers that are kept, so that only the first use allocates.
#pragma once

#include <cstdint>
#include <tuple>
#include <type_traits>
#include <vector>

#include "detrack/ops/backend.hpp"

namespace detrack {

template <class T>
class HostTransfer {
 public:
  /// Device memory of `shape`, from the context's arena, filled with f(i) for element i in row-major order.
  template <class X, class F>
  View<const X> upload(Context<T>& ctx, const Shape& shape, F&& f) {
    std::vector<X>& host = buffer<X>();
    host.resize(static_cast<std::size_t>(shape.numel()));
    for (std::size_t i = 0; i < host.size(); ++i) host[i] = f(i);
    const View<X> device = ctx.arena().template allocate<X>(shape);
    ops::copy(ctx, View<const X>(host.data(), shape), device);
    return device;
  }

  /// Mean of a contiguous device view, summed in double.
  double mean(Context<T>& ctx, View<const stat_t<T>> x) {
    std::vector<stat_t<T>>& host = buffer<stat_t<T>>();
    host.resize(static_cast<std::size_t>(x.numel()));
    ops::copy(ctx, x, View<stat_t<T>>(host.data(), x.shape()));
    double sum = 0;
    for (const stat_t<T> value : host) sum += static_cast<double>(value);
    return sum / static_cast<double>(x.numel());
  }

 private:
  template <class X>
  std::vector<X>& buffer() {
    return std::get<std::vector<X>>(buffers_);
  }
  // One buffer where double and the statistics' type are the same.
  std::conditional_t<std::is_same_v<stat_t<T>, double>, std::tuple<std::vector<std::int32_t>, std::vector<double>>,
                     std::tuple<std::vector<std::int32_t>, std::vector<double>, std::vector<stat_t<T>>>>
      buffers_;
};

}  // namespace detrack
