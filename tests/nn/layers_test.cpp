// Every layer by one suite: with f = <forward(x), dy>, backward writes df/dx and adds df/dparameter.
#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "detrack/model/box_refiner.hpp"
#include "detrack/model/denoising_block.hpp"
#include "detrack/model/iou_head.hpp"
#include "detrack/nn/patch_embed.hpp"
#include "detrack/ops/reference_backend.hpp"
#include "tests/support/random.hpp"

namespace {

using namespace detrack;
using Arrays = std::vector<Tensor<double>*>;

/// A layer, the arrays it is differentiated by, and what it computes from them.
template <class Layer>
struct Case {
  Layer layer;
  std::vector<Shape> inputs;
  Shape output;
  /// Forward of the inputs, then, where `dy` is there, backward into the inputs' gradients.
  std::function<void(Context<double>&, Layer&, const std::vector<View<double>>& x, View<double> y, View<const double> dy,
                     const std::vector<View<double>>& dx)>
      run;
};

/// Relative difference of <J v, w> by central differences and <v, J^T w> by the backward, along a random direction of all
/// inputs and parameters. `spoil` changes the gradients first: the suite must notice.
template <class Layer>
double slope_error(Case<Layer>& c, const std::function<void(View<double>)>& spoil = {}) {
  auto ctx = reference_context<double>();
  ctx.set_checks(true);
  ctx.arena().reserve(std::size_t{8} << 20);
  ParameterStore<double> store;
  struct Visited {
    Layer& layer;
    void visit(const std::function<void(const std::string&, Param<double>&)>& f) { layer.visit("", f); }
  } visited{c.layer};
  store.allocate_values(visited, host_allocator());
  store.allocate_gradients(visited, host_allocator());
  test::fill_normal(store.values(), 1);
  for (std::int64_t i = 0; i < store.values().numel(); ++i) store.values()(i) *= 0.4;
  test::fill_normal(store.gradients(), 2);  // backward must add to these
  std::vector<Tensor<double>> x, dx, direction;
  std::vector<View<double>> xs, dxs;
  for (const Shape& shape : c.inputs) {
    x.emplace_back(shape), dx.emplace_back(shape), direction.emplace_back(shape);
    test::fill_normal(x.back().view(), 3, x.size());
    test::fill_normal(direction.back().view(), 4, x.size());
    std::fill_n(dx.back().data(), dx.back().numel(), std::nan(""));
    xs.push_back(x.back().view()), dxs.push_back(dx.back().view());
  }
  const Tensor<double> before = [&] {
    Tensor<double> copy(store.gradients().shape());
    std::copy_n(store.gradients().data(), copy.numel(), copy.data());
    return copy;
  }();
  Tensor<double> y(c.output), w(c.output), parameter_direction(store.values().shape());
  test::fill_normal(w.view(), 5);
  test::fill_normal(parameter_direction.view(), 6);
  {
    const ArenaScope scope(ctx.arena());
    c.run(ctx, c.layer, xs, y.view(), w.view(), dxs);
  }
  if (spoil) spoil(store.gradients());
  double slope = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::int64_t k = 0; k < x[i].numel(); ++k) slope += dx[i].data()[k] * direction[i].data()[k];
  for (std::int64_t k = 0; k < before.numel(); ++k)
    slope += (store.gradients()(k) - before.data()[k]) * parameter_direction.data()[k];

  const auto move = [&](double step) {
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::int64_t k = 0; k < x[i].numel(); ++k) x[i].data()[k] += step * direction[i].data()[k];
    for (std::int64_t k = 0; k < before.numel(); ++k) store.values()(k) += step * parameter_direction.data()[k];
  };
  const auto value = [&] {
    const ArenaScope scope(ctx.arena());
    std::fill_n(y.data(), y.numel(), std::nan(""));
    c.run(ctx, c.layer, xs, y.view(), {}, {});
    double f = 0;
    for (std::int64_t k = 0; k < y.numel(); ++k) f += y.data()[k] * w.data()[k];
    return f;
  };
  const double h = 1e-6;
  move(h);
  const double above = value();
  move(-2 * h);
  const double below = value();
  CHECK(ctx.arena().used() == 0);
  return std::abs((above - below) / (2 * h) - slope) / std::abs(slope);
}

