// Training as a whole on tiny models: it learns what it is given, goes on as if unbroken, and survives bad numbers.
#include "detrack/train/trainer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "detrack/cpu/backend.hpp"
#include "detrack/model/initialise.hpp"
#include "detrack/train/autoencoder_trainer.hpp"
#include "detrack/train/batch_loader.hpp"
#include "detrack/train/checkpoint.hpp"
#include "detrack/train/picture_sampler.hpp"
#include "detrack/train/rollout.hpp"
#include "detrack/train/sampler.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/train/bright_extent.hpp"
#include "tests/train/scene.hpp"

using namespace detrack;
using detrack::test::Scene;

namespace {

// The sanitizers' build takes many times as long for a step: there the loss must fall, here the task must be learnt.
#ifdef NDEBUG
constexpr bool kLearnsAll = true;
#else
constexpr bool kLearnsAll = false;
#endif

/// 200 words, 16 tokens of search and 4 of template.
Config tiny_config() {
  Config c;
  c.name = "overfit";
  c.width = 48;
  c.depth = 3;
  c.heads = c.refine_heads = 3;
  c.mlp_ratio = 2;
  c.patch = 8;
  c.search_size = 32;
  c.template_size = 16;
  c.templates = 1;
  c.bins_per_unit = 100;
  c.trajectory = 2;
  c.refine_layers = 1;
  return c;
}

TrainOptions options_of(const char* stage, std::int64_t steps) {
  TrainOptions o;
  o.stage = stage;
  o.batch = 8;
  o.steps = steps;
  o.augment = {.flip = 0, .grayscale = 0, .brightness = 0};
  o.sampling.centre_jitter = 0.5;
  o.optimizer = {.lr = 2e-3,
                 .backbone_factor = 1,
                 .weight_decay = 0,
                 .clip = 1,
                 .schedule = "cosine",
                 .drop_factor = 0.01,
                 .warmup = 20,
                 .drop_path = 0,
                 .ema = 0};
  o.loss.label_sigma = 1;
  return o;
}

Trainer<float> make_trainer(const TrainOptions& o, std::uint64_t seed = 1) {
  DeTrack<float> model(tiny_config());
  initialise(model, seed);
  return Trainer<float>(std::move(model), cpu::make_context<float>({.threads = 2}), o);
}

/// The same eight samples for ever.
Batch eight_samples(const TrainOptions& o) {
  const Sampler sampler(Scene::data(8), tiny_config(), o, Scene::size);
  BatchLoader loader(tiny_config(), sampler, Scene::cache(), {.batch = 8, .templates = 1, .threads = 1, .ahead = 1});
  const Batch& made = loader.next();
  Batch batch(tiny_config(), 8, 1);
  std::copy_n(made.search.data(), made.search.numel(), batch.search.data());
  std::copy_n(made.templates.data(), made.templates.numel(), batch.templates.data());
  batch.truth = made.truth, batch.prior = made.prior, batch.absent = made.absent, batch.names = made.names;
  return batch;
}

/// First and last loss of a whole run on one batch.
template <class Run>
std::pair<double, double> losses_of(Run& run, const Batch& batch) {
  double first = 0, last = 0;
  for (std::int64_t i = 0; i < run.options().steps; ++i) {
    run.pass(batch);
    last = run.update().loss.total;
    if (i == 0) first = last;
  }
  return {first, last};
}

template <class Run>
std::vector<float> parameters(Run& run) {
  const auto values = run.model().parameters().values(), average = run.average_model().parameters().values();
  std::vector<float> all(values.data(), values.data() + values.numel());
  all.insert(all.end(), average.data(), average.data() + average.numel());
  return all;
}

/// What stage pairs made of eight samples: once for all tests that need it.
struct Learnt {
  double first_loss = 0;
  StepValues last;
  std::string skipped;
  std::vector<float> parameters;
};

const Learnt& learn_pairs() {
  static const Learnt learnt = [] {
    const TrainOptions o = options_of("pairs", kLearnsAll ? 600 : 40);
    Trainer<float> trainer = make_trainer(o);
    Batch batch = eight_samples(o);
    Learnt result;
    for (std::int64_t i = 0; i < o.steps; ++i) {
      batch.number = static_cast<std::uint64_t>(i);  // other noise every time
      trainer.pass(batch);
      result.last = trainer.update();
      if (i == 0) result.first_loss = result.last.loss.total;
      result.skipped += result.last.skipped;
    }
    result.parameters = parameters(trainer);
    return result;
  }();
  return learnt;
}

}  // namespace

