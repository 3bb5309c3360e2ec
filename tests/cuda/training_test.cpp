// Trainers on the CUDA backend: they learn as the CPU's does, in bfloat16 on weights kept in float.
#include "detrack/cpu/backend.hpp"
#include "detrack/train/batch_loader.hpp"
#include "detrack/train/checkpoint.hpp"
#include "detrack/train/pixel_upload.hpp"
#include "detrack/train/sampler.hpp"
#include "detrack/train/trainer.hpp"
#include "tests/cuda/machine.hpp"
#include "tests/support/small_model.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/train/scene.hpp"

using namespace detrack;

namespace {

constexpr std::int64_t kBatch = 1;  // the emulated GPU takes seconds for a step

Config training_config() {
  Config config = test::small_config();
  config.depth = config.refine_layers = config.templates = 1;
  return config;
}

TrainOptions training_options() {
  TrainOptions o;
  o.batch = kBatch;
  o.steps = 100;
  o.optimizer.lr = 3e-3;
  o.optimizer.backbone_factor = 1;
  o.optimizer.warmup = 0;
  o.optimizer.ema = 0.9;
  o.optimizer.drop_path = 0.1;
  o.loss.label_sigma = 1;
  return o;
}

template <class T>
Trainer<T> make_trainer(Context<T> ctx, const std::string& stage = "pairs") {
  DeTrack<float> model(training_config());
  test::randomise(model);
  TrainOptions options = training_options();
  options.stage = stage;
  return Trainer<T>(std::move(model), std::move(ctx), options);
}

Batch batch_of_noise() {
  Batch batch(training_config(), kBatch, 1);
  test::fill_normal(batch.search.view(), 1, 1);
  test::fill_normal(batch.templates.view(), 1, 2);
  for (std::size_t b = 0; b < kBatch; ++b) {
    batch.truth[b] = {0.2 + 0.1 * static_cast<double>(b), 0.3, 0.6 + 0.1 * static_cast<double>(b), 0.8};
    batch.prior[b] = {0.3, 0.3, 0.7, 0.7};
  }
  return batch;
}

template <class T>
double loss_of_step(Trainer<T>& trainer, Batch& batch) {
  batch.number = static_cast<std::uint64_t>(trainer.step());
  trainer.pass(batch, &batch);  // it travels ahead of its second pass
  const StepValues values = trainer.update();
  REQUIRE(values.skipped.empty());
  return values.loss.total;
}

/// What a model holds, brought to the host.
template <class T, class X>
std::vector<X> values_of(Trainer<T>& trainer, DeTrack<X>& model) {
  std::vector<X> all;
  model.visit([&](const std::string&, Param<X>& p) {
    const std::size_t begin = all.size();
    all.resize(begin + static_cast<std::size_t>(p.shape.numel()));
    ops::copy(trainer.context(), View<const X>(p.value), View<X>(all.data() + begin, p.shape));
  });
  return all;
}

}  // namespace

TEST_CASE("cuda training: in bfloat16, on weights kept in float, as the CPU does it, and on from a checkpoint to the bit") {
  const test::TemporaryFolder folder;
  Batch batch = batch_of_noise();
  auto cpu = make_trainer<float>(cpu::make_context<float>({.threads = 1}));
  auto trainer = make_trainer<bfloat16>(cuda::make_context<bfloat16>());
  CHECK(loss_of_step(trainer, batch) == doctest::Approx(loss_of_step(cpu, batch)).epsilon(0.03));
  save_checkpoint(folder.path() / "run.ckpt", trainer, {});

  // The weights moved, and passes run on their rounding.
  const auto wide = values_of(trainer, trainer.weights());
  const auto narrow = values_of(trainer, trainer.model());
  REQUIRE(wide.size() == narrow.size());
  std::size_t other = 0, finer = 0;
  for (std::size_t i = 0; i < narrow.size(); ++i) {
    other += static_cast<float>(narrow[i]) != static_cast<float>(bfloat16(wide[i]));
    finer += static_cast<float>(narrow[i]) != wide[i];
  }
  CHECK(other == 0);
  CHECK(finer > narrow.size() / 2);

  CHECK(loss_of_step(trainer, batch) == doctest::Approx(loss_of_step(cpu, batch)).epsilon(0.03));
  auto resumed = make_trainer<bfloat16>(cuda::make_context<bfloat16>());
  load_checkpoint(folder.path() / "run.ckpt", resumed);
  CHECK(resumed.step() == 1);
  loss_of_step(resumed, batch);
  CHECK(values_of(resumed, resumed.weights()) == values_of(trainer, trainer.weights()));
  CHECK(values_of(resumed, resumed.average_model()) == values_of(trainer, trainer.average_model()));
}

