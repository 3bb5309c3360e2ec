// Contexts of the CUDA backend: what they say, what they refuse, and what a failure leaves.
#include "detrack/model/initialise.hpp"
#include "tests/cuda/machine.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/small_model.hpp"

using namespace detrack;
using test::error_of;

TEST_CASE("cuda: contexts say what they are, and name what is not there") {
  CHECK(cuda::device_count() == 1);
  CHECK(cuda::make_context<float>().describe() == "cuda: device 0, emulated GPU, float32");
  CHECK(cuda::make_context<bfloat16>(0).device() == Device{DeviceKind::cuda, 0});
  for (const int device : {-1, 1}) error_of(ErrorCode::not_available, [&] { cuda::make_context<float>(device); });
  test::MachineScope machine;
  machine->devices = 0;
  CHECK(cuda::device_count() == 0);
  error_of(ErrorCode::not_available, [] { cuda::make_context<float>(); });
}

TEST_CASE("cuda: too little memory is an error that leaves the device usable") {
  test::MachineScope machine;
  auto ctx = cuda::make_context<float>();
  machine->free_memory = 1000;
  error_of(ErrorCode::out_of_memory, [&] { Tensor<float>({1000, 1000}, ctx.allocator()); });
  error_of(ErrorCode::out_of_memory, [&] { DeTrack<float>(test::small_config(), ctx); });
  machine->free_memory = std::size_t(1) << 40;
  DeTrack<float> model(test::small_config(), ctx);
  CHECK(model.parameter_count() > 1000);
}

TEST_CASE("cuda: a kernel that fails is an error, and a tracker made anew tracks on") {
  test::MachineScope machine;
  DeTrack<float> model(test::small_config());
  test::randomise(model);
  const Image image(80, 60);
  Tracker tracker(cuda::network<float>(model));
  tracker.init(image, {20, 20, 20, 20});
  const TrackResult first = tracker.update(image);
  machine->fail_launches = true;
  CHECK(error_of(ErrorCode::cuda, [&] { tracker.update(image); }).find("cudaErrorLaunchFailure") != std::string::npos);
  machine->fail_launches = false;
  Tracker again(cuda::network<float>(model));
  again.init(image, {20, 20, 20, 20});
  CHECK(again.update(image).box == first.box);
}

TEST_CASE("cuda: recorded work is done when it is replayed, side work with it; a failure inside ends the recording") {
  auto ctx = cuda::make_context<float>();
  Tensor<float> x({3}, ctx.allocator()), y({3}, ctx.allocator());
  const auto read = [&](const Tensor<float>& from) {
    std::vector<float> host(3);
    ops::copy(ctx, from.view(), View<float>(host.data(), {3}));
    return host;
  };
  const auto fill = [&](Tensor<float>& to, double value) { ops::run(ctx, Fill<float>{.value = value, .y = to.view()}); };
  fill(x, 1), fill(y, 2);
  const auto recording = ctx.backend().record([&] {
    ctx.run_side([&] { ops::run(ctx, Add<float>{.a = y.view(), .beta = 3, .b = x.view(), .y = y.view()}); });
    ctx.join_side();
    ops::run(ctx, Add<float>{.a = x.view(), .b = y.view(), .y = x.view()});
  });
  CHECK(read(x) == std::vector<float>{1, 1, 1});
  recording->replay();
  CHECK(read(x) == std::vector<float>{6, 6, 6});
  recording->replay();
  CHECK(read(y) == std::vector<float>{23, 23, 23});

  error_of(ErrorCode::shape, [&] { ctx.backend().record([&] { fail(ErrorCode::shape, "no"); }); });
  error_of(ErrorCode::cuda, [&] {  // work beside that nobody waits for
    ctx.backend().record([&] { ctx.run_side([&] { fill(x, 3); }); });
  });
  error_of(ErrorCode::shape, [&] {  // work beside that fails: nothing waits any more, and what follows is the main stream's
    ctx.run_side([&] {
      fill(x, 3);
      fail(ErrorCode::shape, "no");
    });
  });
  CHECK(&ctx.arena() != &ctx.side_arena());
  fill(x, 4);
  CHECK(read(x) == std::vector<float>{4, 4, 4});
  error_of(ErrorCode::not_available, [] { reference_context<float>().backend().record([] {}); });
}