TEST_CASE("trainer: stage pairs learns eight samples by heart, and its weights are its mean without averaging") {
  const Learnt& learnt = learn_pairs();
  MESSAGE("loss " << learnt.first_loss << " -> " << learnt.last.loss.total << ", mean IoU " << learnt.last.mean_iou);
  CHECK(learnt.last.loss.total < 0.8 * learnt.first_loss);
  if (kLearnsAll) CHECK(learnt.last.mean_iou > 0.95);
  CHECK(learnt.skipped.empty());
  const auto half = learnt.parameters.begin() + static_cast<std::ptrdiff_t>(learnt.parameters.size() / 2);
  CHECK(std::equal(learnt.parameters.begin(), half, half));
}

TEST_CASE("trainer: stage sequences learns a clip by heart from its own rollouts") {
  TrainOptions o = options_of("sequences", kLearnsAll ? 300 : 6);
  o.batch = 2;
  o.rollout = 8;
  o.sampling.prior_prob = 1;
  Sequence sequence;
  sequence.name = "clip";
  for (int i = 0; i < 8; ++i) {
    sequence.frames.push_back("good/1");
    sequence.truth.push_back(Scene::box(1));
  }
  const auto data =
      std::make_shared<const TrainingData>(std::vector<TrainingSource>{{.name = "scene", .sequences = {sequence}}}, 6);
  Trainer<float> trainer = make_trainer(o);
  Rollout<float> rollout(trainer, Scene::cache(), 2);
  const ClipSampler clips(data, o, Scene::size);
  double first = 0, loss = 0, overlap = 0;
  for (std::int64_t i = 0; i < o.steps; ++i) {
    const auto& batches = rollout.run(clips(static_cast<std::uint64_t>(i)), static_cast<std::uint64_t>(i) * 100);
    REQUIRE(batches.size() == 7);
    for (const Batch& batch : batches) {
      CHECK(batch.trajectory.size() == 4);
      trainer.pass(batch);
    }
    const StepValues values = trainer.update();
    if (i == 0) first = values.loss.total;
    loss = values.loss.total, overlap = values.mean_iou;
  }
  MESSAGE("loss " << first << " -> " << loss << ", mean IoU " << overlap);
  CHECK(loss < first);
  if (kLearnsAll) CHECK(overlap > 0.95);
}

TEST_CASE("rollout: a frame that cannot be read gives no batches and is named") {
  TrainOptions o = options_of("sequences", 1);
  o.batch = 1;
  Trainer<float> trainer = make_trainer(o);
  CHECK(detrack::test::error_of(ErrorCode::argument, [&] { Rollout<float>(trainer, Scene::cache(), 0); }) ==
        "Rollout: threads: expected at least 1, got 0");
  Rollout<float> rollout(trainer, Scene::cache(), 2);
  for (const auto& nothing : {std::vector<Clip>{}, std::vector<Clip>(2)})
    CHECK(detrack::test::error_of(ErrorCode::argument, [&] { rollout.run(nothing, 0); }) ==
          "Rollout: clips: expected frames to track, got none");
  Clip clip{.name = "clip", .files = {"good/1", "good/1", "broken/1"}, .boxes = {3, Scene::box(1)}};
  CHECK(rollout.run({clip}, 0).empty());
  CHECK(rollout.failed() == 0);
  CHECK(rollout.problems().begin()->first == "broken/1: JPEG file: damaged");
  clip.files[2] = "good/1";
  const auto& batches = rollout.run({clip}, 5);
  REQUIRE(batches.size() == 2);
  CHECK(batches[1].number == 6);
  // The first start is the given box; the trajectory repeats it.
  const CropBox start = to_crop(Scene::box(1), crop_around(Scene::box(1), 4));
  CHECK(batches[0].prior[0] == start);
  CHECK(batches[0].trajectory == std::vector<CropBox>{start, start});
  CHECK(batches[0].truth[0] == start);
}

