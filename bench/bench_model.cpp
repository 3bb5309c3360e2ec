// Times whole models: a forward pass of every preset, and forward, losses and backward as a training step runs them.
#include "detrack/model/training_pass.hpp"
#include "main.hpp"
#include "piece_row.hpp"

namespace {

using namespace detrack;
using namespace detrack::bench;

/// Boxes in the middle of the search crop, in double as the model reads them.
void fill_boxes(View<double> boxes) {
  const std::int64_t n = boxes.numel();
  for (std::int64_t i = 0; i < n; ++i) boxes.data()[i] = (i % 4 < 2 ? 0.3 : 0.6) + 0.002 * static_cast<double>(i % 23);
}

/// Every template and a full trajectory. A forward gives what a tracker reads; training runs all three losses and every
/// gradient, the IoU head aside, which is trained by itself.
struct Model {
  DeTrack<float> model;
  RunShape size;
  InputBuffers<float> in;
  OutputBuffers<float> out;
  TrainingPass<float> pass;
  PassValues values{};
  std::vector<CropBox> truth, start, eps;
  std::vector<double> t;
  std::vector<std::uint8_t> noised;

  Model(const Config& c, std::int64_t batch, bool training)
      : model(c), size{batch, c.templates, c.trajectory, training}, in(c, size), out(c, size), pass(c, {}) {
    fill_parameters(model);
    if (training) model.allocate_gradients();
    fill_uniform(in.search.view());
    fill_uniform(in.templates.view());
    fill_boxes(in.start_box.view());
    fill_boxes(in.trajectory.view());
    for (std::size_t b = 0; b < static_cast<std::size_t>(batch); ++b) {
      truth.push_back({0.31, 0.33, 0.62, 0.58});
      const double* box = in.start_box.data() + 4 * b;
      start.push_back({box[0], box[1], box[2], box[3]});
      eps.push_back({0.1, -0.2, 0.3, -0.4});
      t.push_back(300);
      noised.push_back(b % 3 != 1);
    }
  }
};

Piece forward(const Config& c, std::int64_t batch) {
  const auto m = std::make_shared<Model>(c, batch, false);
  return {.run = [m](Context<float>& ctx) { m->model.forward(ctx, m->in.views(), m->out.views()); },
          .outputs = [m]() -> std::vector<std::vector<float>> {
            return {values_of(m->out.logits.view()), values_of(m->out.image.view()), values_of(m->out.box.view()),
                    values_of(m->out.confidence.view())};
          }};
}

Piece forward_backward(const Config& c, std::int64_t batch) {
  const auto m = std::make_shared<Model>(c, batch, true);
  return {
      .run =
          [m](Context<float>& ctx) {
            m->model.zero_gradients(ctx);
            m->values = m->pass.run(ctx, m->model, m->in.views(), m->out.views(), m->out.iou.view(),
                                    {m->truth, m->start, m->eps, m->t, m->noised});
          },
      .outputs =
          [m] {
            std::vector<std::vector<float>> all{{static_cast<float>(m->values.box.total)}, values_of(m->out.logits.view())};
            m->model.visit([&](const std::string& name, Param<float>& p) {
              if (!name.starts_with("iou.")) all.push_back(values_of(p.grad));
            });
            return all;
          }};
}

/// The same width, heads and code, with few tokens, blocks and words.
Config twin_of(Config c) {
  c.depth = 2;
  c.refine_layers = 1;
  c.search_size = 4 * c.patch;
  c.template_size = 2 * c.patch;
  c.templates = 2;
  c.bins_per_unit = 20;
  return c;
}

Row model_row(const Config& c, std::int64_t batch, bool training) {
  const auto make = training ? forward_backward : forward;
  Row row = piece_row(
      make(c, batch), [=] { return make(twin_of(c), batch); }, training ? 5e-3 : 1e-4);
  row.frames = static_cast<double>(batch);
  return row;
}

void add(Bench& bench, const Config& c, std::int64_t batch, bool training) {
  const std::string name =
      (training ? "forward_backward/" : "forward/") + short_name(c) + (batch > 1 ? "x" + std::to_string(batch) : "");
  register_row(bench, name, [=](Context<float>&) { return model_row(c, batch, training); });
}

}  // namespace

int main(int argc, char** argv) {
  return run_rows(argc, argv, [](Bench& bench, int) {
    for (const Config& c : presets()) add(bench, c, 1, false);
    for (const Config& c : presets()) add(bench, c, 1, true);
    add(bench, preset("detrack-n128"), 8, true);
  });
}
