// Rows of layers and models, checked as a whole against the reference backend: on a smaller twin where that would take too
// long.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data.hpp"
#include "detrack/nn/param.hpp"
#include "detrack/ops/reference_backend.hpp"
#include "row.hpp"

namespace detrack::bench {

/// Something that runs on any context, and what it leaves behind.
struct Piece {
  std::function<void(Context<float>&)> run;
  std::function<std::vector<std::vector<float>>()> outputs;
};

inline std::vector<float> values_of(View<const float> view) {
  std::vector<float> values;
  ops::detail::for_each_element(view, [&](float x) { values.push_back(x); });
  return values;
}

/// Fills parameters so that every path carries numbers of order 1.
template <class Model>
void fill_parameters(Model& model) {
  model.visit([](const std::string& name, Param<float>& p) {
    const bool vector = p.shape.rank() == 1;
    const auto fan_in = static_cast<float>(p.shape.numel() / p.shape[0]);
    if (name.find("embed") != name.npos && name.find("proj") == name.npos)
      fill_uniform(p.value, 0.5f);
    else
      fill_uniform(p.value, vector ? 0.1f : std::sqrt(3 / fan_in), vector && name.ends_with("weight") ? 1.0f : 0.0f);
  });
}

/// A layer with parameters and, on demand, gradients.
template <class Layer>
struct Owned {
  Layer layer;
  ParameterStore<float> store;

  Owned(Layer made, bool training) : layer(std::move(made)) {
    store.allocate_values(*this, host_allocator());
    if (training) store.allocate_gradients(*this, host_allocator());
    fill_parameters(*this);
  }
  template <class F>
  void visit(F&& f) {
    layer.visit("", f);
  }
};

inline std::vector<std::vector<float>> outputs_on(Context<float>& ctx, const Piece& piece) {
  Context<float> plan = plan_context<float>();
  piece.run(plan);
  ctx.arena().reserve(plan.arena().peak());
  piece.run(ctx);
  return piece.outputs();
}

/// A row that runs `piece`; `make_twin()` makes what is compared with the reference backend: the same code at a small size.
inline Row piece_row(const Piece& piece, std::function<Piece()> make_twin, double bound) {
  const auto error = [make_twin = std::move(make_twin)](Context<float>& ctx) {
    const Piece twin = make_twin();
    const auto got = outputs_on(ctx, twin);
    Context<float> reference = reference_context<float>();
    const auto want = outputs_on(reference, twin);
    double worst = 0;
    for (std::size_t i = 0; i < want.size(); ++i) worst = worse(worst, relative_error(got[i], want[i]));
    return worst;
  };
  return {.run = piece.run, .error = error, .bound = bound};
}

}  // namespace detrack::bench
