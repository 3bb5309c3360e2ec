// Tracks a square on the GPU with a small network, or without a GPU is told that there is none.
#include <cstdio>
#include <detrack/cuda.hpp>
#include <detrack/image/image.hpp>
#include <detrack/model/initialise.hpp>
#include <detrack/track/tracker.hpp>

namespace {

using namespace detrack;

int without_gpu() {
  try {
    cuda::make_context<float>();
  } catch (const Error& error) {
    std::printf("no GPU: %s\n", error.what());
    return error.code() == ErrorCode::not_available ? 0 : 1;
  }
  std::puts("device_count() is 0, but there is a context");
  return 1;
}

Config small_config() {
  Config c;
  c.name = "small";
  c.width = 64, c.depth = 2, c.heads = 2;
  c.search_size = 64, c.template_size = 32, c.bins_per_unit = 40;
  c.refine_layers = 1, c.refine_heads = 2;
  return c;
}

}  // namespace

int main() {
  if (cuda::device_count() == 0) return without_gpu();
  DeTrack<float> model(small_config());
  initialise(model, 1);
  Tracker tracker(cuda::network<bfloat16>(model));
  std::printf("%s\n", tracker.describe().c_str());
  Image frame(160, 120);
  for (std::int64_t y = 40; y < 70; ++y)
    for (std::int64_t x = 50; x < 90; ++x) frame.pixel(y, x)[0] = 250;
  tracker.init(frame, {50, 40, 40, 30});
  for (int i = 0; i < 3; ++i) {  // the second update is recorded, the third replayed
    const auto result = tracker.update(frame);
    const Box box = result.box;
    std::printf("%g,%g,%g,%g score %g\n", box.x, box.y, box.w, box.h, result.score);
    if (!(box.w > 0 && box.h > 0 && result.score >= 0 && result.score <= 1)) return 1;
  }
}