TEST_CASE("rollout: a clip's crops are changed alike, and its boxes go with them") {
  TrainOptions o = options_of("sequences", 1);
  o.batch = 1;
  Trainer<float> trainer = make_trainer(o);
  const Box target{70, 50, 50, 20};
  const auto images =
      std::make_shared<ImageCache>([&](const auto&) { return detrack::test::bright_ellipse(200, 120, target); }, 1 << 20);
  Rollout<float> rollout(trainer, images, 2);
  Clip clip{.name = "clip", .files = {"0", "1"}, .boxes = {target, target}};
  clip.flip = true;
  clip.distortion = {.rotation = 0.6, .aspect = 0.3};
  clip.photometric.gain = {0.5, 0.5, 0.5};
  const auto batch_of = [&]() -> const Batch& {
    const auto& batches = rollout.run({clip}, 0);
    REQUIRE(batches.size() == 1);
    return batches[0];
  };
  const Batch& batch = batch_of();
  const Box mirrored{200 - target.right(), target.y, target.w, target.h}, turned = distorted(mirrored, clip.distortion);
  CHECK(batch.prior[0] == to_crop(turned, crop_around(turned, trainer.config().search_factor)));
  CHECK(batch.truth[0] == batch.prior[0]);
  const Config& c = trainer.config();
  const double half_way = (0.5 * 140.0 / 255 - c.mean[0]) / c.std[0];
  const CropBox seen = detrack::test::bright_extent(batch.search.view().select(0, 0), half_way);
  for (std::size_t k = 0; k < 4; ++k) CHECK(std::abs(seen[k] - batch.truth[0][k]) < 1.5 / 32);
  // As it is, it is no thinner than before, twice as bright, and somewhere else.
  const double changed = *std::max_element(batch.search.data(), batch.search.data() + 32 * 32);
  clip.distortion = {}, clip.photometric = {};
  const Batch& as_it_is = batch_of();
  CHECK(as_it_is.truth[0] != CropBox{seen});
  const double bright = *std::max_element(as_it_is.search.data(), as_it_is.search.data() + 32 * 32);
  CHECK(changed * c.std[0] + c.mean[0] == doctest::Approx((bright * c.std[0] + c.mean[0]) / 2).epsilon(0.02));
  // A camera that moves shows it elsewhere and in another size; the box of before is still the start.
  clip.distortion = {.rotation = 0.6};
  clip.camera = {{}, {.x = -12, .y = 9, .zoom = 1.25}};
  const Batch& moved = batch_of();
  const CropBox start = moved.prior[0];
  CHECK(moved.truth[0][0] > start[0] + 0.05);
  CHECK(moved.truth[0][1] < start[1] - 0.02);
  CHECK(moved.truth[0][2] - moved.truth[0][0] == doctest::Approx(1.25 * (start[2] - start[0])));
  const CropBox real = detrack::test::bright_extent(moved.search.view().select(0, 0), (140.0 / 255 - c.mean[0]) / c.std[0]);
  for (std::size_t k = 0; k < 4; ++k) CHECK(std::abs(real[k] - moved.truth[0][k]) < 1.5 / 32);
  clip.camera.clear(), clip.distortion = {};
  // Noise is another one in each frame.
  clip.files.push_back("2"), clip.boxes.push_back(target);
  clip.photometric.noise = 0.05;
  const auto& noisy = rollout.run({clip}, 0);
  REQUIRE(noisy.size() == 2);
  CHECK_FALSE(std::equal(noisy[0].search.data(), noisy[0].search.data() + 32, noisy[1].search.data()));
}

