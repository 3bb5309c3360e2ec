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
