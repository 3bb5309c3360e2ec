// The paper's ablations: what a model without a part has, computes and learns, and the loss on the last block alone.
#include <doctest/doctest.h>

#include <set>
#include <string>

#include "detrack/ops/reference_backend.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/model_slope.hpp"
#include "tests/support/small_model.hpp"

namespace {

using namespace detrack;

const RunShape kAblationRun{3, 2, 3, true};

Config ablated(bool attention, bool noise) {
  Config c = test::small_config();
  c.denoising_attention = attention;
  c.noise_prediction = noise;
  return c;
}

std::set<std::string> names_of(const Config& c) {
  std::set<std::string> names;
  DeTrack<double>(c).visit([&](const std::string& name, Param<double>&) { names.insert(name); });
  return names;
}

/// Outputs of a random model (equal names: equal parameters) after `change`.
template <class F>
test::Sample<double> outputs_of(const Config& c, F&& change) {
  auto ctx = reference_context<double>();
  reserve(ctx, c, kAblationRun);
  DeTrack<double> model(c);
  test::randomise(model);
  test::Sample<double> sample(c, kAblationRun);
  change(model, sample);
  model.forward(ctx, sample.in.views(), sample.out.views());
  return sample;
}

void silence(Linear<double>& linear) {
  for (const View<double>& w : {linear.weight.value, linear.bias.value}) std::fill_n(w.data(), w.numel(), 0.0);
}

void check_equal(test::Sample<double>& a, test::Sample<double>& b) {
  for (const auto& [x, y] : {std::pair{&a.out.logits, &b.out.logits}, {&a.out.step_logits, &b.out.step_logits}})
    CHECK(bool(test::compare(test::to_array(x->view()), test::to_array(y->view()), {})));
}

}  // namespace

TEST_CASE("ablation: a part that is switched off has no parameters") {
  const std::set<std::string> all = names_of(test::small_config());
  for (const bool attention : {false, true})
    for (const bool noise : {false, true}) {
      std::set<std::string> expected;
      for (const std::string& name : all) {
        const auto of = [&](const char* part) { return name.find(part) != std::string::npos; };
        if (!attention && (of("denoise.norm1.") || of("denoise.q.") || of("denoise.proj."))) continue;
        if (!noise && of("denoise.noise.")) continue;
        expected.insert(name);
      }
      CHECK(expected.size() == all.size() - 2 * ((attention ? 0 : 6) + (noise ? 0 : 4)));
      CHECK(names_of(ablated(attention, noise)) == expected);
    }
}

TEST_CASE("ablation: a model without a part is one whose part gives zero") {
  const auto keep = [](auto&, auto&) {};
  auto without_noise = outputs_of(ablated(true, false), keep);
  auto silent_noise = outputs_of(ablated(true, true), [](DeTrack<double>& model, auto&) {
    for (auto& block : model.backbone.blocks) silence(block.denoise.noise.fc2);
  });
  check_equal(without_noise, silent_noise);

  auto without_attention = outputs_of(ablated(false, true), keep);
  auto silent_attention = outputs_of(ablated(true, true), [](DeTrack<double>& model, auto&) {
    for (auto& block : model.backbone.blocks) silence(block.denoise.proj);
  });
  check_equal(without_attention, silent_attention);

  // Box tokens then see the image in the refiner only.
  auto other_image = outputs_of(ablated(false, true),
                                [](auto&, test::Sample<double>& sample) { test::fill_normal(sample.in.search.view(), 99); });
  CHECK(bool(test::compare(test::to_array(other_image.out.step_logits.view()),
                           test::to_array(without_attention.out.step_logits.view()), {})));
  CHECK_FALSE(bool(test::compare(test::to_array(other_image.out.logits.view()),
                                 test::to_array(without_attention.out.logits.view()), {1e-3})));
}

TEST_CASE("ablation: gradients are the slopes of the loss, blocks run again or not") {
  for (const bool attention : {false, true})
    for (const bool noise : {false, true}) {
      CAPTURE(attention);
      CAPTURE(noise);
      const Config c = ablated(attention, noise);
      DeTrack<double> model(c);
      test::randomise(model);
      model.allocate_gradients();
      test::Sample<double> sample(c, kAblationRun);
      for (const bool recompute : {false, true}) {
        auto ctx = reference_context<double>();
        ctx.set_checks(true);
        RunShape run = kAblationRun;
        run.recompute = recompute;
        const Plan made = reserve(ctx, c, run, true);
        TrainingPass<double> pass(c, {.denoise = 3, .noise_target_total = recompute}, recompute);
        const double error = test::model_slope_error(ctx, model, [&] {
          const PassValues v = pass.run(ctx, model, sample.in.views(), sample.out.views(), sample.out.iou.view(),
                                        sample.targets(), sample.iou_task());
          return v.box.total + v.iou;
        });
        CHECK(error < 1e-6);
        CHECK(ctx.arena().peak() == made.arena_bytes);
      }
    }
}

TEST_CASE("ablation: a plan counts what is left") {
  const auto runs = [](bool attention, bool noise) {
    const Plan made = plan<float>(ablated(attention, noise), kAblationRun);
    return std::array<long, 3>{made.by_operation.at("linear_forward").runs, made.by_operation.at("attention_forward").runs,
                               made.by_operation.at("layer_norm_forward").runs};
  };
  const auto full = runs(true, true);  // depth 2
  CHECK(runs(true, false) == std::array<long, 3>{full[0] - 4, full[1], full[2]});
  CHECK(runs(false, true) == std::array<long, 3>{full[0] - 4, full[1] - 2, full[2] - 2});
}

TEST_CASE("losses: with the total noise as target only the last block learns, towards the truth") {
  const Config c = test::small_config();
  auto ctx = reference_context<double>();
  reserve(ctx, c, kAblationRun, true);
  auto sample = outputs_of(c, [](auto&, auto&) {});
  const View<double> steps = sample.out.step_logits.view(), last = steps.select(0, c.depth - 1);
  Tensor<double> dlast(last.shape()), dlogits(last.shape()), dsteps(steps.shape());
  const auto run = [&](const LossWeights& weights, View<double> logits, View<double> d) {
    return Losses<double>(c, weights).run(ctx, logits, sample.out.box.view(), steps, sample.targets(), d, dsteps.view());
  };
  const LossValues as_refined = run({.ce = 5, .siou = 0}, last, dlast.view());
  const LossValues total = run({.denoise = 5, .noise_target_total = true}, sample.out.logits.view(), dlogits.view());
  CHECK(total.denoise == as_refined.ce);
  const View<double> of_first = dsteps.view().select(0, 0), of_last = dsteps.view().select(0, c.depth - 1);
  CHECK(bool(test::compare(test::to_array(of_last), test::to_array(dlast.view()), {1e-15})));
  for (const double x : test::to_array(of_first).values) CHECK(x == 0);
}