TEST_CASE("trainer: stage iou learns to judge boxes, and nothing but the head moves") {
  TrainOptions o = options_of("iou", kLearnsAll ? 800 : 20);
  o.optimizer.lr = 3e-4;  // faster, and the sigmoid at the end saturates before the head has learnt
  o.optimizer.warmup = 50;
  Trainer<float> trainer = make_trainer(o);
  // On a model that can tell what it sees, as in a real run.
  std::copy_n(learn_pairs().parameters.begin(), trainer.model().parameters().values().numel(),
              trainer.model().parameters().values().data());
  Batch batch = eight_samples(o);
  batch.absent[3] = 1;
  const auto before = parameters(trainer);
  const auto [first, loss] = losses_of(trainer, batch);
  MESSAGE("mean squared error " << first << " -> " << loss);
  CHECK(loss < first);
  if (kLearnsAll) CHECK(loss < 1e-3);
  const auto after = parameters(trainer);
  std::int64_t moved = 0, others = 0;
  trainer.model().visit([&](const std::string& name, Param<float>& p) {
    const auto begin = static_cast<std::size_t>(p.value.data() - trainer.model().parameters().values().data());
    for (std::size_t i = 0; i < static_cast<std::size_t>(p.shape.numel()); ++i)
      if (before[begin + i] != after[begin + i]) (name.starts_with("iou.") ? moved : others) += 1;
  });
  CHECK(moved > 1000);
  CHECK(others == 0);
}

TEST_CASE("trainer: stage iou judges as many boxes of each sample as it is told to") {
  TrainOptions o = options_of("iou", 100);
  o.sampling.judged = 5;
  o.optimizer.lr = 3e-4;
  Trainer<float> trainer = make_trainer(o);
  const auto [first, loss] = losses_of(trainer, eight_samples(o));
  CHECK(loss < 0.8 * first);
}

TEST_CASE("autoencoder trainer: eight pictures' masked patches are learnt by heart") {
  Config c = tiny_config();
  TrainOptions o = options_of("mae", kLearnsAll ? 1500 : 20);
  MaskedAutoencoder<float> model(c, {.decoder_width = 48, .decoder_depth = 2, .decoder_heads = 3});
  initialise(model, 1);
  AutoencoderTrainer<float> trainer(std::move(model), cpu::make_context<float>({.threads = 2}), o);
  const PictureSampler sampler(Scene::data(8), o, Scene::size);
  BatchLoader loader(c, sampler, Scene::cache(), {.batch = 8, .templates = 0, .threads = 1, .ahead = 1});
  const Batch& batch = loader.next();  // with one mask: noise cannot be foretold, only remembered
  const auto [first, loss] = losses_of(trainer, batch);
  MESSAGE("loss " << first << " -> " << loss);
  CHECK(loss < first);
  if (kLearnsAll) CHECK(loss < 0.1 * first);
}

TEST_CASE("trainer: a run that goes on from its checkpoint is bit for bit the run that was not interrupted") {
  TrainOptions o = options_of("pairs", 12);
  o.optimizer.drop_path = 0.3;
  o.optimizer.ema = 0.9;
  o.optimizer.weight_decay = 0.01;
  o.accumulate = 2;
  const Sampler sampler(Scene::data(6), tiny_config(), o, Scene::size);
  const auto advance = [&](Trainer<float>& trainer, std::int64_t until, int threads) {
    BatchLoader loader(tiny_config(), sampler, Scene::cache(), {.batch = 8, .templates = 1, .threads = threads, .ahead = 2},
                       static_cast<std::uint64_t>(2 * trainer.step()));
    StepValues values;
    while (trainer.step() < until) {
      trainer.pass(loader.next()), trainer.pass(loader.next());
      values = trainer.update();
    }
    return values;
  };
  Trainer<float> unbroken = make_trainer(o);
  const StepValues expected = advance(unbroken, 8, 1);

  const test::TemporaryFolder folder;
  const auto path = folder / "last.ckpt";
  {
    Trainer<float> begun = make_trainer(o);
    advance(begun, 5, 4);
    save_checkpoint(path, begun, {.best_score = 0.25, .options = "{}"});
  }
  Trainer<float> resumed = make_trainer(o, 9);  // another start, which the checkpoint overwrites
  const RunState state = load_checkpoint(path, resumed);
  CHECK(state.step == 5);
  CHECK(state.best_score == 0.25);
  const StepValues values = advance(resumed, 8, 3);
  CHECK(parameters(resumed) == parameters(unbroken));
  CHECK(values.loss.total == expected.loss.total);
  CHECK(values.gradient_norm == expected.gradient_norm);

  // The averaged weights are a model of their own in there.
  CHECK(load_model<float>(path, {.prefix = "average.", .allow_unexpected = true}).config() == tiny_config());
  // What is no checkpoint changes nothing.
  const auto before = parameters(resumed);
  save_model(folder / "weights.safetensors", resumed.model());
  CHECK(test::error_of(ErrorCode::format, [&] {
          load_checkpoint(folder / "weights.safetensors", resumed);
        }).find("expected the state of a training run") != std::string::npos);
  CHECK(parameters(resumed) == before);
}

