// The model: parameter names, partial runs, batches, plans, memory, and errors.
#include <doctest/doctest.h>

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "detrack/cpu/backend.hpp"
#include "detrack/model/masked_autoencoder_plan.hpp"
#include "detrack/ops/reference_backend.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/count_allocations.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/model_slope.hpp"
#include "tests/support/small_model.hpp"

namespace {

using namespace detrack;
using test::error_of;
using test::Sample;
using test::small_config;

RunShape run_shape(std::int64_t batch, std::int64_t trajectory = 3, std::int64_t templates = 2) {
  return {batch, templates, trajectory, true};
}

template <class X>
void check_bit_equal(const View<X>& a, const View<X>& b) {
  const test::Verdict verdict = test::compare(test::to_array(a), test::to_array(b), {});
  CAPTURE(verdict.why);
  CHECK(bool(verdict));
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("model: parameters have the file format's names and shapes") {
  Config c = small_config();
  c.depth = 1;
  c.refine_layers = 1;
  DeTrack<float> model(c);
  std::map<std::string, Shape> found;
  model.visit([&](const std::string& name, Param<float>& p) {
    CHECK(p.value.shape() == p.shape);
    CHECK(found.emplace(name, p.shape).second);
  });
  std::map<std::string, Shape> expected{{"backbone.patch_embed.proj.weight", {24, 3, 8, 8}},
                                        {"backbone.patch_embed.proj.bias", {24}},
                                        {"backbone.pos_embed_search", {1, 16, 24}},
                                        {"backbone.pos_embed_template", {1, 4, 24}},
                                        {"backbone.template_embed", {2, 24}},
                                        {"box.word_embed.weight", {40, 24}},
                                        {"box.slot_embed", {4, 24}},
                                        {"refine.time_embed", {4, 24}}};
  const auto linear = [&](const std::string& name, std::int64_t out, std::int64_t in) {
    expected[name + ".weight"] = {out, in};
    expected[name + ".bias"] = {out};
  };
  const auto norm = [&](const std::string& name) {
    expected[name + ".weight"] = {24};
    expected[name + ".bias"] = {24};
  };
  const std::string block = "backbone.blocks.0.", layer = "refine.layers.0.";
  linear(block + "attn.qkv", 72, 24), linear(block + "attn.proj", 24, 24);
  linear(block + "mlp.fc1", 48, 24), linear(block + "mlp.fc2", 24, 48);
  linear(block + "denoise.q", 24, 24), linear(block + "denoise.proj", 24, 24);
  linear(block + "denoise.mlp.fc1", 48, 24), linear(block + "denoise.mlp.fc2", 24, 48);
  linear(block + "denoise.noise.fc1", 24, 24), linear(block + "denoise.noise.fc2", 24, 24);
  for (const char* name : {"norm1", "norm2", "denoise.norm1", "denoise.norm2"}) norm(block + name);
  linear(layer + "self_attn.qkv", 72, 24), linear(layer + "self_attn.proj", 24, 24);
  linear(layer + "cross_attn.q", 24, 24), linear(layer + "cross_attn.kv", 48, 24), linear(layer + "cross_attn.proj", 24, 24);
  linear(layer + "mlp.fc1", 48, 24), linear(layer + "mlp.fc2", 24, 48);
  for (const char* name : {"norm1", "norm2", "norm3"}) norm(layer + name);
  linear("iou.cross_attn.q", 24, 24), linear("iou.cross_attn.kv", 48, 24), linear("iou.cross_attn.proj", 24, 24);
  linear("iou.fc1", 24, 24), linear("iou.fc2", 1, 24);
  for (const char* name : {"backbone.norm", "box.norm", "refine.norm", "iou.norm"}) norm(name);
  for (const auto& [name, shape] : expected) {
    CAPTURE(name);
    REQUIRE(found.contains(name));
    CHECK(found.at(name) == shape);
  }
  CHECK(found.size() == expected.size());
}

TEST_CASE("model: parameter and FLOP counts of the presets") {
  // Millions of parameters counted by hand from the shapes; GFLOP of model.md, a full trajectory.
  struct Row {
    const char* name;
    double parameters, gflop;
  };
  for (const Row& row : {Row{"detrack-n128", 13.0, 1.4},
                         {"detrack-t256", 13.0, 7.2},
                         {"detrack-s256", 58.3, 25.5},
                         {"detrack-b256", 231.2, 96},
                         {"detrack-b384", 231.9, 231}}) {
    const Config c = preset(row.name);
    CAPTURE(c.name);
    DeTrack<float> model(c, plan_allocator());
    CHECK(static_cast<double>(model.parameter_count()) / 1e6 == doctest::Approx(row.parameters).epsilon(0.01));
    CHECK(plan<float>(c, {1, c.templates, c.trajectory, false}).cost.flops / 1e9 ==
          doctest::Approx(row.gflop).epsilon(0.05));
  }
}

TEST_CASE("model: reading out a block, the image path and the refiner alone give what the whole run gives") {
  const Config c = small_config();
  DeTrack<double> model(c);
  test::randomise(model);
  auto ctx = reference_context<double>();
  const RunShape run = run_shape(2);
  reserve(ctx, c, run);
  Sample<double> sample(c, run);
  model.forward(ctx, sample.in.views(), sample.out.views());

  Tensor<double> image(sample.out.image.shape());
  model.encode_image(ctx, sample.in.search.view(), sample.in.templates.view(), image.view());
  check_bit_equal(image.view(), sample.out.image.view());

  // The steps' boxes are the expectations of their logits, and the box is that of the refined logits.
  Tensor<double> boxes(sample.out.step_boxes.shape());
  model.box.expected_box(ctx, sample.out.step_logits.view(), boxes.view());
  check_bit_equal(boxes.view(), sample.out.step_boxes.view());

  // A run that reads out nothing on the way gives the same result.
  OutputBuffers<double> plain(c, {2, 2, 3, false});
  model.forward(ctx, sample.in.views(), plain.views());
  check_bit_equal(plain.box.view(), sample.out.box.view());
  check_bit_equal(plain.confidence.view(), sample.out.confidence.view());

  // Refiner only, on the tokens of the last block.
  typename DeTrack<double>::Saved saved;
  reserve(ctx, c, run_shape(4), true);  // room for the refiner beside what the forward saves
  const ArenaScope scope(ctx.arena());
  model.forward(ctx, sample.in.views(), sample.out.views(), &saved);
  Tensor<double> logits(sample.out.logits.shape());
  model.refine_box(ctx, saved.steps.select(0, c.depth - 1), sample.in.trajectory.view(), sample.out.image.view(),
                   logits.view());
  check_bit_equal(logits.view(), sample.out.logits.view());
}

TEST_CASE("model: a batch is so many runs of one; fewer templates and boxes are legal") {
  const Config c = small_config();
  DeTrack<double> model(c);
  test::randomise(model);
  auto ctx = reference_context<double>();
  reserve(ctx, c, run_shape(3));
  for (const std::int64_t templates : {0, 1, 2})
    for (const std::int64_t trajectory : {0, 1, 3}) {
      CAPTURE(templates);
      CAPTURE(trajectory);
      Sample<double> batch(c, run_shape(3, trajectory, templates));
      model.forward(ctx, batch.in.views(), batch.out.views());
      for (std::int64_t b = 0; b < 3; ++b) {
        const auto of = [&](auto view) { return view.slice(0, b, 1); };
        const ModelInputs<double> all = batch.in.views();
        OutputBuffers<double> out(c, run_shape(1, trajectory, templates));
        model.forward(ctx, {of(all.search), of(all.templates), of(all.start_box), of(all.trajectory)}, out.views());
        check_bit_equal(out.logits.view(), of(batch.out.logits.view()));
        check_bit_equal(out.image.view(), of(batch.out.image.view()));
        check_bit_equal(out.step_boxes.view(), batch.out.step_boxes.view().slice(1, b, 1));
      }
    }
}

TEST_CASE("model: boxes judged together in an image are judged and learnt from as they are one by one") {
  const Config c = small_config();
  DeTrack<double> model(c);
  test::randomise(model);
  model.allocate_gradients();
  auto ctx = reference_context<double>();
  constexpr std::int64_t kBatch = 2, kBoxes = 3;
  RunShape run = run_shape(kBatch);
  run.judged = kBoxes;
  reserve(ctx, c, run, true);
  Sample<double> sample(c, run);
  model.forward(ctx, sample.in.views(), sample.out.views());
  const View<const double> image = sample.out.image.view();
  Tensor<double> dimage(sample.out.image.shape()), one(Shape{kBatch, 1});
  std::vector<CropBox> boxes;
  std::vector<double> overlaps;
  Philox rng(5);
  for (std::int64_t i = 0; i < kBatch * kBoxes; ++i) {
    const double x = rng.uniform() / 2, y = rng.uniform() / 2;
    boxes.push_back({x, y, x + 0.1 + rng.uniform() / 3, y + 0.1 + rng.uniform() / 3});
    overlaps.push_back(rng.uniform());
  }
  IouPass<double> pass;
  const double together = pass.run(ctx, model, {boxes, overlaps}, image, sample.out.iou.view(), dimage.view());
  const View<double> gradients = model.parameters().gradients();
  const std::vector<double> learnt(gradients.data(), gradients.data() + gradients.numel());
  const std::vector<double> image_learnt(dimage.data(), dimage.data() + dimage.numel());

  model.zero_gradients(ctx);
  double apart = 0;
  std::vector<double> image_apart(image_learnt.size(), 0);
  for (std::size_t k = 0; k < kBoxes; ++k) {
    std::vector<CropBox> some;
    std::vector<double> truth;
    for (std::size_t b = 0; b < kBatch; ++b)
      some.push_back(boxes[b * kBoxes + k]), truth.push_back(overlaps[b * kBoxes + k]);
    apart += pass.run(ctx, model, {some, truth}, image, one.view(), dimage.view()) / kBoxes;
    for (std::size_t i = 0; i < image_apart.size(); ++i) image_apart[i] += dimage.data()[i] / kBoxes;
    for (std::size_t b = 0; b < kBatch; ++b)
      CHECK(one.data()[b] == doctest::Approx(sample.out.iou.data()[b * kBoxes + k]).epsilon(1e-12));
  }
  CHECK(together == doctest::Approx(apart).epsilon(1e-12));
  double largest = 0, difference = 0;
  const auto compare = [&](double a, double b) {
    largest = std::max(largest, std::abs(a)), difference = std::max(difference, std::abs(a - b));
  };
  for (std::size_t i = 0; i < learnt.size(); ++i) compare(learnt[i], gradients.data()[i] / kBoxes);
  for (std::size_t i = 0; i < image_learnt.size(); ++i) compare(image_learnt[i], image_apart[i]);
  CHECK(largest > 1e-4);
  CHECK(difference < 1e-12);

  CHECK(contains(error_of(ErrorCode::argument,
                          [&] {
                            pass.run(ctx, model, {boxes, overlaps}, image, one.view(), dimage.view());
                          }),
                 "expected 2 boxes, got 6"));
  Tensor<double> odd({3, 4}), three({3, 1});
  CHECK(contains(error_of(ErrorCode::argument, [&] { model.predict_iou(ctx, odd.view(), image, three.view()); }), "boxes"));
}

TEST_CASE("model: a box outside the word range, inverted or not a number gives finite results") {
  const Config c = small_config();
  DeTrack<float> model(c);
  test::randomise(model);
  auto ctx = reference_context<float>();
  ctx.set_checks(true);
  reserve(ctx, c, run_shape(1));
  Sample<float> sample(c, run_shape(1));
  const double inf = std::numeric_limits<double>::infinity();
  for (const CropBox& box :
       {CropBox{-1e300, -inf, inf, 1e300}, CropBox{0.9, 0.9, 0.1, 0.1}, CropBox{std::nan(""), 0, 0, 0}}) {
    for (int i = 0; i < 4; ++i) sample.in.start_box.view()(0, i) = box[static_cast<std::size_t>(i)];
    model.forward(ctx, sample.in.views(), sample.out.views());
    for (int i = 0; i < 4; ++i) CHECK(std::abs(sample.out.box.view()(0, i) - 0.5f) <= 1.0f);
  }
}

TEST_CASE("model: a plan tells exactly the scratch memory a run takes, and too little is an error") {
  const Config c = small_config();
  for (const bool training : {false, true}) {
    CAPTURE(training);
    DeTrack<float> model(c);
    test::randomise(model);
    model.allocate_gradients();
    Sample<float> sample(c, run_shape(2));
    const auto go = [&](Context<float>& ctx) {
      if (training) {
        TrainingPass<float>(c, {}).run(ctx, model, sample.in.views(), sample.out.views(), sample.out.iou.view(),
                                       sample.targets(), sample.iou_task());
      } else {
        model.forward(ctx, sample.in.views(), sample.out.views());
        model.predict_iou(ctx, sample.in.start_box.view(), sample.out.image.view(), sample.out.iou.view());
      }
    };
    auto ctx = reference_context<float>();
    ctx.set_checks(true);
    const Plan made = reserve(ctx, c, run_shape(2), training);
    go(ctx);
    CHECK(ctx.arena().peak() == made.arena_bytes);
    CHECK(ctx.arena().used() == 0);

    auto tight = reference_context<float>();
    tight.arena().reserve(plan<float>(c, run_shape(2), training).arena_bytes - 1);
    CHECK(contains(error_of(ErrorCode::out_of_memory, [&] { go(tight); }), "Arena: expected room"));
    CHECK(tight.arena().used() == 0);
  }
}

TEST_CASE("model: after the first run nothing is allocated, in inference, in training and in pretraining") {
  const Config c = small_config();
  DeTrack<float> model(c);
  test::randomise(model);
  model.allocate_gradients();
  Sample<float> sample(c, run_shape(2));
  CHECK(test::count_allocations([] { REQUIRE(Tensor<float>({2}).data() != nullptr); }) > 0);
  for (const int threads : {1, 0}) {
    auto ctx = cpu::make_context<float>({.threads = threads});
    reserve(ctx, c, run_shape(2), true);
    const auto in = sample.in.views();
    const auto out = sample.out.views();
    const auto infer = [&] {
      model.forward(ctx, in, out);
      model.predict_iou(ctx, in.start_box, out.image, sample.out.iou.view());
    };
    infer();
    CHECK(test::count_allocations(infer) == 0);
    TrainingPass<float> pass(c, {});
    const auto train = [&] {
      pass.run(ctx, model, in, out, sample.out.iou.view(), sample.targets(), sample.iou_task());
      model.zero_gradients(ctx);
    };
    train();
    CHECK(test::count_allocations(train) == 0);

    MaskedAutoencoder<float> autoencoder(c, {.decoder_width = 8, .decoder_depth = 2, .decoder_heads = 2});
    autoencoder.allocate_gradients();
    test::randomise(autoencoder);
    Philox rng(1);
    const TokenMask mask = random_mask(rng, 2, c.search_tokens(), 0.75);
    auto pretraining_ctx = cpu::make_context<float>({.threads = threads});
    reserve(pretraining_ctx, autoencoder, 2);
    MaskedAutoencoderPass<float> pretraining;
    const auto pretrain = [&] { pretraining.run(pretraining_ctx, autoencoder, in.search, mask); };
    pretrain();
    CHECK(test::count_allocations(pretrain) == 0);
  }
}

TEST_CASE("model: one model serves several threads, each with a context of its own") {
  const Config c = small_config();
  DeTrack<float> model(c);
  test::randomise(model);
  const DeTrack<float>& shared = model;
  const auto go = [&](Sample<float>& sample) {
    auto ctx = cpu::make_context<float>({.threads = 1});
    reserve(ctx, c, run_shape(2));
    for (int i = 0; i < 20; ++i) shared.forward(ctx, sample.in.views(), sample.out.views());
  };
  std::vector<Sample<float>> alone, together;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    alone.emplace_back(c, run_shape(2), seed);
    together.emplace_back(c, run_shape(2), seed);
    go(alone.back());
  }
  std::vector<std::thread> threads;
  for (auto& sample : together) threads.emplace_back([&] { go(sample); });
  for (auto& thread : threads) thread.join();
  for (std::size_t i = 0; i < alone.size(); ++i) check_bit_equal(together[i].out.logits.view(), alone[i].out.logits.view());
}

TEST_CASE("model: gradients add up over passes, and a pass repeats bit for bit") {
  const Config c = small_config();
  DeTrack<double> model(c);
  test::randomise(model);
  auto ctx = reference_context<double>();
  reserve(ctx, c, run_shape(2), true);
  Sample<double> sample(c, run_shape(2));
  TrainingPass<double> pass(c, {});
  const auto go = [&] {
    return pass.run(ctx, model, sample.in.views(), sample.out.views(), sample.out.iou.view(), sample.targets(),
                    sample.iou_task());
  };
  CHECK(contains(error_of(ErrorCode::argument, go), "allocate_gradients"));
  model.allocate_gradients();
  const PassValues first = go();
  const Tensor<double> once = [&] {
    Tensor<double> copy(model.parameters().gradients().shape());
    std::copy_n(model.parameters().gradients().data(), copy.numel(), copy.data());
    return copy;
  }();
  const PassValues second = go();
  CHECK(first.box.total == second.box.total);
  CHECK(first.iou == second.iou);
  test::Array twice = test::to_array(once.view());
  for (double& x : twice.values) x *= 2;
  CHECK(bool(test::compare(test::to_array(model.parameters().gradients()), twice, {1e-15, 1e-12})));
  model.zero_gradients(ctx);
  go();
  check_bit_equal(View<const double>(model.parameters().gradients()), once.view());
}

TEST_CASE("model: the gradient is the slope of the loss along a random direction of all parameters") {
  const Config c = small_config();
  DeTrack<double> model(c);
  test::randomise(model);
  model.allocate_gradients();
  auto ctx = reference_context<double>();
  reserve(ctx, c, run_shape(3), true);
  Sample<double> sample(c, run_shape(3));
  for (const double sigma : {0.0, 1.5}) {
    TrainingPass<double> pass(c, {.ce = 1.3, .siou = 0.7, .denoise = 0.9, .label_sigma = sigma});
    const auto loss = [&] {
      const PassValues v = pass.run(ctx, model, sample.in.views(), sample.out.views(), sample.out.iou.view(),
                                    sample.targets(), sample.iou_task());
      return v.box.total + v.iou;
    };
    CHECK(test::model_slope_error(ctx, model, loss) < 1e-6);
  }
}

TEST_CASE("model: wrong shapes are named, with what was expected") {
  const Config c = small_config();
  DeTrack<float> model(c);
  auto ctx = reference_context<float>();
  reserve(ctx, c, run_shape(2), true);
  Sample<float> s(c, run_shape(2));
  const auto refused = [&](auto change) {
    ModelInputs<float> in = s.in.views();
    ModelOutputs<float> out = s.out.views();
    change(in, out);
    return error_of(ErrorCode::shape, [&] { model.forward(ctx, in, out); });
  };
  CHECK(contains(refused([](auto& in, auto&) { in.search = in.search.slice(3, 0, 31); }),
                 "search: expected (2, 3, 32, 32), got (2, 3, 32, 31)"));
  CHECK(contains(refused([](auto& in, auto&) { in.templates = in.templates.slice(0, 0, 1); }),
                 "templates: expected (2, 2, 3, 16, 16)"));
  CHECK(contains(refused([](auto& in, auto&) { in.templates = in.templates.slice(1, 0, 1); }),
                 "image: expected (2, 20, 24), got (2, 24, 24)"));
  CHECK(
      contains(refused([](auto& in, auto&) { in.start_box = in.start_box.slice(1, 0, 3); }), "start_box: expected (2, 4)"));
  CHECK(contains(refused([](auto& in, auto&) { in.trajectory = in.trajectory.slice(0, 0, 1); }),
                 "trajectory: expected (2, 3, 4)"));
  CHECK(contains(refused([](auto&, auto& out) { out.logits = out.logits.slice(2, 0, 39); }), "logits: expected (2, 4, 40)"));
  CHECK(contains(refused([](auto&, auto& out) { out.step_boxes = out.step_boxes.slice(0, 0, 1); }), "step_boxes"));

  Tensor<double> long_trajectory({2, 4, 4});
  ModelInputs<float> in = s.in.views();
  in.trajectory = long_trajectory.view();
  CHECK(contains(error_of(ErrorCode::shape, [&] { model.forward(ctx, in, s.out.views()); }),
                 "trajectory: expected at most 3 boxes, got 4"));
  in = s.in.views();
  in.start_box = {};
  CHECK(contains(error_of(ErrorCode::argument, [&] { model.forward(ctx, in, s.out.views()); }), "start_box"));
  CHECK(ctx.arena().used() == 0);

  TrainingPass<float> pass(c, {});
  model.allocate_gradients();
  LossTargets targets = s.targets();
  targets.t = targets.t.first(1);
  CHECK(
      contains(error_of(ErrorCode::argument,
                        [&] { pass.run(ctx, model, s.in.views(), s.out.views(), s.out.iou.view(), targets, s.iou_task()); }),
               "targets: expected 2 samples, got 1"));
}
