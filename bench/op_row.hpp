// Rows of single operations, checked on samples of their outputs against the reference backend, at the shapes that are
// timed.
#pragma once

#include <algorithm>
#include <limits>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "data.hpp"
#include "detrack/ops/reference_backend.hpp"
#include "row.hpp"

namespace detrack::bench {

/// A smaller operation whose outputs, as named, are a part of the timed one's.
template <class Op>
struct Probe {
  Op op;
  std::vector<std::string_view> outputs;
};

namespace detail {

/// Every output starts from the same number: what is added to then agrees, and what is left unwritten does not.
template <class Op>
void spoil_outputs(const Op& op) {
  op.views([]<class X>(const char*, const View<X>& view) {
    if constexpr (!std::is_const_v<X>)
      if (view) ops::detail::for_each_element(view, [](X& x) { x = X(0.5); });
  });
}

template <class Op>
std::vector<std::vector<float>> outputs_of(const Probe<Op>& probe) {
  std::vector<std::vector<float>> all;
  probe.op.views([&]<class X>(const char* name, const View<X>& view) {
    if constexpr (!std::is_const_v<X>) {
      if (!view || std::find(probe.outputs.begin(), probe.outputs.end(), name) == probe.outputs.end()) return;
      auto& values = all.emplace_back();
      ops::detail::for_each_element(view, [&](X x) { values.push_back(static_cast<float>(x)); });
    }
  });
  return all;
}

template <class Op>
double probe_error(Context<float>& ctx, const Op& op, const Probe<Op>& probe) {
  spoil_outputs(op);
  ops::run(ctx, op);
  const auto got = outputs_of(probe);
  spoil_outputs(op);
  ReferenceBackend<float>().run(probe.op);
  const auto want = outputs_of(probe);
  double worst = got.empty() ? std::numeric_limits<double>::quiet_NaN() : 0;
  for (std::size_t i = 0; i < got.size(); ++i) worst = worse(worst, relative_error(got[i], want[i]));
  return worst;
}

}  // namespace detail

/// A row that runs `op`, whose memory `data` owns.
template <class Op>
Row op_row(std::shared_ptr<Data> data, const Op& op, std::vector<Probe<Op>> probes) {
  return {.run = [data, op](Context<float>& ctx) { ops::run(ctx, op); },
          .error =
              [data, op, probes = std::move(probes)](Context<float>& ctx) {
                double worst = 0;
                for (const auto& probe : probes) worst = worse(worst, detail::probe_error(ctx, op, probe));
                return worst;
              }};
}

}  // namespace detrack::bench