TEST_CASE("trainer: crops made of pictures on the device change no bit, whatever there is room for, and resume") {
  TrainOptions o = options_of("pairs", 12);
  o.augment = {.colour = 0.2, .blur_prob = 0.5, .noise_prob = 0.5, .foreign_occlusion_prob = 0.5, .rotation = 0.3};
  const Sampler sampler(Scene::data(6), tiny_config(), o, Scene::size);
  const auto advance = [&](Trainer<float>& trainer, std::int64_t until, std::shared_ptr<DevicePictures> pictures) {
    BatchLoader loader(tiny_config(), sampler, Scene::cache(),
                       {.batch = 8, .templates = 1, .threads = 2, .ahead = 2, .pictures = std::move(pictures)},
                       static_cast<std::uint64_t>(trainer.step()));
    std::vector<double> losses;
    const Batch* next = &loader.next();
    while (trainer.step() < until) {
      const Batch* const batch = std::exchange(next, &loader.next());
      trainer.pass(*batch, next);
      losses.push_back(trainer.update().loss.total);
    }
    return losses;
  };
  const auto held = [](Trainer<float>& trainer, std::size_t bytes) {
    return std::make_shared<DevicePictures>(trainer.context().allocator(), bytes);
  };
  Trainer<float> usual = make_trainer(o);
  const std::vector<double> expected = advance(usual, 6, nullptr);
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{100000}, std::size_t{1} << 24}) {
    Trainer<float> trainer = make_trainer(o);
    CHECK(advance(trainer, 6, held(trainer, bytes)) == expected);
    CHECK(parameters(trainer) == parameters(usual));
  }
  const test::TemporaryFolder folder;
  {
    Trainer<float> begun = make_trainer(o);
    advance(begun, 2, held(begun, 100000));
    save_checkpoint(folder / "last.ckpt", begun, {});
  }
  Trainer<float> resumed = make_trainer(o, 9);
  load_checkpoint(folder / "last.ckpt", resumed);
  advance(resumed, 6, held(resumed, 1 << 24));
  CHECK(parameters(resumed) == parameters(usual));
}

TEST_CASE("autoencoder trainer: crops made of pictures on the device change no bit") {
  const Config c = tiny_config();
  const TrainOptions o = options_of("mae", 4);
  std::vector<double> losses[2];
  for (const bool on_device : {false, true}) {
    MaskedAutoencoder<float> model(c, {.decoder_width = 48, .decoder_depth = 2, .decoder_heads = 3});
    initialise(model, 1);
    AutoencoderTrainer<float> trainer(std::move(model), cpu::make_context<float>({.threads = 2}), o);
    LoaderOptions options{.batch = 8, .templates = 0, .threads = 1, .ahead = 1};
    if (on_device) options.pictures = std::make_shared<DevicePictures>(trainer.context().allocator(), 1 << 24);
    BatchLoader loader(c, PictureSampler(Scene::data(8), o, Scene::size), Scene::cache(), options);
    for (int i = 0; i < 3; ++i) {
      trainer.pass(loader.next());
      losses[on_device].push_back(trainer.update().loss.total);
    }
  }
  CHECK(losses[0] == losses[1]);
}

