// The tracker around a real model: bit-equal repeats, batches, snapshots and threads; no allocation; memory that stays flat.
#include <doctest/doctest.h>

#include <cstring>
#include <thread>

#include "detrack/model/initialise.hpp"
#include "detrack/track/load_tracker.hpp"
#include "detrack/track/snapshot_file.hpp"
#include "tests/support/count_allocations.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/small_model.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace detrack;
using detrack::test::error_of;

namespace {

std::shared_ptr<const Network> small_network(std::int64_t layers = 2) {
  Config config = detrack::test::small_config();
  config.depth = config.refine_layers = layers;
  config.templates = 3;
  config.trajectory_used = 2;
  DeTrack<float> model(config);
  detrack::test::randomise(model);
  return cpu_network(std::move(model));
}

/// Coloured noise that drifts: every frame differs.
Image noise_frame(std::int64_t t, std::int64_t width = 160, std::int64_t height = 120) {
  Image image(width, height);
  Philox random(5, 0);
  const auto shift = static_cast<std::size_t>(7 * t);
  std::vector<std::uint8_t> noise(static_cast<std::size_t>(3 * width * height));
  for (auto& x : noise) x = static_cast<std::uint8_t>(random.below(256));
  for (std::size_t i = 0; i < noise.size(); ++i) image.data()[i] = noise[(i + shift) % noise.size()];
  return image;
}

TrackerOptions eager(int threads = 1) {
  TrackerOptions options;
  options.threads = threads;
  options.visual_memory.mode = VisualMemoryOptions::Mode::always;  // so that templates change
  options.confidence.hold_after = 0;                               // so that boxes move, whatever the scores
  options.denoising_steps = true;
  return options;
}

bool same(const TrackResult& a, const TrackResult& b) {
  return a.box == b.box && a.score == b.score && a.iou == b.iou && a.state == b.state &&
         a.template_added == b.template_added && std::equal(a.steps.begin(), a.steps.end(), b.steps.begin(), b.steps.end());
}

const Box kFirst{60, 40, 30, 24}, kSecond{20, 30, 18, 26}, kThird{100, 70, 9, 50};

}  // namespace

TEST_CASE("tracking with a model: repeats are bit-equal, whatever the number of threads") {
  const auto network = small_network();
  Tracker a(network, eager()), b(network, eager(3));
  a.init(noise_frame(0), kFirst);
  b.init(noise_frame(0), kFirst);
  for (int t = 1; t <= 30; ++t) {
    const Image image = noise_frame(t);
    const TrackResult x = a.update(image), y = b.update(image);
    REQUIRE(same(x, y));
    REQUIRE(x.score > 0);
    REQUIRE(x.iou > 0);
    REQUIRE(x.steps.size() == 2);
  }
}

TEST_CASE("tracking with a model: a batch of targets gives what each would get alone") {
  // To rounding: products of few rows are summed in another order than those of many. From frame to frame that may grow, so
  // each frame is compared from the same snapshot.
  const auto network = small_network();
  MultiTracker all(network, eager());
  const Box boxes[] = {kFirst, kSecond, kThird};
  for (std::size_t i = 0; i < 3; ++i) all.init(i, noise_frame(0), boxes[i]);
  std::vector<Tracker> alone;
  for (std::size_t i = 0; i < 3; ++i) alone.emplace_back(network, eager());
  for (int t = 1; t <= 12; ++t) {
    const Image image = noise_frame(t);
    for (std::size_t i = 0; i < all.size(); ++i) alone[i].restore(all.snapshot(i));
    const auto results = all.update(image);
    for (std::size_t i = 0; i < results.size(); ++i) {
      const TrackResult single = alone[i].update(image);
      CHECK(iou(results[i].box, single.box) > 0.999);
      CHECK(results[i].score == doctest::Approx(single.score).epsilon(1e-4));
      CHECK(results[i].iou == doctest::Approx(single.iou).epsilon(1e-4));
      CHECK(results[i].template_added == single.template_added);
      for (std::size_t j = 0; j < 2; ++j) {
        const Box &a = results[i].steps[j], &b = single.steps[j];  // maybe of no area: the weights are random
        CHECK(std::max({std::abs(a.x - b.x), std::abs(a.y - b.y), std::abs(a.w - b.w), std::abs(a.h - b.h)}) < 0.01);
      }
    }
    if (t == 7) all.remove(1);
  }
}

