// A small configuration and a model, inputs and targets with random numbers in them, for tests of the model floor.
#pragma once

#include <cmath>
#include <vector>

#include "detrack/model/plan.hpp"
#include "tests/support/random.hpp"

namespace detrack::test {

inline Config small_config() {
  Config c;
  c.name = "small";
  c.width = 24;
  c.depth = 2;
  c.heads = 3;
  c.mlp_ratio = 2;
  c.patch = 8;
  c.search_size = 32;
  c.template_size = 16;
  c.templates = 2;
  c.bins_per_unit = 20;
  c.trajectory = 3;
  c.refine_layers = 2;
  c.refine_heads = 2;
  return c;
}

/// Every parameter away from zero, so that no path can hide.
template <class Model>
void randomise(Model& model, std::uint64_t seed = 1) {
  model.visit([&]<class T>(const std::string& name, Param<T>& p) {
    Philox rng(seed, stream_of(name));
    const bool scale = p.shape.rank() == 1 && name.ends_with("weight");
    const double deviation = p.shape.rank() >= 2 && name.ends_with("weight") && !name.ends_with("word_embed.weight")
                                 ? 1 / std::sqrt(static_cast<double>(p.shape.numel() / p.shape[0]))
                             : name.ends_with("word_embed.weight") ? 0.5
                                                                   : 0.1;
    T* data = p.value.data();
    for (std::int64_t i = 0; i < p.shape.numel(); ++i)
      data[i] = T(exact_in_float((scale ? 1 : 0) + deviation * rng.normal()));
  });
}

/// Inputs, outputs and targets of one size.
template <class T>
struct Sample {
  Sample(const Config& c, const RunShape& run, std::uint64_t seed = 3) : in(c, run), out(c, run) {
    fill_normal(in.search.view(), seed, 1);
    fill_normal(in.templates.view(), seed, 2);
    Philox rng(seed, 3);
    const auto random_box = [&](double spread) {
      const double x = 0.3 + 0.1 * rng.normal(), y = 0.3 + 0.1 * rng.normal();
      return CropBox{x, y, x + 0.3 + spread * rng.normal(), y + 0.3 + spread * rng.normal()};
    };
    for (std::int64_t b = 0; b < run.batch; ++b) {
      truth.push_back(random_box(0.02));
      start.push_back(random_box(0.1));
      eps.push_back({rng.normal(), rng.normal(), rng.normal(), rng.normal()});
      iou_boxes.push_back(random_box(0.05));
      t.push_back(900 * rng.uniform());
      noised.push_back(b % 3 != 1);
      overlap.push_back(rng.uniform());
      for (int i = 0; i < 4; ++i) in.start_box.view()(b, i) = start.back()[static_cast<std::size_t>(i)];
      for (std::int64_t k = 0; k < run.trajectory; ++k) {
        const CropBox box = random_box(0.5);
        for (int i = 0; i < 4; ++i) in.trajectory.view()(b, k, i) = box[static_cast<std::size_t>(i)];
      }
    }
  }
  LossTargets targets() const { return {truth, start, eps, t, noised}; }
  IouTask iou_task() const { return {iou_boxes, overlap}; }

  InputBuffers<T> in;
  OutputBuffers<T> out;
  std::vector<CropBox> truth, start, eps, iou_boxes;
  std::vector<double> t, overlap;
  std::vector<std::uint8_t> noised;
};

}  // namespace detrack::test
