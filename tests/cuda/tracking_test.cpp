// Trackers on the CUDA backend: the boxes of the CPU's, one graph a frame, replays equal to eager runs.
#include "tests/cuda/machine.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/small_model.hpp"

using namespace detrack;

namespace {

DeTrack<float> tracking_model() {
  Config config = test::small_config();
  config.templates = 3;
  config.trajectory_used = 2;
  DeTrack<float> model(config);
  test::randomise(model);
  return model;
}

Image drifting_noise(std::int64_t t) {
  Image image(90, 70);
  Philox random(5, 0);
  const std::size_t count = 3 * 90 * 70, shift = static_cast<std::size_t>(7 * t);
  std::vector<std::uint8_t> noise(count);
  for (auto& x : noise) x = static_cast<std::uint8_t>(random.below(256));
  for (std::size_t i = 0; i < count; ++i) image.data()[i] = noise[(i + shift) % count];
  return image;
}

TrackerOptions template_every_candidate() {
  TrackerOptions options;
  options.threads = 1;
  options.visual_memory.mode = VisualMemoryOptions::Mode::always;
  options.visual_memory.first_interval = 2;
  options.confidence.hold_after = 0;  // so that boxes move, whatever the scores
  options.denoising_steps = true;
  return options;
}

void require_near(const TrackResult& a, const TrackResult& b, double pixels, double score) {
  const auto near = [&](const Box& p, const Box& q) {
    REQUIRE(std::abs(p.x - q.x) <= pixels);
    REQUIRE(std::abs(p.y - q.y) <= pixels);
    REQUIRE(std::abs(p.w - q.w) <= pixels);
    REQUIRE(std::abs(p.h - q.h) <= pixels);
  };
  near(a.box, b.box);
  REQUIRE(a.steps.size() == b.steps.size());
  for (std::size_t i = 0; i < a.steps.size(); ++i) near(a.steps[i], b.steps[i]);
  REQUIRE(std::abs(a.score - b.score) <= score);
  REQUIRE(std::abs(a.iou - b.iou) <= score);
  REQUIRE(a.template_added == b.template_added);
}

const Box kTarget{30, 20, 18, 14}, kOther{50, 30, 9, 24};

}  // namespace

TEST_CASE("cuda: a tracker gives the CPU's boxes and scores, and bfloat16 comes near") {
  auto model = tracking_model();
  Tracker cpu(cpu_network(tracking_model()), template_every_candidate());
  Tracker f32(cuda::network<float>(model), template_every_candidate());
  Tracker bf16(cuda::network<bfloat16>(model), template_every_candidate());
  CHECK(f32.describe().find("float32") != std::string::npos);
  CHECK(bf16.describe().find("bfloat16") != std::string::npos);
  for (Tracker* tracker : {&cpu, &f32, &bf16}) tracker->init(drifting_noise(0), kTarget);
  for (int t = 1; t <= 4; ++t) {
    const Image image = drifting_noise(t);
    const TrackResult expected = cpu.update(image);
    require_near(f32.update(image), expected, 5e-2, 1e-4);  // sums are added up in other orders
    // Errors grow from frame to frame: the weights are random, so nothing draws the box back to a target.
    const TrackResult rounded = bf16.update(image);
    if (t == 1) require_near(rounded, expected, 6, 0.1);
    REQUIRE((rounded.box.valid() && rounded.box.x >= 0 && rounded.box.right() <= 90));
  }
}

TEST_CASE("cuda: after the first frame an update is one graph, and what it computes is what an eager run does, to the bit") {
  auto model = tracking_model();
  const auto network = cuda::network<float>(model);
  auto options = template_every_candidate();
  options.visual_memory.mode = VisualMemoryOptions::Mode::fixed;
  Tracker replaying(network, options);
  replaying.init(drifting_noise(0), kTarget);
  replaying.update(drifting_noise(1));
  for (int t = 2; t <= 4; ++t) {
    Tracker eager(network, options);  // its first update records: it runs operation by operation
    eager.init(drifting_noise(0), kTarget);
    eager.restore(replaying.snapshot());
    const Image image = drifting_noise(t);
    const TrackResult replayed = test::as_one_graph([&] { return replaying.update(image); });
    const TrackResult once = eager.update(image);
    CHECK(replayed.box == once.box);
    CHECK(replayed.score == once.score);
    CHECK(replayed.iou == once.iou);
    CHECK(std::equal(replayed.steps.begin(), replayed.steps.end(), once.steps.begin(), once.steps.end()));
  }
}

