// Times single operations and layers at the shapes of every preset, batch 1.
#include <Eigen/Core>

#include "detrack/image/image.hpp"
#include "detrack/model/denoising_block.hpp"
#include "main.hpp"
#include "op_row.hpp"
#include "piece_row.hpp"

namespace {

using namespace detrack;
using namespace detrack::bench;

/// Queries, keys and values of an attention with what comes out, heads split.
struct AttentionViews {
  std::shared_ptr<Data> data = std::make_shared<Data>();
  View<const float> q, k, v;
  View<float> y, lse;
  double scale;
};

/// Image attention (Ns + Nz queries), or the denoising kind: 4 queries of their own, keys and values the search rows of the
/// image half's projection.
AttentionViews attention_views(const Config& c, bool denoising) {
  AttentionViews a;
  const std::int64_t N = tokens_of(c), C = c.width, D = C / c.heads, Nq = denoising ? 4 : N,
                     Nk = denoising ? c.search_tokens() : N;
  const View<const float> qkv = a.data->uniform({1, N, 3 * C});
  a.q = (denoising ? View<const float>(a.data->uniform({1, 4, C})) : qkv.slice(2, 0, C)).split(2, D);
  a.k = qkv.slice(1, 0, Nk).slice(2, C, C).split(2, D);
  a.v = qkv.slice(1, 0, Nk).slice(2, 2 * C, C).split(2, D);
  a.y = a.data->output({1, Nq, C}).split(2, D);
  a.lse = a.data->output({1, c.heads, Nq});
  a.scale = 1 / std::sqrt(static_cast<double>(D));
  return a;
}

/// As inference runs it: lse is wanted by a backward only.
Row attention_forward(const Config& c, bool denoising) {
  const AttentionViews a = attention_views(c, denoising);
  const AttentionForward<float> op{.q = a.q, .k = a.k, .v = a.v, .scale = a.scale, .y = a.y};
  AttentionForward<float> probe = op;
  probe.q = sample(op.q, 1), probe.y = sample(op.y, 1);
  return op_row(a.data, op, {{probe, {"y"}}});
}

Row attention_backward(Context<float>& ctx, const Config& c, bool denoising) {
  const AttentionViews a = attention_views(c, denoising);
  ops::run(ctx, AttentionForward<float>{.q = a.q, .k = a.k, .v = a.v, .scale = a.scale, .y = a.y, .lse = a.lse});
  const std::int64_t C = c.width, D = C / c.heads, Nq = a.q.extent(1), Nk = a.k.extent(1);
  // The gradients are columns of one tensor, as the projection's backward wants them.
  const View<float> dqkv = a.data->output({1, std::max(Nq, Nk), 3 * C});
  const auto columns = [&](std::int64_t part, std::int64_t rows) {
    return dqkv.slice(1, 0, rows).slice(2, part * C, C).split(2, D);
  };
  const AttentionBackward<float> op{.q = a.q,
                                    .k = a.k,
                                    .v = a.v,
                                    .scale = a.scale,
                                    .y = a.y,
                                    .lse = a.lse,
                                    .dy = a.data->uniform({1, Nq, C}).split(2, D),
                                    .dq = columns(0, Nq),
                                    .dk = columns(1, Nk),
                                    .dv = columns(2, Nk)};
  // Gradients of some queries need all keys, gradients of some keys all queries.
  AttentionBackward<float> queries = op, keys = op;
  queries.q = sample(op.q, 1), queries.y = sample(op.y, 1), queries.dy = sample(op.dy, 1), queries.dq = sample(op.dq, 1);
  queries.lse = sample(op.lse, 2);
  keys.k = sample(op.k, 1), keys.v = sample(op.v, 1), keys.dk = sample(op.dk, 1), keys.dv = sample(op.dv, 1);
  return op_row(a.data, op, {{queries, {"dq"}}, {keys, {"dk", "dv"}}});
}

Row layer_norm_forward(const Config& c) {
  const auto data = std::make_shared<Data>();
  const Shape shape{tokens_of(c), c.width}, width{c.width};
  const LayerNormForward<float> op{
      .x = data->uniform(shape), .gamma = data->uniform(width), .beta = data->uniform(width), .y = data->output(shape)};
  return op_row(data, op, {{op, {"y"}}});
}

Row layer_norm_backward(Context<float>& ctx, const Config& c) {
  const auto data = std::make_shared<Data>();
  const Shape shape{tokens_of(c), c.width}, rows{tokens_of(c)}, width{c.width};
  const View<float> x = data->uniform(shape), gamma = data->uniform(width), mean = data->output(rows),
                    rstd = data->output(rows);
  ops::run(ctx,
           LayerNormForward<float>{
               .x = x, .gamma = gamma, .beta = data->uniform(width), .y = data->output(shape), .mean = mean, .rstd = rstd});
  const LayerNormBackward<float> op{.x = x,
                                    .gamma = gamma,
                                    .mean = mean,
                                    .rstd = rstd,
                                    .dy = data->uniform(shape),
                                    .dx = data->output(shape),
                                    .dgamma = data->output(width),
                                    .dbeta = data->output(width)};
  return op_row(data, op, {{op, {"dx", "dgamma", "dbeta"}}});
}

Row gelu_forward(const Config& c) {
  const auto data = std::make_shared<Data>();
  const Shape shape{tokens_of(c), c.mlp_ratio * c.width};
  const ActivationForward<float> op{.kind = Activation::gelu, .x = data->uniform(shape, 3), .y = data->output(shape)};
  return op_row(data, op, {{op, {"y"}}});
}

Row gelu_backward(const Config& c) {
  const auto data = std::make_shared<Data>();
  const Shape shape{tokens_of(c), c.mlp_ratio * c.width};
  const ActivationBackward<float> op{
      .kind = Activation::gelu, .x = data->uniform(shape, 3), .dy = data->uniform(shape), .dx = data->output(shape)};
  return op_row(data, op, {{op, {"dx"}}});
}

Row linear_forward(std::int64_t rows, std::int64_t in, std::int64_t out) {
  const auto data = std::make_shared<Data>();
  const LinearForward<float> op{.x = data->uniform({rows, in}),
                                .w = data->uniform({out, in}),
                                .b = data->uniform(Shape{out}),
                                .y = data->output({rows, out})};
  LinearForward<float> probe = op;
  probe.x = sample(op.x, 0), probe.y = sample(op.y, 0);
  return op_row(data, op, {{probe, {"y"}}});
}

/// The same without bias by Eigen's product: the peer that our own kernel replaced.
Row linear_forward_eigen(std::int64_t rows, std::int64_t in, std::int64_t out) {
  const auto data = std::make_shared<Data>();
  const LinearForward<float> op{
      .x = data->uniform({rows, in}), .w = data->uniform({out, in}), .y = data->output({rows, out})};
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto multiply = [data, op] {
    const auto matrix = [](auto view) { return Eigen::Map<const Matrix>(view.data(), view.extent(0), view.extent(1)); };
    Eigen::Map<Matrix>(op.y.data(), op.y.extent(0), op.y.extent(1)).noalias() = matrix(op.x) * matrix(op.w).transpose();
  };
  const auto result = [op] { return std::vector<float>(op.y.data(), op.y.data() + op.y.numel()); };
  return {.run =
              [=](Context<float>& ctx) {
                if (ctx.device().kind == DeviceKind::plan) return ops::run(ctx, op);  // for the FLOPs
                multiply();
              },
          .error =
              [=](Context<float>& ctx) {
                ops::run(ctx, op);
                const auto want = result();
                multiply();
                return relative_error(result(), want);
              }};
}

Row linear_backward(std::int64_t rows, std::int64_t in, std::int64_t out) {
  const auto data = std::make_shared<Data>();
  const LinearBackward<float> op{.dy = data->uniform({rows, out}),
                                 .x = data->uniform({rows, in}),
                                 .w = data->uniform({out, in}),
                                 .dx = data->output({rows, in}),
                                 .dw = data->output({out, in}),
                                 .db = data->output(Shape{out})};
  // Some rows of dx need all outputs; some rows of dw and entries of db all rows.
  LinearBackward<float> inputs{.dy = sample(op.dy, 0), .w = op.w, .dx = sample(op.dx, 0)};
  LinearBackward<float> weights{.dy = sample(op.dy, 1), .x = op.x, .dw = sample(op.dw, 0), .db = sample(op.db, 0)};
  return op_row(data, op, {{inputs, {"dx"}}, {weights, {"dw", "db"}}});
}

Piece mlp(const Config& c, std::int64_t rows, bool training) {
  struct State {
    Data data;
    Owned<Mlp<float>> mlp;
    Mlp<float>::Saved saved{};
  };
  const std::int64_t C = c.width;
  const auto s = std::shared_ptr<State>(new State{{}, {{C, c.mlp_ratio * C, C, Activation::gelu}, training}});
  const View<float> x = s->data.uniform({rows, C}), y = s->data.output({rows, C});
  const View<float> dy = training ? s->data.uniform({rows, C}) : View<float>{},
                    dx = training ? s->data.output({rows, C}) : View<float>{};
  return {.run =
              [=](Context<float>& ctx) {
                const ArenaScope scope(ctx.arena());
                if (training) ops::run(ctx, Fill<float>{.value = 0, .y = s->mlp.store.gradients()});
                s->mlp.layer.forward(ctx, x, {}, y, training ? &s->saved : nullptr);
                if (training) s->mlp.layer.backward(ctx, dy, s->saved, dx);
              },
          .outputs =
              [=] {
                std::vector<std::vector<float>> all{values_of(y)};
                if (training) all.push_back(values_of(dx)), all.push_back(values_of(s->mlp.store.gradients()));
                return all;
              }};
}

/// Both halves of a denoising block.
Piece block(const Config& c, std::int64_t search_tokens, std::int64_t tokens, bool training) {
  struct State {
    Data data;
    Owned<DenoisingBlock<float>> block;
    DenoisingBlock<float>::Saved saved{};
  };
  const std::int64_t C = c.width;
  const auto s = std::shared_ptr<State>(new State{{}, {{C, c.heads, c.mlp_ratio}, training}});
  const Shape images{1, tokens, C}, boxes{1, 4, C};
  const View<float> image = s->data.uniform(images), image_out = s->data.output(images),
                    qkv = s->data.output({1, tokens, 3 * C});
  const View<float> box = s->data.uniform(boxes), box_out = s->data.output(boxes);
  const View<float> cotangent = s->data.uniform(images), box_cotangent = s->data.uniform(boxes);
  const View<float> dimage = s->data.output(images), dbox = s->data.output(boxes);
  return {.run =
              [=](Context<float>& ctx) {
                const ArenaScope scope(ctx.arena());
                auto* saved = training ? &s->saved : nullptr;
                s->block.layer.forward_image(ctx, image, qkv, image_out, saved);
                s->block.layer.forward_box(ctx, box, qkv, search_tokens, box_out, saved);
                if (!training) return;
                ops::run(ctx, Fill<float>{.value = 0, .y = s->block.store.gradients()});
                ops::copy(ctx, View<const float>(cotangent), dimage);
                ops::copy(ctx, View<const float>(box_cotangent), dbox);
                s->block.layer.backward(ctx, s->saved, search_tokens, dimage, dbox);
              },
          .outputs =
              [=] {
                std::vector<std::vector<float>> all{values_of(image_out), values_of(box_out)};
                if (training)
                  for (const View<float>& d : {dimage, dbox, s->block.store.gradients()}) all.push_back(values_of(d));
                return all;
              }};
}

/// A crop of `side` pixels from the middle of a 1080p frame to the network's 256.
Row crop(PixelFormat format, double side) {
  const auto data = std::make_shared<Data>();
  constexpr std::int64_t width = 1920, height = 1080, luma = width * height;
  const std::uint8_t* bytes = data->bytes(3 * luma);
  const ImageView frame = format == PixelFormat::i420
                              ? ImageView::i420(bytes, 0, bytes + luma, 0, bytes + luma / 4 * 5, 0, width, height)
                          : format == PixelFormat::nv12 ? ImageView::nv12(bytes, 0, bytes + luma, 0, width, height)
                                                        : ImageView::packed(bytes, width, height, format);
  const CropNormalise<float> op{.frame = frame.pixels(),
                                .left = width / 2 - side / 2 + 0.3,
                                .top = height / 2 - side / 2 + 0.7,
                                .side = side,
                                .mean = {0.485, 0.456, 0.406},
                                .std = {0.229, 0.224, 0.225},
                                .y = data->output({3, 256, 256})};
  return op_row(data, op, {{op, {"y"}}});
}

void add_crops(Bench& bench) {
  for (const PixelFormat format : {PixelFormat::rgb, PixelFormat::i420, PixelFormat::nv12})
    for (const int side : {160, 400, 1000})
      register_row(bench, detrack::detail::concat("crop/", to_string(format), "/", side),
                   [=](Context<float>&) { return crop(format, side); });
}

void add_preset(Bench& bench, const Config& c) {
  const std::string name = short_name(c);
  const auto add = [&](const std::string& kind, auto make, const std::string& part = "") {
    register_row(bench, kind + "/" + name + (part.empty() ? "" : "/" + part), make);
  };
  for (const bool denoising : {false, true}) {
    const std::string kind = denoising ? "denoising_attention" : "attention";
    add(kind + "_forward", [=](Context<float>&) { return attention_forward(c, denoising); });
    add(kind + "_backward", [=](Context<float>& ctx) { return attention_backward(ctx, c, denoising); });
  }
  add("layer_norm_forward", [=](Context<float>&) { return layer_norm_forward(c); });
  add("layer_norm_backward", [=](Context<float>& ctx) { return layer_norm_backward(ctx, c); });
  add("gelu_forward", [=](Context<float>&) { return gelu_forward(c); });
  add("gelu_backward", [=](Context<float>&) { return gelu_backward(c); });

  const std::int64_t N = tokens_of(c), C = c.width, hidden = c.mlp_ratio * C;
  struct Layer {
    const char* name;
    std::int64_t rows, in, out;
  };
  for (const Layer& l : {Layer{"qkv", N, C, 3 * C},
                         {"proj", N, C, C},
                         {"fc1", N, C, hidden},
                         {"fc2", N, hidden, C},
                         {"box_q", 4, C, C},
                         {"box_fc1", 4, C, hidden},
                         {"box_fc2", 4, hidden, C}}) {
    add(
        "linear_forward", [=](Context<float>&) { return linear_forward(l.rows, l.in, l.out); }, l.name);
    add(
        "linear_forward_eigen", [=](Context<float>&) { return linear_forward_eigen(l.rows, l.in, l.out); }, l.name);
    add(
        "linear_backward", [=](Context<float>&) { return linear_backward(l.rows, l.in, l.out); }, l.name);
  }
  for (const bool training : {false, true}) {
    const std::string direction = training ? "_forward_backward" : "_forward";
    add("mlp" + direction, [=](Context<float>&) {
      return piece_row(
          mlp(c, N, training), [=] { return mlp(c, 24, training); }, training ? 1e-3 : 1e-4);
    });
    add("block" + direction, [=](Context<float>&) {
      return piece_row(
          block(c, c.search_tokens(), N, training), [=] { return block(c, 16, 24, training); }, training ? 1e-3 : 1e-4);
    });
  }
}

/// The ceilings themselves, as rows: measured anew, on one thread and on all.
void add_ceilings(int threads) {
  const auto add = [](const std::string& name, const char* unit, double work, auto measure) {
    benchmark::RegisterBenchmark(name.c_str(),
                                 [=](benchmark::State& state) {
                                   double best = 0;
                                   for (auto _ : state) {
                                     const double rate = measure();
                                     best = std::max(best, rate);
                                     state.SetIterationTime(work / rate);
                                   }
                                   state.counters[unit] = 1e-9 * best;
                                 })
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond)
        ->Iterations(3);
  };
  std::vector<int> counts{1};
  if (threads > 1) counts.push_back(threads);
  for (const int n : counts) {
    const std::string suffix = "/threads:" + std::to_string(n);
    add("fma_peak" + suffix, "GFLOP/s", 1e9, [n] { return fma_peak(n); });
    add("bfloat16_peak" + suffix, "GFLOP/s", 1e9, [n] { return pair_peak(n); });
    add("read_bandwidth" + suffix, "GB/s", 1e9, [n] { return Memory(n).read_rate(); });
    add("copy_bandwidth" + suffix, "GB/s", 1e9, [n] { return Memory(n).copy_rate(); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  return run_rows(argc, argv, [](Bench& bench, int threads) {
    add_ceilings(threads);
    add_crops(bench);
    for (const Config& c : presets()) add_preset(bench, c);
  });
}
