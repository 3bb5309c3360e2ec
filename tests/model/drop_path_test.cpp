// Drop path in the model: factors of ones and of zeros, gradients, memory, and errors.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "detrack/cpu/backend.hpp"
#include "detrack/ops/reference_backend.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/model_slope.hpp"
#include "tests/support/small_model.hpp"

namespace {

using namespace detrack;

const RunShape kDropRun{3, 2, 3, true};

/// Factors (L, 2, B) of the small configuration.
template <class T>
struct DropFactors {
  explicit DropFactors(std::vector<double> given) : tensor({2, 2, kDropRun.batch}) {
    for (std::int64_t i = 0; i < tensor.numel(); ++i)
      tensor.data()[i] = static_cast<T>(given[static_cast<std::size_t>(i) % given.size()]);
  }
  ModelInputs<T> in(const test::Sample<T>& sample) {
    ModelInputs<T> all = sample.in.views();
    all.drop_path = tensor.view();
    return all;
  }
  Tensor<T> tensor;
};

const std::vector<double> kMixedFactors{0, 1.25, 1.25, 1.25, 0, 1.25, 1.25, 0, 1.25, 0, 1.25, 0};

}  // namespace

TEST_CASE("drop path: factors of 1 are none; a dropped branch is as one whose last layer is zero") {
  const Config c = test::small_config();
  auto ctx = reference_context<double>();
  reserve(ctx, c, kDropRun);
  test::Sample<double> plain(c, kDropRun), dropped(c, kDropRun);
  DeTrack<double> model(c);
  test::randomise(model);
  model.forward(ctx, plain.in.views(), plain.out.views());
  model.forward(ctx, DropFactors<double>({1}).in(dropped), dropped.out.views());
  const auto logits = [](test::Sample<double>& s) { return test::to_array(s.out.logits.view()); };
  CHECK(bool(test::compare(logits(dropped), logits(plain), {1e-12})));

  model.forward(ctx, DropFactors<double>(kMixedFactors).in(dropped), dropped.out.views());
  CHECK_FALSE(bool(test::compare(logits(dropped), logits(plain), {1e-3})));

  // All samples lose the attention of block 0 and the MLP of block 1.
  model.forward(ctx, DropFactors<double>({0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0}).in(dropped), dropped.out.views());
  const auto silence = [](Linear<double>& linear) {
    for (const View<double>& w : {linear.weight.value, linear.bias.value}) std::fill_n(w.data(), w.numel(), 0.0);
  };
  silence(model.backbone.blocks[0].attn.proj), silence(model.backbone.blocks[1].mlp.fc2);
  model.forward(ctx, DropFactors<double>({1}).in(plain), plain.out.views());
  CHECK(bool(test::compare(logits(dropped), logits(plain), {})));
  CHECK(bool(test::compare(test::to_array(dropped.out.image.view()), test::to_array(plain.out.image.view()), {})));
}

TEST_CASE("drop path: the gradient is the slope of the loss; what every sample drops learns nothing; no memory is taken") {
  const Config c = test::small_config();
  auto ctx = reference_context<double>();
  ctx.set_checks(true);
  const Plan made = reserve(ctx, c, kDropRun, true);
  DeTrack<double> model(c);
  test::randomise(model);
  model.allocate_gradients();
  test::Sample<double> sample(c, kDropRun);
  DropFactors<double> factors(kMixedFactors);
  TrainingPass<double> pass(c, {});
  const auto loss = [&] {
    const PassValues v = pass.run(ctx, model, factors.in(sample), sample.out.views(), sample.out.iou.view(),
                                  sample.targets(), sample.iou_task());
    return v.box.total + v.iou;
  };
  CHECK(test::model_slope_error(ctx, model, loss) < 1e-6);
  CHECK(ctx.arena().peak() == made.arena_bytes);

  for (int b = 0; b < 3; ++b) factors.tensor.view()(1, 1, b) = 0;
  model.zero_gradients(ctx);
  loss();
  const auto largest = [](const Param<double>& p) {
    double most = 0;
    for (std::int64_t i = 0; i < p.grad.numel(); ++i) most = std::max(most, std::abs(p.grad.data()[i]));
    return most;
  };
  CHECK(largest(model.backbone.blocks[1].mlp.fc1.weight) == 0);
  CHECK(largest(model.backbone.blocks[0].mlp.fc1.weight) > 0);
}

TEST_CASE("drop path: the CPU backend gives what the reference gives") {
  const Config c = test::small_config();
  DeTrack<float> model(c);
  test::randomise(model);
  DropFactors<float> factors(kMixedFactors);
  test::Sample<float> a(c, kDropRun), b(c, kDropRun);
  const auto run = [&](Context<float> ctx, test::Sample<float>& sample) {
    reserve(ctx, c, kDropRun);
    model.forward(ctx, factors.in(sample), sample.out.views());
    return test::to_array(sample.out.logits.view());
  };
  CHECK(bool(test::compare(run(cpu::make_context<float>({2}), a), run(reference_context<float>(), b), {1e-4})));
}

TEST_CASE("drop path: factors of another shape are refused") {
  const Config c = test::small_config();
  auto ctx = reference_context<float>();
  DeTrack<float> model(c);
  test::Sample<float> sample(c, kDropRun);
  DropFactors<float> factors({1});
  ModelInputs<float> in = factors.in(sample);
  in.drop_path = in.drop_path.slice(2, 0, 2);
  const std::string message = test::error_of(ErrorCode::shape, [&] { model.forward(ctx, in, sample.out.views()); });
  CHECK(message.find("drop_path: expected (2, 2, 3), got (2, 2, 2)") != std::string::npos);
}