TEST_CASE("cuda: targets of a batch get what each would get alone, and may leave") {
  auto model = tracking_model();
  const auto network = cuda::network<float>(model);
  MultiTracker both(network, template_every_candidate());
  Tracker first(network, template_every_candidate()), second(network, template_every_candidate());
  both.init(0, drifting_noise(0), kTarget), both.init(1, drifting_noise(0), kOther);
  first.init(drifting_noise(0), kTarget), second.init(drifting_noise(0), kOther);
  for (int t = 1; t <= 3; ++t) {
    const Image image = drifting_noise(t);
    const auto results = both.update(image);  // products of other sizes, too
    require_near(results[0], first.update(image), 5e-2, 1e-4);
    require_near(results[1], second.update(image), 5e-2, 1e-4);
  }
  both.remove(0);
  const Image image = drifting_noise(4);
  require_near(both.update(image)[0], second.update(image), 5e-2, 1e-4);
}

TEST_CASE("cuda: frames of any format, bottom up, in planes of their own, or on the device already") {
  auto model = tracking_model();
  const auto network = cuda::network<float>(model);
  const auto track = [&](auto&& view_of) {
    Tracker tracker(network, template_every_candidate());
    tracker.init(view_of(drifting_noise(0)), kTarget);
    TrackResult last;
    for (int t = 1; t <= 3; ++t) last = tracker.update(view_of(drifting_noise(t)));
    return last.box;
  };
  std::vector<std::uint8_t> bytes;
  const Box plain = track([](const Image& image) { return image.view(); });
  std::vector<Image> kept;
  CHECK(track([&](const Image& image) { return kept.emplace_back(image).view(); }) == plain);
  CHECK(track([&](const Image& image) {
          bytes.assign(image.data(), image.data() + 3 * 90 * 70);
          for (std::int64_t row = 0; row < 70; ++row)
            std::copy_n(image.data() + 3 * 90 * row, 3 * 90, bytes.data() + 3 * 90 * (69 - row));
          return ImageView::packed(bytes.data() + 3 * 90 * 69, 90, 70, PixelFormat::rgb, -3 * 90);
        }) == plain);

  const auto i420 = [&](const Image& image, std::vector<std::uint8_t>(&planes)[3]) {
    for (auto& plane : planes) plane.clear();
    for (std::int64_t i = 0; i < 90 * 70; ++i) planes[0].push_back(image.data()[3 * i]);
    for (std::int64_t i = 0; i < 45 * 35; ++i)
      planes[1].push_back(image.data()[3 * i + 1]), planes[2].push_back(image.data()[3 * i + 2]);
  };
  std::vector<std::uint8_t> planes[3];
  const auto planar = [&](const Image& image) {
    i420(image, planes);
    return ImageView::i420(planes[0].data(), 90, planes[1].data(), 45, planes[2].data(), 45, 90, 70);
  };
  Tracker on_cpu(cpu_network(tracking_model()), template_every_candidate());
  on_cpu.init(planar(drifting_noise(0)), kTarget);
  TrackResult last;
  for (int t = 1; t <= 3; ++t) last = on_cpu.update(planar(drifting_noise(t)));
  const Box from_planes = track(planar);
  CHECK(std::abs(from_planes.x - last.box.x) <= 1e-2);
  CHECK(std::abs(from_planes.w - last.box.w) <= 1e-2);

  auto ctx = cuda::make_context<float>();
  Tensor<std::uint8_t> on_device({3 * 90 * 70}, ctx.allocator());
  CHECK(track([&](const Image& image) {
          ctx.backend().copy_bytes(on_device.data(), image.data(), 3 * 90 * 70);
          return ImageView::packed(on_device.data(), 90, 70, PixelFormat::rgb).on(ctx.device());
        }) == plain);
  Tracker tracker(network);
  const Image image = drifting_noise(0);
  test::error_of(ErrorCode::device, [&] { tracker.init(image.view().on({DeviceKind::cuda, 7}), kTarget); });
}

TEST_CASE("cuda: several passes and a block read out are the CPU's, too") {
  auto model = tracking_model();
  auto options = template_every_candidate();
  options.passes = 2;
  options.read_block = 1;
  Tracker cpu(cpu_network(tracking_model()), options), gpu(cuda::network<float>(model), options);
  cpu.init(drifting_noise(0), kTarget), gpu.init(drifting_noise(0), kTarget);
  for (int t = 1; t <= 3; ++t) {
    const Image image = drifting_noise(t);
    const TrackResult expected = cpu.update(image);
    require_near(gpu.update(image), expected, 1e-2, 1e-4);
  }
}
