// Trainers on the CUDA backend: they learn as the CPU's does, in bfloat16 on weights kept in float.
#include "detrack/cpu/backend.hpp"
#include "detrack/train/checkpoint.hpp"
#include "detrack/train/trainer.hpp"
#include "tests/cuda/emulated.hpp"
#include "tests/support/small_model.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace detrack;

namespace {

constexpr std::int64_t kBatch = 3;
constexpr int kSteps = 12;

Config training_config() {
  Config config = test::small_config();
  config.templates = 1;
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
Trainer<T> make_trainer(Context<T> ctx) {
  DeTrack<float> model(training_config());
  test::randomise(model);
  return Trainer<T>(std::move(model), std::move(ctx), training_options());
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
std::vector<double> losses_of(Trainer<T>& trainer, Batch& batch, int steps) {
  std::vector<double> losses;
  for (int i = 0; i < steps; ++i) {
    batch.number = static_cast<std::uint64_t>(trainer.step());
    trainer.pass(batch);
    const StepValues values = trainer.update();
    REQUIRE(values.skipped.empty());
    losses.push_back(values.loss.total);
  }
  return losses;
}

/// Every weight and every average, brought to the host.
template <class T>
std::vector<float> weights_of(Trainer<T>& trainer) {
  std::vector<float> all;
  for (auto* net : {&trainer.weights(), &trainer.average_model()}) {
    const View<const float> values = net->parameters().values();
    const std::size_t begin = all.size();
    all.resize(begin + static_cast<std::size_t>(values.numel()));
    ops::copy(trainer.context(), values, View<float>(all.data() + begin, values.shape()));
  }
  return all;
}

void require_near(const std::vector<double>& got, const std::vector<double>& expected, double relative) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CHECK(got[i] == doctest::Approx(expected[i]).epsilon(relative));
  }
}

}  // namespace

TEST_CASE("cuda training: losses follow the CPU's, closely in float and roughly in bfloat16, and fall") {
  Batch batch = batch_of_noise();
  auto cpu = make_trainer<float>(cpu::make_context<float>({.threads = 1}));
  auto f32 = make_trainer<float>(cuda::make_context<float>());
  auto bf16 = make_trainer<bfloat16>(cuda::make_context<bfloat16>());
  const auto expected = losses_of(cpu, batch, kSteps);
  CHECK(expected.back() < 0.9 * expected.front());
  require_near(losses_of(f32, batch, kSteps), expected, 1e-3);
  require_near(losses_of(bf16, batch, kSteps), expected, 0.05);
}

TEST_CASE("cuda training: bfloat16 passes run on the rounding of weights that keep what is below it") {
  Batch batch = batch_of_noise();
  auto trainer = make_trainer<bfloat16>(cuda::make_context<bfloat16>());
  losses_of(trainer, batch, 2);
  const std::vector<float> wide = weights_of(trainer);
  const View<const bfloat16> values = trainer.model().parameters().values();
  std::vector<bfloat16> narrow(static_cast<std::size_t>(values.numel()));
  ops::copy(trainer.context(), values, View<bfloat16>(narrow.data(), values.shape()));
  REQUIRE(wide.size() == 2 * narrow.size());
  std::size_t other = 0, finer = 0;
  for (std::size_t i = 0; i < narrow.size(); ++i) {
    other += static_cast<float>(narrow[i]) != static_cast<float>(bfloat16(wide[i]));
    finer += static_cast<float>(narrow[i]) != wide[i];
  }
  CHECK(other == 0);
  CHECK(finer > narrow.size() / 2);
}

TEST_CASE("cuda training: a run that goes on from its checkpoint is the unbroken one, bit for bit") {
  const test::TemporaryFolder folder;
  Batch batch = batch_of_noise();
  auto unbroken = make_trainer<bfloat16>(cuda::make_context<bfloat16>());
  losses_of(unbroken, batch, 2);
  save_checkpoint(folder.path() / "run.ckpt", unbroken, {});
  losses_of(unbroken, batch, 2);

  auto resumed = make_trainer<bfloat16>(cuda::make_context<bfloat16>());
  load_checkpoint(folder.path() / "run.ckpt", resumed);
  CHECK(resumed.step() == 2);
  losses_of(resumed, batch, 2);
  CHECK(weights_of(resumed) == weights_of(unbroken));
}