TEST_CASE("tracking with a model: any pixel format of the same picture gives the same result") {
  const auto network = small_network();
  Tracker rgb(network, eager()), bgra(network, eager());
  const auto swapped = [](const Image& image) {
    std::vector<std::uint8_t> bytes;
    for (std::int64_t i = 0; i < image.width() * image.height(); ++i)
      for (const int c : {2, 1, 0, -1}) bytes.push_back(c < 0 ? std::uint8_t{77} : image.data()[3 * i + c]);
    return bytes;
  };
  const auto view = [](const std::vector<std::uint8_t>& bytes) {
    return ImageView::packed(bytes.data(), 160, 120, PixelFormat::bgra);
  };
  rgb.init(noise_frame(0), kFirst);
  bgra.init(view(swapped(noise_frame(0))), kFirst);
  for (int t = 1; t <= 6; ++t) {
    const Image image = noise_frame(t);
    REQUIRE(same(rgb.update(image), bgra.update(view(swapped(image)))));
  }
}

TEST_CASE("tracking with a model: from a snapshot, in memory or on disk, it goes on bit for bit") {
  const auto network = small_network();
  const detrack::test::TemporaryFolder folder;
  Tracker whole(network, eager());
  whole.init(noise_frame(0), kFirst);
  for (int t = 1; t <= 11; ++t) whole.update(noise_frame(t));
  const TrackerSnapshot taken = whole.snapshot();
  save_snapshot(folder / "target.safetensors", taken);
  Tracker second(network, eager()), third(network, eager());
  second.init(noise_frame(3), kSecond);
  second.restore(taken);
  third.restore(load_snapshot(folder / "target.safetensors"));
  for (int t = 12; t <= 24; ++t) {
    const Image image = noise_frame(t);
    const TrackResult expected = whole.update(image);
    REQUIRE(same(expected, second.update(image)));
    REQUIRE(same(expected, third.update(image)));
    REQUIRE(expected.frame == t);
  }
}

TEST_CASE("tracking with a model: passes and blocks read out") {
  const auto network = small_network();
  TrackerOptions options = eager();
  options.visual_memory.mode = VisualMemoryOptions::Mode::fixed;
  const auto first_frame = [&](std::int64_t passes, std::int64_t read_block) {
    TrackerOptions chosen = options;
    chosen.passes = passes;
    chosen.read_block = read_block;
    Tracker tracker(network, chosen);
    tracker.init(noise_frame(0), kFirst);
    const TrackResult result = tracker.update(noise_frame(1));
    return std::pair(result, std::vector<Box>(result.steps.begin(), result.steps.end()));
  };
  const auto [plain, plain_steps] = first_frame(1, 0);
  const auto near = [](const Box& a, const Box& b) {
    return std::max({std::abs(a.x - b.x), std::abs(a.y - b.y), std::abs(a.w - b.w), std::abs(a.h - b.h)}) < 1e-9;
  };
  for (std::int64_t block = 1; block <= 2; ++block) {
    const auto [read, steps] = first_frame(1, block);
    CHECK(steps == plain_steps);
    CHECK(read.score == plain.score);
    const Box& step = steps[static_cast<std::size_t>(block - 1)];
    const bool upright = std::min(step.w, step.h) > 0;  // random weights: maybe not
    CHECK(near(read.box, clip_to_frame(upright ? step : kFirst, 160, 120)));
  }
  const auto [twice, twice_steps] = first_frame(2, 0);
  CHECK(!(twice_steps == plain_steps));  // another start

  // Snapshots know nothing of passes: one taken in the midst of any tracker goes on in any other.
  Tracker one(network, options);
  one.init(noise_frame(0), kFirst);
  for (int t = 1; t <= 3; ++t) one.update(noise_frame(t));
  TrackerOptions more = options;
  more.passes = 2;
  more.read_block = 2;
  Tracker other(network, more), same_again(network, more);
  other.restore(one.snapshot());
  same_again.restore(one.snapshot());
  for (int t = 4; t <= 6; ++t) REQUIRE(same(other.update(noise_frame(t)), same_again.update(noise_frame(t))));
  one.restore(other.snapshot());
  CHECK(one.update(noise_frame(7)).frame == 7);
}

