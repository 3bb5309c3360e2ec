// The tracker around a network that does as it is told: what it asks, in which order, and what it refuses.
#include "detrack/track/tracker.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "detrack/track/track_frames.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/small_model.hpp"
#include "tests/track/fake_network.hpp"

using namespace detrack;
using detrack::test::error_of;
using detrack::test::FakeNetwork;

namespace {

std::shared_ptr<FakeNetwork> fake(FakeNetwork::Script script = {}, std::int64_t templates = 3) {
  Config config = detrack::test::small_config();
  config.templates = templates;
  config.trajectory_used = 2;
  return std::make_shared<FakeNetwork>(config, std::move(script));
}

double max_difference(const CropBox& a, const CropBox& b) {
  double most = 0;
  for (std::size_t i = 0; i < 4; ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

}  // namespace

TEST_CASE("tracker: each frame asks with the last box and the trajectory in the new crop") {
  // The target moves by a tenth of the crop's side to the right in every frame.
  const auto network = fake([](auto, const auto& question) {
    CropBox box = question.start;
    box[0] += 0.1, box[2] += 0.1;
    return FakeNetwork::Answer{box};
  });
  Tracker tracker(network);
  const Image image(400, 300);
  tracker.init(image, {50, 100, 16, 25});  // sqrt(16 * 25) * 4 = 80
  REQUIRE(network->template_crops.size() == 1);
  CHECK(network->template_crops[0] == CropRegion{58, 112.5, 40});
  for (int t = 1; t <= 4; ++t) {
    const TrackResult result = tracker.update(image);
    CHECK(result.frame == t);
    CHECK(result.box.x == doctest::Approx(50 + 8 * t).epsilon(1e-12));
    CHECK(result.box.y == doctest::Approx(100).epsilon(1e-12));
    CHECK(result.box.w == doctest::Approx(16).epsilon(1e-12));
    const auto& question = network->questions.back();
    CHECK(question.region.centre_x == doctest::Approx(58 + 8 * (t - 1)).epsilon(1e-12));
    CHECK(question.region.side == 80);
    CHECK(max_difference(question.start, {0.4, 0.34375, 0.6, 0.65625}) < 1e-9);
    REQUIRE(question.trajectory.size() == 2);
    CHECK(max_difference(question.trajectory[1], question.start) < 1e-9);  // the newest
    const double before = t == 1 ? 0.4 : 0.3;                              // frame 0 fills the memory
    CHECK(max_difference(question.trajectory[0], {before, 0.34375, before + 0.2, 0.65625}) < 1e-9);
    CHECK(max_difference(network->judged.back(), {0.5, 0.34375, 0.7, 0.65625}) < 1e-9);  // the predicted box
    CHECK(result.timings.update >= result.timings.network);
  }
}

TEST_CASE("tracker: a template is cropped at the new box, factor 2, on candidate frames with good scores") {
  int frame = 0;
  const auto network = fake([&](auto, const auto&) {
    ++frame;
    return FakeNetwork::Answer{{0.4, 0.4, 0.65, 0.65}, 0.95, frame == 10 ? 0.5 : 0.8};
  });
  Tracker tracker(network);
  const Image image(640, 480);
  tracker.init(image, {300, 200, 20, 20});
  for (int t = 1; t <= 15; ++t) {
    const TrackResult result = tracker.update(image);
    CHECK(result.template_added == (t == 5 || t == 15));
    if (result.template_added) CHECK(network->template_crops.back() == crop_around(result.box, 2));
  }
  CHECK(network->template_crops.size() == 3);
  const auto frames = tracker.target().visual_memory().frames();
  CHECK(std::vector<std::int64_t>(frames.begin(), frames.end()) == std::vector<std::int64_t>{0, 5, 15});
}

TEST_CASE("tracker: what the user may change on the way") {
  const auto network = fake();
  Tracker tracker(network);
  const Image image(200, 100);
  tracker.init(image, {20, 20, 10, 10});
  tracker.update(image);
  tracker.relocate({100, 50, 12, 12});
  CHECK(tracker.target().box() == Box{100, 50, 12, 12});
  tracker.add_template(image, {60, 40, 8, 8});
  CHECK(network->template_crops.back() == CropRegion{64, 44, 16});
  CHECK(tracker.target().visual_memory().frames()[2] == 1);
  tracker.init(image, {5, 5, 10, 10});
  CHECK(tracker.target().frame() == 0);
  CHECK(tracker.target().visual_memory().frames()[2] == 0);
  tracker.init(Image(50, 40), {5, 5, 10, 10});  // another video
  CHECK(tracker.update(Image(50, 40)).frame == 1);

  Tracker fixed(fake({}, 1));
  fixed.init(image, {20, 20, 10, 10});
  error_of(ErrorCode::argument, [&] { fixed.add_template(image, {60, 40, 8, 8}); });
}

TEST_CASE("tracker: caller's mistakes are errors, and the target stays") {
  Tracker tracker(fake());
  const Image image(200, 100);
  CHECK(error_of(ErrorCode::argument, [&] { tracker.update(image); }).find("expected init() before") != std::string::npos);
  tracker.init(image, {20, 20, 10, 10});
  CHECK(error_of(ErrorCode::argument, [&] { tracker.update(Image(100, 100)); }) ==
        "Tracker: update: image: expected 200x100 pixels as in the first frame, got 100x100");
  error_of(ErrorCode::argument, [&] { tracker.update(ImageView()); });
  error_of(ErrorCode::argument, [&] { tracker.init(image, {300, 20, 10, 10}); });
  error_of(ErrorCode::argument, [&] { tracker.init(ImageView(), {20, 20, 10, 10}); });
  error_of(ErrorCode::argument, [&] { tracker.relocate({20, 20, 0, 10}); });
  error_of(ErrorCode::argument, [&] { tracker.add_template(Image(10, 10), {1, 1, 5, 5}); });
  error_of(ErrorCode::argument, [&] { tracker.template_image(3); });
  CHECK(tracker.target().frame() == 0);
  CHECK(tracker.update(image).frame == 1);

  TrackerOptions options;
  options.trajectory = 4;  // the network's K is 3
  error_of(ErrorCode::argument, [&] { Tracker(fake(), options); });
  options.trajectory = 3;
  Tracker longer(fake(), options);
  longer.init(image, {20, 20, 10, 10});
  CHECK(longer.target().trajectory().boxes().size() == 3);
}

TEST_CASE("tracker: no network is an error") {
  error_of(ErrorCode::argument, [] { MultiTracker(std::shared_ptr<const Network>()); });
}

TEST_CASE("tracker: a network that answers nonsense leaves a box in the frame and scores of 0") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Tracker tracker(fake([=](auto, const auto&) { return FakeNetwork::Answer{{nan, nan, nan, nan}, nan, nan}; }));
  const Image image(200, 100);
  tracker.init(image, {20, 20, 10, 10});
  for (int t = 1; t <= 12; ++t) {
    const TrackResult result = tracker.update(image);
    CHECK(result.box == Box{20, 20, 10, 10});
    CHECK(result.score == 0);
    CHECK(result.iou == 0);
    CHECK(result.state == (t < 10 ? TargetState::uncertain : TargetState::lost));
  }
}

TEST_CASE("tracker: several passes start each from the box of the one before; crop and trajectory stay") {
  // Each pass moves the box by a tenth of the crop's side to the right.
  const auto network = fake([](auto, const auto& question) {
    CropBox box = question.start;
    box[0] += 0.1, box[2] += 0.1;
    return FakeNetwork::Answer{box};
  });
  TrackerOptions options;
  options.passes = 3;
  MultiTracker targets(network, options);
  const Image image(400, 300);
  targets.init(0, image, {50, 100, 16, 25});  // crops of 80 pixels
  targets.init(1, image, {100, 50, 25, 16});
  for (int t = 1; t <= 3; ++t) {
    network->questions.clear();
    network->judged.clear();
    const auto results = targets.update(image);
    CHECK(results[0].box.x == doctest::Approx(50 + 24 * t).epsilon(1e-12));
    CHECK(results[1].box.x == doctest::Approx(100 + 24 * t).epsilon(1e-12));
    CHECK(results[0].frame == t);
    REQUIRE(network->questions.size() == 6);  // pass by pass, target by target
    for (std::size_t pass = 0; pass < 3; ++pass) {
      const auto &first = network->questions[2 * pass], &second = network->questions[2 * pass + 1];
      CHECK(first.region == network->questions[0].region);
      CHECK(second.region == network->questions[1].region);
      CHECK(first.trajectory == network->questions[0].trajectory);
      const double moved = 0.1 * static_cast<double>(pass);
      CHECK(max_difference(first.start, {0.4 + moved, 0.34375, 0.6 + moved, 0.65625}) < 1e-9);
      CHECK(max_difference(second.start, {0.34375 + moved, 0.4, 0.65625 + moved, 0.6}) < 1e-9);
    }
    REQUIRE(network->judged.size() == 2);  // the IoU head runs once
    CHECK(max_difference(network->judged[0], {0.7, 0.34375, 0.9, 0.65625}) < 1e-9);
    CHECK(results[0].timings.update >= results[0].timings.network + results[0].timings.crop);
  }
  // A pass that answers nonsense hands on the last frame's box.
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto mad = fake([=](auto, const auto&) { return FakeNetwork::Answer{{nan, nan, nan, nan}, nan, nan}; });
  Tracker tracker(mad, options);
  tracker.init(image, {50, 100, 16, 25});
  CHECK(tracker.update(image).box == Box{50, 100, 16, 25});
  CHECK(max_difference(mad->questions.back().start, {0.4, 0.34375, 0.6, 0.65625}) < 1e-9);
}

TEST_CASE("tracker: the box after a block can be the result; the scores stay those of the refined map") {
  const std::vector<CropBox> steps{{0.1, 0.2, 0.3, 0.4}, {0.5, 0.4, 0.8, 0.7}};
  const auto network = fake([&](auto, const auto&) { return FakeNetwork::Answer{{0.4, 0.4, 0.6, 0.6}, 0.9, 0.7, steps}; });
  const Image image(400, 300);
  const auto expected = [&](const CropBox& box) { return to_frame(box, CropRegion{200, 150, 80}); };
  for (std::int64_t block = 0; block <= 2; ++block)
    for (const bool report : {false, true}) {
      TrackerOptions options;
      options.read_block = block;
      options.denoising_steps = report;
      Tracker tracker(network, options);
      CHECK(network->run_options.denoising_steps == (report || block > 0));
      tracker.init(image, {190, 140, 20, 20});
      network->questions.clear();
      const TrackResult result = tracker.update(image);
      const CropBox box = block == 0 ? CropBox{0.4, 0.4, 0.6, 0.6} : steps[static_cast<std::size_t>(block - 1)];
      CHECK(iou(result.box, expected(box)) == doctest::Approx(1).epsilon(1e-9));
      CHECK(max_difference(network->judged.back(), box) < 1e-9);
      CHECK(result.score == 0.9);
      CHECK(result.iou == 0.7);
      REQUIRE(result.steps.size() == (report ? 2 : 0));
      if (report) CHECK(iou(result.steps[1], expected(steps[1])) == doctest::Approx(1).epsilon(1e-9));
      tracker.update(image);
      CHECK(network->questions.back().region.centre_x == doctest::Approx(result.box.x + result.box.w / 2).epsilon(1e-12));
    }
  TrackerOptions both;
  both.read_block = 1;
  both.passes = 2;
  Tracker tracker(network, both);
  tracker.init(image, {190, 140, 20, 20});
  tracker.update(image);
  CHECK(max_difference(network->questions.back().start, steps[0]) < 1e-9);  // a pass's box is the one read out
}

TEST_CASE("tracker: passes and blocks that cannot be are refused, naming the option") {
  const auto refusal = [](std::int64_t passes, std::int64_t read_block) {
    TrackerOptions options;
    options.passes = passes;
    options.read_block = read_block;
    return error_of(ErrorCode::argument, [&] { Tracker(fake(), options); });
  };
  CHECK(refusal(0, 0) == "TrackerOptions: passes: expected a number in [1, 1000], got 0");
  CHECK(refusal(-1, 0) == "TrackerOptions: passes: expected a number in [1, 1000], got -1");
  CHECK(refusal(1001, 0) == "TrackerOptions: passes: expected a number in [1, 1000], got 1001");
  CHECK(refusal(1, -1) == "TrackerOptions: read_block: expected a number in [0, 256], got -1");
  CHECK(refusal(1, 3) == "TrackerOptions: read_block: expected at most 2, the network's blocks, got 3");
}

TEST_CASE("several targets: each has its own answers and templates, before and after one leaves") {
  const auto network = fake([](std::int64_t, const auto& question) {
    FakeNetwork::Answer answer;
    answer.box = question.start;
    if (question.region.centre_y > 100) answer.box[1] += 0.1, answer.box[3] += 0.1;  // the third one moves down
    return answer;
  });
  MultiTracker targets(network);
  const Image image(400, 300);
  error_of(ErrorCode::argument, [&] { targets.init(1, image, {10, 10, 20, 20}); });  // 0 comes first
  targets.init(0, image, {10, 10, 20, 20});
  targets.init(1, image, {100, 10, 30, 30});
  targets.init(2, image, {200, 120, 40, 40});
  error_of(ErrorCode::argument, [&] { targets.init(3, Image(20, 20), {1, 1, 10, 10}); });
  CHECK(targets.size() == 3);
  const auto centre_of = [&](std::size_t target) { return targets.snapshot(target).templates[0]; };
  CHECK(centre_of(0) == 20);
  CHECK(centre_of(1) == 115);
  CHECK(centre_of(2) == 220);

  auto results = targets.update(image);
  REQUIRE(results.size() == 3);
  CHECK(results[0].box == Box{10, 10, 20, 20});
  CHECK(results[2].box.y == doctest::Approx(136));
  targets.remove(1);
  CHECK(targets.size() == 2);
  CHECK(centre_of(1) == 220);
  results = targets.update(image);
  REQUIRE(results.size() == 2);
  CHECK(results[1].box.y == doctest::Approx(152));
  error_of(ErrorCode::argument, [&] { targets.remove(2); });
  targets.clear();
  targets.init(0, Image(30, 30), {1, 1, 10, 10});
  CHECK(targets.update(Image(30, 30)).size() == 1);
}

TEST_CASE("track_frames: every frame is reported, and the caller may stop") {
  struct Frames final : FrameSource {
    std::optional<Frame> next() override {
      if (at == 6) return {};
      auto image = std::make_shared<Image>(40, 30);
      return Frame{*image, image, at++};
    }
    std::string name() const override { return "six frames"; }
    std::optional<std::int64_t> frame_count() const override { return 6; }
    std::int64_t at = 0;
  };
  Frames source;
  MultiTracker targets(fake());
  targets.init(0, source.next()->image, {5, 5, 10, 10});
  std::vector<std::int64_t> seen;
  CHECK(track_frames(targets, source, [&](const TrackProgress& progress) {
          CHECK(progress.frame_count == 6);
          CHECK(progress.results.size() == 1);
          seen.push_back(progress.frame.index);
          return progress.frame.index < 3;
        }) == 3);
  CHECK(track_frames(targets, source, [&](const auto& progress) { return seen.push_back(progress.frame.index), true; }) ==
        2);
  CHECK(seen == std::vector<std::int64_t>{1, 2, 3, 4, 5});
}