TEST_CASE("trainer: recomputed activations change no bit") {
  TrainOptions o = options_of("pairs", 4);
  o.optimizer.drop_path = 0.2;
  const Batch batch = eight_samples(o);
  Trainer<float> keeping = make_trainer(o);
  o.recompute = true;
  Trainer<float> recomputing = make_trainer(o);
  for (int i = 0; i < 3; ++i)
    for (auto* trainer : {&keeping, &recomputing}) trainer->pass(batch), trainer->update();
  CHECK(parameters(keeping) == parameters(recomputing));
  CHECK(recomputing.context().arena().capacity() < keeping.context().arena().capacity());
}

TEST_CASE("trainer: a batch with NaN in it is named, skipped and counted, and the next one is as if it had not been") {
  TrainOptions o = options_of("pairs", 4);
  const Batch batch = eight_samples(o);
  Batch bad = eight_samples(o);
  bad.search.view()(3, 1, 2, 5) = std::numeric_limits<float>::quiet_NaN();
  bad.names[3] = "the culprit";
  Trainer<float> trainer = make_trainer(o), untouched = make_trainer(o);
  const auto before = parameters(trainer);
  trainer.pass(batch), trainer.pass(bad);
  const StepValues skipped = trainer.update();
  CHECK(skipped.skipped.find("not finite") != std::string::npos);
  CHECK(skipped.skipped.find("the culprit") != std::string::npos);
  CHECK(trainer.skipped() == 1);
  CHECK(parameters(trainer) == before);
  untouched.set_progress(1, 0);
  trainer.pass(batch), untouched.pass(batch);
  CHECK(trainer.update().skipped.empty());
  untouched.update();
  CHECK(parameters(trainer) == parameters(untouched));

  CHECK(test::error_of(ErrorCode::argument, [&] { trainer.update(); }).find("expected a pass") != std::string::npos);
  const Batch small(tiny_config(), 3, 1);
  CHECK(test::error_of(ErrorCode::argument, [&] { trainer.pass(small); }).find("expected 8 samples, got 3") !=
        std::string::npos);
}

TEST_CASE("trainer: the update clips, averages the passes, and decays weights but not biases") {
  TrainOptions o = options_of("pairs", 4);
  o.optimizer.clip = 1e-9;
  o.optimizer.eps = 1;  // a clipped gradient then moves nothing
  o.optimizer.weight_decay = 0.5;
  o.optimizer.ema = 0.5;
  Trainer<float> trainer = make_trainer(o);
  const auto before = parameters(trainer);
  trainer.pass(eight_samples(o));
  const StepValues values = trainer.update();
  CHECK(values.gradient_norm > 0.01);
  CHECK(std::abs(values.lr - o.optimizer.lr / 20) < 1e-12);
  const double kept = 1 - values.lr * 0.5;
  trainer.model().visit([&](const std::string& name, Param<float>& p) {
    const auto begin = static_cast<std::size_t>(p.value.data() - trainer.model().parameters().values().data());
    const ParameterGroup group = parameter_group(name, p.shape.rank(), Stage::pairs, 1);
    const auto average = trainer.average_model().parameters().values();
    for (std::size_t i = 0; i < static_cast<std::size_t>(p.shape.numel()); i += 97) {
      const double expected = static_cast<double>(before[begin + i]) * (group.trained && group.decays ? kept : 1);
      const double value = static_cast<double>(p.value.data()[i]);
      CHECK(std::abs(value - expected) < 1e-6);
      // After the first update the mean follows with decay min(0.5, 2 / 11).
      const double mean = (2 * static_cast<double>(before[begin + i]) + 9 * value) / 11;
      CHECK(std::abs(static_cast<double>(average.data()[begin + i]) - mean) < 1e-6);
    }
  });
}
