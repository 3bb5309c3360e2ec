// Crops changed for training on the CUDA backend: more than it makes at once.
#include "tests/ops/cases/augmented_crops.hpp"

#include <array>
#include <vector>

#include "detrack/cpu/backend.hpp"
#include "tests/cuda/machine.hpp"

using namespace detrack;

TEST_CASE("cuda augmented crops: what does not fit its scratch memory is made in turns, each crop as by itself") {
  constexpr std::int64_t kSide = 700, kCrops = 5, kValues = 3 * kSide * kSide;  // four of them, twice over, are in 48 MiB
  auto ctx = cuda::make_context<float>();
  std::vector<CropPlan> plans;
  for (const double blur : {0.0, 0.8, 0.0, 0.7, 0.9}) {
    CropPlan& plan = plans.emplace_back(test::crop_plan());
    plan.photometric.blur = blur;
    plan.photometric.low_resolution = blur > 0 ? 3 : 1;
    plan.region.side += static_cast<double>(plans.size());
  }
  test::Memory<float> memory(ctx);
  std::vector<std::uint8_t> bytes(3 * 13 * 17);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 37);
  for (CropPlan& plan : plans) plan.picture.data = memory.given(bytes).data();
  const View<const CropPlan> given = memory.given(plans);
  Tensor<float> together({kCrops, 3, kSide, kSide}, ctx.allocator()), alone({1, 3, kSide, kSide}, ctx.allocator());
  ops::run(ctx, AugmentedCrops<float>{.plans = given, .y = together.view()});
  std::vector<float> got(kValues), want(kValues);
  for (std::int64_t b = 0; b < kCrops; ++b) {
    ops::run(ctx, AugmentedCrops<float>{.plans = given.slice(0, b, 1), .y = alone.view()});
    ctx.backend().copy_bytes(got.data(), together.view().select(0, b).data(), kValues * sizeof(float));
    ctx.backend().copy_bytes(want.data(), alone.data(), kValues * sizeof(float));
    CHECK(got == want);
  }
}