TEST_CASE("snapshots of another network, or damaged ones, are refused, naming the file") {
  const auto network = small_network();
  const detrack::test::TemporaryFolder folder;
  Tracker tracker(network, eager());
  tracker.init(noise_frame(0), kFirst);
  TrackerSnapshot other = tracker.snapshot();
  other.config = to_json(preset("detrack-n128"));
  error_of(ErrorCode::argument, [&] { tracker.restore(other); });

  const TrackerSnapshot good = tracker.snapshot();
  const auto rejects = [&](ErrorCode code, const std::string& reason, const std::string& json) {
    const auto path = folder / "bad.safetensors";
    const Config config = config_from_json(good.config);
    const View<const float> templates(good.templates.data(),
                                      {config.templates, 3, config.template_size, config.template_size});
    save_safetensors(path, {SafetensorsEntry("templates", templates)},
                     {{"detrack.tracker", json}, {Config::kMetadataKey, good.config}});
    const std::string message = error_of(code, [&] { load_snapshot(path); });
    CHECK(message.find("bad.safetensors") != std::string::npos);
    CHECK(message.find(reason) != std::string::npos);
  };
  rejects(ErrorCode::format, "detrack.tracker", "{");
  rejects(ErrorCode::format, "detrack.tracker", "[]");
  rejects(ErrorCode::format, "expected a whole number, got \"x\"", "{\"frame\": \"x\"}");
  rejects(ErrorCode::format, "expected a whole number, got 1e+300", "{\"frame\": 1e300}");
  const auto with_state = [](const std::string& state) {
    return R"({"frame":0,"width":160,"height":120,"box":[60,40,30,24],"certain_box":[60,40,30,24],"state":")" + state +
           R"(","uncertain_frames":0,"template_frames":[0,0,0],"trajectory":[[60,40,30,24],[60,40,30,24]]})";
  };
  rejects(ErrorCode::format, "state: expected", with_state("asleep"));
  error_of(ErrorCode::io, [&] { load_snapshot(folder / "none.safetensors"); });
  TrackerSnapshot cut = good;
  cut.templates.pop_back();
  error_of(ErrorCode::argument, [&] { save_snapshot(folder / "cut.safetensors", cut); });
  error_of(ErrorCode::format, [&] {
    save_safetensors(folder / "weights.safetensors", {}, {{Config::kMetadataKey, good.config}});
    load_snapshot(folder / "weights.safetensors");
  });
}

TEST_CASE("a frame in the memory of another device is an error, and the targets stay as they were") {
  MultiTracker tracker(small_network(), eager());
  tracker.init(0, noise_frame(0), kFirst);
  tracker.update(noise_frame(1));
  const TrackerSnapshot before = tracker.snapshot(0);
  const Image image = noise_frame(2);
  const ImageView elsewhere = ImageView(image).on({DeviceKind::cuda, 0});
  error_of(ErrorCode::device, [&] { tracker.init(1, elsewhere, kFirst); });
  error_of(ErrorCode::device, [&] { tracker.init(0, elsewhere, {10, 10, 20, 20}); });
  error_of(ErrorCode::device, [&] { tracker.add_template(0, elsewhere, kFirst); });
  CHECK(tracker.size() == 1);
  const TrackerSnapshot after = tracker.snapshot(0);
  CHECK(after.target.box == before.target.box);
  CHECK(after.target.template_frames == before.target.template_frames);
  CHECK(after.templates == before.templates);
}

TEST_CASE("templates can be looked at: what was cropped, as a picture") {
  const auto network = small_network();
  Tracker tracker(network, eager());
  Image image(160, 120);
  for (std::int64_t i = 0; i < 160 * 120; ++i) image.data()[3 * i] = 200, image.data()[3 * i + 1] = 30;
  tracker.init(image, kFirst);
  for (std::int64_t slot = 0; slot < 3; ++slot) {
    const Image seen = tracker.template_image(slot);
    REQUIRE(seen.width() == 16);
    CHECK(seen.pixel(8, 8)[0] == 200);
    CHECK(seen.pixel(8, 8)[1] == 30);
    CHECK(seen.pixel(8, 8)[2] == 0);
  }
  for (int t = 1; t <= 5; ++t) tracker.update(Image(160, 120));
  CHECK(tracker.template_image(0).pixel(8, 8)[0] == 200);  // the fixed one
  CHECK(tracker.template_image(2).pixel(8, 8)[0] == 0);    // frame 5 is black
}

