// Trainers on the CUDA backend: they learn as the CPU's does, in bfloat16 on weights kept in float.
#include "detrack/cpu/backend.hpp"
#include "detrack/train/checkpoint.hpp"
#include "detrack/train/trainer.hpp"
#include "tests/cuda/machine.hpp"
#include "tests/support/small_model.hpp"
#include "tests/support/temporary_folder.hpp"

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
  for (int i = 0; i < 2; ++i)
    CHECK(loss_of_step(trainer, batch) == doctest::Approx(loss_of_step(cpu, batch)).epsilon(0.03));
}