TEST_CASE("cuda training: the IoU head alone, whose forward saves nothing") {
  Batch batch = batch_of_noise();
  auto cpu = make_trainer<float>(cpu::make_context<float>({.threads = 1}), "iou");
  auto trainer = make_trainer<bfloat16>(cuda::make_context<bfloat16>(), "iou");
  for (int i = 0; i < 2; ++i) CHECK(loss_of_step(trainer, batch) == doctest::Approx(loss_of_step(cpu, batch)).epsilon(0.03));
}

TEST_CASE("cuda training: crops made on the device, ahead and not, are the loader's to rounding, with room and without") {
  using test::Scene;
  Config config = training_config();
  config.search_size = 24, config.template_size = 13;
  TrainOptions o;
  o.augment = Scene::every_change();
  const Sampler sampler(Scene::data(6), config, o, Scene::size);
  const LoaderOptions options{.batch = 5, .templates = 1, .threads = 1, .ahead = 1};
  for (const std::size_t room : {std::size_t{0}, std::size_t{100000}, std::size_t{1} << 24}) {
    auto ctx = cuda::make_context<float>();
    LoaderOptions planned = options;
    planned.pictures = std::make_shared<DevicePictures>(ctx.allocator(), room);
    BatchLoader loader(config, sampler, Scene::cache(), options), planner(config, sampler, Scene::cache(0), planned);
    PixelUpload<float> upload;
    Tensor<float> search({5, 3, 24, 24}, ctx.allocator()), templates({5, 1, 3, 13, 13}, ctx.allocator());
    for (int i = 0; i < 6; ++i) {
      const Batch &want = loader.next(), &batch = planner.next();
      const auto send = [&] { upload.upload(ctx, config, batch, search.view(), templates.view()); };
      if (i % 2)
        ctx.run_side(send), ctx.join_side();
      else
        send();
      CHECK(batch.names == want.names);
      double worst = 0;
      const auto compare = [&](const Tensor<float>& got, const Tensor<float>& expected) {
        Tensor<float> host(got.shape());
        ops::copy(ctx, got.view(), host.view());
        for (std::int64_t k = 0; k < host.numel(); ++k)
          worst = std::max(worst, static_cast<double>(std::abs(host.data()[k] - expected.data()[k])));
      };
      compare(search, want.search), compare(templates, want.templates);
      CHECK(worst < 2e-5);  // of values up to 2.6
    }
    CHECK(planned.pictures->count() == (room == 0 ? 0 : room == 100000 ? 3 : 6));
  }
}

#ifndef DETRACK_REAL_GPU
TEST_CASE("cuda training: device memory that ends while pictures are held ends nothing else") {
  test::MachineScope machine;
  auto ctx = cuda::make_context<float>();
  DevicePictures pictures(ctx.allocator(), std::size_t{1} << 30);
  machine->free_memory = 1 << 20;
  CHECK(pictures.add("a", Image(100, 100)) == nullptr);
  CHECK(pictures.take_notice().find("cuda:0: no memory for more than 0 MiB of pictures") != std::string::npos);
}
#endif

TEST_CASE("cuda training: a step on planned crops, which are made ahead, is a step on the loader's") {
  const Config config = training_config();
  const TrainOptions o = training_options();
  const Sampler sampler(test::Scene::data(3), config, o, test::Scene::size);
  std::vector<double> losses[2];
  for (const bool on_device : {false, true}) {
    auto trainer = make_trainer<float>(cuda::make_context<float>());
    LoaderOptions options{.batch = kBatch, .templates = 1, .threads = 1, .ahead = 1};
    if (on_device) options.pictures = std::make_shared<DevicePictures>(trainer.context().allocator(), 1 << 24);
    BatchLoader loader(config, sampler, test::Scene::cache(), options);
    const Batch* next = &loader.next();
    for (int i = 0; i < 2; ++i) {
      const Batch* const batch = std::exchange(next, &loader.next());
      trainer.pass(*batch, next);
      losses[on_device].push_back(trainer.update().loss.total);
    }
  }
  for (std::size_t i = 0; i < 2; ++i) CHECK(losses[1][i] == doctest::Approx(losses[0][i]).epsilon(1e-4));
}