/// The bound of central differences in double; a gradient that forgot to add, or lost a term, must miss it by far.
template <class Layer>
void check_layer(Case<Layer> c) {
  CHECK(slope_error(c) < 1e-6);
  CHECK_FALSE(slope_error(c, [](View<double> g) { g(0) *= -1; }) < 1e-6);
}

}  // namespace

TEST_CASE("layer: linear") {
  for (const double alpha : {1.0, -1.0})
    check_layer<Linear<double>>(
        {Linear<double>(5, 7), {{2, 3, 5}}, {2, 3, 7}, [=](auto& ctx, auto& layer, auto& x, auto y, auto dy, auto& dx) {
           layer.forward(ctx, x[0], y, {.alpha = alpha});
           if (dy) layer.backward(ctx, dy, x[0], dx[0], alpha);
         }});
}

TEST_CASE("layer: layer norm, with a residual") {
  check_layer<LayerNorm<double>>(
      {LayerNorm<double>(9), {{2, 3, 9}}, {2, 3, 9}, [](auto& ctx, auto& layer, auto& x, auto y, auto dy, auto& dx) {
         typename LayerNorm<double>::Saved saved;
         layer.forward(ctx, x[0], y, dy ? &saved : nullptr);
         ops::run(ctx, Add<double>{.a = y, .b = x[0], .y = y});
         if (dy) layer.backward(ctx, dy, saved, dy, dx[0]);
       }});
}

TEST_CASE("layer: mlp, with each activation") {
  for (const Activation activation : {Activation::gelu, Activation::relu, Activation::sigmoid})
    check_layer<Mlp<double>>(
        {Mlp<double>(5, 8, 3, activation), {{4, 5}}, {4, 3}, [](auto& ctx, auto& layer, auto& x, auto y, auto dy, auto& dx) {
           typename Mlp<double>::Saved saved;
           layer.forward(ctx, x[0], {}, y, dy ? &saved : nullptr, -0.7);
           if (dy) layer.backward(ctx, dy, saved, dx[0], -0.7);
         }});
}

TEST_CASE("layer: self-attention, open and masked") {
  static const std::vector<std::uint8_t> causal{1, 0, 0, 1, 1, 0, 1, 1, 1};
  for (const bool masked : {false, true})
    check_layer<SelfAttention<double>>({SelfAttention<double>(6, 3),
                                        {{2, 3, 6}},
                                        {2, 3, 6},
                                        [=](auto& ctx, auto& layer, auto& x, auto y, auto dy, auto& dx) {
                                          typename SelfAttention<double>::Saved saved;
                                          const View<const std::uint8_t> mask =
                                              masked ? View<const std::uint8_t>(causal.data(), {3, 3})
                                                     : View<const std::uint8_t>{};
                                          const View<double> qkv = ctx.arena().template allocate<double>({2, 3, 18});
                                          layer.forward(ctx, x[0], mask, {}, qkv, y, dy ? &saved : nullptr);
                                          if (!dy) return;
                                          const View<double> dqkv = ctx.arena().template allocate<double>({2, 3, 18});
                                          layer.backward_attention(ctx, dy, saved, dqkv);
                                          layer.backward_projection(ctx, dqkv, saved, dx[0]);
                                        }});
}

TEST_CASE("layer: cross-attention") {
  check_layer<CrossAttention<double>>({CrossAttention<double>(6, 2),
                                       {{2, 3, 6}, {2, 5, 6}},
                                       {2, 3, 6},
                                       [](auto& ctx, auto& layer, auto& x, auto y, auto dy, auto& dx) {
                                         typename CrossAttention<double>::Saved saved;
                                         layer.forward(ctx, x[0], x[1], {}, y, dy ? &saved : nullptr);
                                         if (dy) layer.backward(ctx, dy, saved, dx[0], dx[1]);
                                       }});
}

