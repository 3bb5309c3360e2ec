// Blocks that run again in the backward: the same gradients to the bit, in a fraction of the memory.
#include <doctest/doctest.h>

#include "detrack/cpu/backend.hpp"
#include "detrack/ops/reference_backend.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/count_allocations.hpp"
#include "tests/support/small_model.hpp"

namespace {

using namespace detrack;

/// One training pass with dropped branches, on a context of its own.
template <class T>
struct Recomputed {
  Recomputed(Context<T> context, bool recompute)
      : ctx(std::move(context)), model(c), run{2, 2, 3, true, recompute}, sample(c, run), pass(c, {}, recompute) {
    ctx.set_checks(true);
    test::randomise(model);
    model.allocate_gradients();
    const double keep[8] = {1.25, 0, 1.25, 1.25, 0, 1.25, 1.25, 0};
    for (int i = 0; i < 8; ++i) factors.data()[i] = static_cast<T>(keep[i]);
    plan = reserve(ctx, c, run, true);
    go();
  }
  void go() {
    ModelInputs<T> in = sample.in.views();
    in.drop_path = factors.view();
    model.zero_gradients(ctx);
    values = pass.run(ctx, model, in, sample.out.views(), sample.out.iou.view(), sample.targets(), sample.iou_task());
  }

  Config c = test::small_config();
  Context<T> ctx;
  DeTrack<T> model;
  RunShape run;
  test::Sample<T> sample;
  TrainingPass<T> pass;
  Tensor<T> factors{{2, 2, 2}};
  Plan plan;
  PassValues values;
};

template <class T, class Make>
void check_recompute(Make&& make) {
  Recomputed<T> kept(make(), false), again(make(), true);
  CHECK(again.values.box.total == kept.values.box.total);
  CHECK(again.values.iou == kept.values.iou);
  const test::Verdict same = test::compare(test::to_array(again.model.parameters().gradients()),
                                           test::to_array(kept.model.parameters().gradients()), {});
  CHECK_MESSAGE(bool(same), same.why);
  CHECK(again.ctx.arena().peak() == again.plan.arena_bytes);
  CHECK(again.plan.arena_bytes < kept.plan.arena_bytes);
}

}  // namespace

TEST_CASE("recompute: gradients are equal to the bit, the plan is exact, and nothing is allocated") {
  check_recompute<double>([] { return reference_context<double>(); });
  const auto cpu_context = [] { return cpu::make_context<float>({2}); };
  check_recompute<float>(cpu_context);
  Recomputed<float> again(cpu_context(), true);
  CHECK(test::count_allocations([&] { again.go(); }) == 0);
}

TEST_CASE("recompute: a deep model takes a fraction of the memory and a fifth more work") {
  const Config c = preset("detrack-n128");
  const Plan kept = plan<float>(c, {8, c.templates, 0, true, false}, true);
  const Plan again = plan<float>(c, {8, c.templates, 0, true, true}, true);
  const double memory = static_cast<double>(again.arena_bytes) / static_cast<double>(kept.arena_bytes);
  const double work = again.cost.flops / kept.cost.flops;
  CAPTURE(kept.arena_bytes);
  CAPTURE(again.arena_bytes);
  CAPTURE(work);
  CHECK(memory < 0.4);
  CHECK(work > 1.1);
  CHECK(work < 1.25);
}