TEST_CASE("one network serves trackers in several threads") {
  const auto network = small_network();
  std::vector<Image> frames;
  for (int t = 0; t <= 15; ++t) frames.push_back(noise_frame(t));
  const auto follow = [&](std::vector<Box>& boxes) {
    Tracker tracker(network, eager());
    tracker.init(frames[0], kFirst);
    for (std::size_t t = 1; t < frames.size(); ++t) boxes.push_back(tracker.update(frames[t]).box);
  };
  std::vector<Box> expected;
  follow(expected);
  std::vector<std::vector<Box>> seen(4);
  std::vector<std::thread> threads;
  for (auto& boxes : seen) threads.emplace_back([&] { follow(boxes); });
  for (auto& thread : threads) thread.join();
  for (const auto& boxes : seen) CHECK(boxes == expected);
}

TEST_CASE("several passes and a block read out allocate nothing either") {
  TrackerOptions options = eager(2);
  options.denoising_steps = false;
  options.passes = 3;
  options.read_block = 1;
  MultiTracker targets(small_network(1), options);
  const Image images[] = {noise_frame(0), noise_frame(1)};
  targets.init(0, images[0], kFirst);
  targets.init(1, images[0], kSecond);
  targets.update(images[1]);
  CHECK(detrack::test::count_allocations([&] {
          for (int t = 2; t <= 200; ++t) targets.update(images[t % 2]);
        }) == 0);
}

TEST_CASE("update allocates nothing after its first call, and 10,000 frames of nonsense leave memory flat") {
  const auto network = small_network(1);
  TrackerOptions options = eager(2);
  options.confidence.hold_after = 3;
  MultiTracker targets(network, options);
  const Image images[] = {noise_frame(0), noise_frame(1), Image(160, 120)};
  targets.init(0, images[0], kFirst);
  targets.init(1, images[0], kSecond);
  targets.update(images[1]);
  const long count = detrack::test::count_allocations([&] {
    for (int t = 2; t <= 10000; ++t)
      for (const TrackResult& result : targets.update(images[t % 3])) {
        const Box& box = result.box;
        if (!(box.valid() && box.x >= 0 && box.y >= 0 && box.right() <= 160.001 && box.bottom() <= 120.001))
          throw std::logic_error("a box left the frame");
      }
  });
  CHECK(count == 0);
  CHECK(targets.target(0).frame() == 10000);
}

TEST_CASE("tracking with weights that are no numbers: the box stays, nothing throws") {
  Config config = detrack::test::small_config();
  DeTrack<float> model(config);
  model.visit([](const std::string&, Param<float>& p) {
    for (std::int64_t i = 0; i < p.shape.numel(); ++i) p.value.data()[i] = std::numeric_limits<float>::quiet_NaN();
  });
  Tracker tracker(cpu_network(std::move(model)));
  tracker.init(noise_frame(0), kFirst);
  for (int t = 1; t <= 10; ++t) {
    const TrackResult result = tracker.update(noise_frame(t));
    CHECK(result.box == kFirst);
    CHECK(result.score == 0);
    CHECK(result.state == (t < 10 ? TargetState::uncertain : TargetState::lost));
  }
}

TEST_CASE("a weights file on a CPU that rounds the factors of products") {
  const detrack::test::TemporaryFolder folder;
  DeTrack<float> model(detrack::test::small_config());
  detrack::test::randomise(model);
  save_model(folder / "w.safetensors", model);
  TrackerOptions options = eager();
  Tracker full = Tracker::load(folder / "w.safetensors", options);
  full.init(noise_frame(0), kFirst);
  const Box a = full.update(noise_frame(1)).box;
  for (const auto products : {cpu::Products::bfloat16, cpu::Products::int8}) {
    options.device = cpu::device(products);
    Tracker rounded = Tracker::load(folder / "w.safetensors", options);
    CHECK(rounded.describe().find(cpu::name_of(products) + std::string(" products")) != std::string::npos);
    rounded.init(noise_frame(0), kFirst);
    const Box b = rounded.update(noise_frame(1)).box;
    CHECK(a != b);
    CHECK(iou(a, b) > (products == cpu::Products::int8 ? 0.7 : 0.9));  // of random weights, which exaggerate
  }
}

TEST_CASE("a missing or wrong weights file is an error that names it") {
  const std::string message = error_of(ErrorCode::io, [] { Tracker::load("nowhere/weights.safetensors"); });
  CHECK(message.find("nowhere/weights.safetensors") != std::string::npos);
}