TEST_CASE("layer: patch embedding of two stacks of images, with respect to its weights") {
  Tensor<double> a({2, 3, 4, 4}), b({1, 3, 2, 6});
  test::fill_normal(a.view(), 7), test::fill_normal(b.view(), 8);
  check_layer<PatchEmbed<double>>(
      {PatchEmbed<double>(3, 5, 2), {}, {11, 5}, [&](auto& ctx, auto& layer, auto&, auto y, auto dy, auto&) {
         typename PatchEmbed<double>::Saved saved;
         layer.forward(ctx, {a.view(), b.view()}, y, dy ? &saved : nullptr);
         if (dy) layer.backward(ctx, dy, saved);
       }});
}

TEST_CASE("layer: denoising block, image and box half, with and without dropped branches") {
  const std::int64_t B = 2, N = 5, search = 3, C = 8;
  static const std::vector<double> factors{0, 1.5, 1.25, 0};
  // The output is both halves side by side: image tokens, then box tokens.
  for (const bool drop : {false, true})
    check_layer<DenoisingBlock<double>>(
        {DenoisingBlock<double>(C, 2, 2),
         {{B, N, C}, {B, 4, C}},
         {B * (N + 4), C},
         [=](auto& ctx, auto& layer, auto& x, auto y, auto dy, auto& dx) {
           typename DenoisingBlock<double>::Saved saved;
           auto* s = dy ? &saved : nullptr;
           const auto keep = drop ? View<const double>(factors.data(), {2, B}) : View<const double>{};
           const View<double> qkv = ctx.arena().template allocate<double>({B, N, 3 * C});
           const auto image = [&](auto v) { return v.slice(0, 0, B * N).reshape({B, N, C}); };
           const auto box = [&](auto v) { return v.slice(0, B * N, B * 4).reshape({B, 4, C}); };
           layer.forward_image(ctx, x[0], qkv, image(y), s, keep);
           layer.forward_box(ctx, x[1], qkv, search, box(y), s);
           if (!dy) return;
           ops::run(ctx, Add<double>{.a = image(dy), .y = dx[0]});
           ops::run(ctx, Add<double>{.a = box(dy), .y = dx[1]});
           layer.backward(ctx, saved, search, dx[0], dx[1]);
         }});
}

TEST_CASE("layer: box refiner with 0 to K boxes of trajectory") {
  Config c;
  c.width = 8, c.refine_heads = 2, c.refine_layers = 2, c.trajectory = 2, c.mlp_ratio = 2;
  const std::int64_t B = 2, N = 3, C = 8;
  for (const std::int64_t k : {0, 1, 2}) {
    CAPTURE(k);
    BoxRefiner<double> refiner(c);
    refiner.mask = Tensor<std::uint8_t>({12, 12});
    for (int i = 0; i < 12; ++i)
      for (int j = 0; j < 12; ++j) refiner.mask.view()(i, j) = j / 4 <= i / 4;
    check_layer<BoxRefiner<double>>({std::move(refiner),
                                     {{B, 4, C}, {B, k, 4, C}, {B, N, C}},
                                     {B, 4, C},
                                     [=](auto& ctx, auto& layer, auto& x, auto y, auto dy, auto& dx) {
                                       typename BoxRefiner<double>::Saved saved;
                                       layer.forward(ctx, x[0], k ? x[1] : View<double>{}, x[2], y, dy ? &saved : nullptr);
                                       if (!dy) return;
                                       ops::run(ctx, Fill<double>{.value = 0, .y = dx[2]});  // backward adds to the image's
                                       layer.backward(ctx, dy, saved, dx[0], dx[1], dx[2]);
                                     }});
  }
}

TEST_CASE("layer: IoU head") {
  Config c;
  c.width = 8, c.refine_heads = 4;
  check_layer<IouHead<double>>(
      {IouHead<double>(c), {{3, 4, 8}, {3, 5, 8}}, {3, 1}, [](auto& ctx, auto& layer, auto& x, auto y, auto dy, auto& dx) {
         typename IouHead<double>::Saved saved;
         layer.forward(ctx, x[0], x[1], y, dy ? &saved : nullptr);
         if (dy) layer.backward(ctx, dy, saved, dx[0], dx[1]);
       }});
}
