// Memories, gates and states frame by frame, and what absurd predictions do to a target: no model, no pixels.
#include "detrack/track/target.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <set>

#include "detrack/core/rng.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;
using detrack::test::error_of;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

Target started(const TrackerOptions& options = {}, const TargetGeometry& geometry = {.trajectory = 3}) {
  Target target(geometry, options);
  target.init({100, 80, 40, 20}, 640, 480);
  return target;
}

/// As in the paper: states only report.
TrackerOptions never_held() {
  TrackerOptions options;
  options.confidence.hold_after = 0;
  return options;
}

/// A frame in which the target is where the network says, by default where it was, and certain.
Target::Verdict step(Target& target, double iou = 1, double score = 1, const CropBox& predicted = {0.4, 0.45, 0.6, 0.55}) {
  return target.conclude(target.place(predicted, target.search_region()), iou, score);
}

}  // namespace

TEST_CASE("trajectory memory: the first box everywhere, then first in first out") {
  Target target = started();
  const Box first{100, 80, 40, 20};
  CHECK(target.trajectory().boxes().size() == 3);
  for (const Box& box : target.trajectory().boxes()) CHECK(box == first);
  std::vector<Box> seen{first, first, first};
  for (int t = 1; t <= 5; ++t) {
    const double shift = 0.02 * t;
    seen.push_back(step(target, 1, 1, {0.4 + shift, 0.45, 0.6 + shift, 0.55}).box);
    for (std::size_t k = 0; k < 3; ++k) CHECK(target.trajectory().boxes()[k] == seen[static_cast<std::size_t>(t) + k]);
  }
}

TEST_CASE("trajectory memory may be empty") {
  Target target = started({}, {.trajectory = 0});
  step(target);
  CHECK(target.trajectory().boxes().empty());
}

TEST_CASE("visual memory: interval(t) = 5 * 2^min(5, floor(t / 100)), frame by frame") {
  const VisualMemory memory({}, 3);
  std::int64_t candidates = 0;
  for (std::int64_t t = 1; t <= 2000; ++t) {
    std::int64_t interval = 5;  // counted up, not computed
    for (std::int64_t hundred = 100; hundred <= 500 && t >= hundred; hundred += 100) interval += interval;
    CAPTURE(t);
    CHECK(memory.interval(t) == interval);
    CHECK(memory.is_candidate(t) == (t % interval == 0));
    candidates += memory.is_candidate(t);
  }
  // 5..95: 19; 100..190: 10; 200..280: 5; 320, 360: 2; 400, 480: 2; 640..1920 by 160: 9.
  CHECK(candidates == 19 + 10 + 5 + 2 + 2 + 9);
  CHECK_FALSE(memory.is_candidate(0));
}

TEST_CASE("visual memory: candidates enter above both gates, and a refused one is not tried again") {
  Target target = started();
  const std::map<std::int64_t, std::pair<double, double>> scores{
      // frame: IoU, softmax
      {5, {0.76, 0.91}}, {10, {0.75, 0.95}}, {15, {0.8, 0.9}}, {16, {1, 1}}, {20, {1, 1}}, {25, {kNan, 1}}, {30, {1, kNan}}};
  std::set<std::int64_t> admitted;
  for (std::int64_t t = 1; t <= 34; ++t) {
    const auto at = scores.find(t);
    const auto [iou, score] = at == scores.end() ? std::pair{0.99, 0.99} : at->second;
    if (step(target, iou, score).admitted) admitted.insert(t);
  }
  CHECK(admitted == std::set<std::int64_t>{5, 20});
  const auto frames = target.visual_memory().frames();
  CHECK(std::vector<std::int64_t>(frames.begin(), frames.end()) == std::vector<std::int64_t>{0, 5, 20});
  step(target);  // frame 35
  CHECK(std::vector<std::int64_t>(frames.begin(), frames.end()) == std::vector<std::int64_t>{0, 20, 35});
}

TEST_CASE("visual memory: always takes every candidate, fixed none, and one template leaves no room") {
  const auto count = [](VisualMemoryOptions::Mode mode, std::int64_t templates, double iou) {
    TrackerOptions options;
    options.visual_memory.mode = mode;
    Target target = started(options, {.templates = templates});
    int admitted = 0;
    for (int t = 1; t <= 50; ++t) admitted += step(target, iou, 0.99).admitted;
    return admitted;
  };
  using Mode = VisualMemoryOptions::Mode;
  CHECK(count(Mode::always, 3, 0.1) == 10);
  CHECK(count(Mode::gated, 3, 0.1) == 0);
  CHECK(count(Mode::gated, 2, 0.9) == 10);
  CHECK(count(Mode::fixed, 3, 0.9) == 0);
  CHECK(count(Mode::always, 1, 0.9) == 0);
}

TEST_CASE("states: uncertain below either threshold, lost after ten in a row, tracking with the first certain frame") {
  TrackerOptions options = never_held();
  options.confidence.min_score = 0.5;
  options.confidence.min_iou = 0.4;
  Target target = started(options);
  CHECK(target.state() == TargetState::tracking);
  CHECK(step(target, 0.4, 0.5).state == TargetState::tracking);  // on the thresholds is certain
  CHECK(step(target, 0.39, 0.9).state == TargetState::uncertain);
  CHECK(step(target, 0.9, 0.49).state == TargetState::uncertain);
  CHECK(step(target, 0.9, 0.9).state == TargetState::tracking);
  for (int i = 1; i <= 9; ++i) CHECK(step(target, 0, 0).state == TargetState::uncertain);
  for (int i = 10; i <= 30; ++i) CHECK(step(target, kNan, 0.9).state == TargetState::lost);
  CHECK(step(target).state == TargetState::tracking);
  CHECK(step(target, 0, 0).state == TargetState::uncertain);
}

TEST_CASE("a target that is never held: states only report, box and trajectory go on") {
  Target target = started(never_held());
  for (int i = 0; i < 12; ++i) step(target, 0, 0);
  const CropRegion region = target.search_region();
  const Box moved = step(target, 0, 0, {0.5, 0.45, 0.7, 0.55}).box;
  CHECK(moved.x == doctest::Approx(region.left() + 0.5 * region.side));
  CHECK(target.box() == moved);
  CHECK(target.trajectory().boxes().back() == moved);
  CHECK(region.side == crop_around(target.box(), 4).side);
}

TEST_CASE("a held target: the last certain box, memories as they were, crops of several sides in turns") {
  TrackerOptions options;
  options.confidence = {.min_score = 0.45, .found_score = 0.6, .lost_after = 4, .hold_after = 2, .widest_search = 3};
  options.visual_memory.mode = VisualMemoryOptions::Mode::always;
  Target target = started(options);
  const CropBox elsewhere{0.6, 0.6, 0.8, 0.7};
  const Box certain = step(target, 1, 0.45, {0.41, 0.45, 0.61, 0.55}).box;
  const auto followed = step(target, 1, 0.44, elsewhere);  // the first uncertain frame
  CHECK(followed.state == TargetState::uncertain);
  CHECK(followed.box != certain);
  CHECK(target.box() == followed.box);
  const double base = std::sqrt(certain.area()) * 4;
  int uncertain = 1;
  for (const double factor : {1, 2, 3, 1, 2, 3, 1, 2}) {
    const auto verdict = step(target, 1, 0.59, elsewhere);  // would be certain, but does not end the row
    CHECK(verdict.state == (++uncertain < 4 ? TargetState::uncertain : TargetState::lost));
    CHECK(verdict.box == certain);
    CHECK_FALSE(verdict.admitted);  // frames 5 and 10 would be candidates
    CHECK(target.search_region().side == std::ceil(base * factor));
    CHECK(target.search_region().centre_x == certain.centre_x());
    // The newest one is where the target is held.
    const auto boxes = target.trajectory().boxes();
    CHECK(std::vector<Box>(boxes.begin(), boxes.end()) == std::vector<Box>{certain, followed.box, certain});
  }
  const CropRegion wide = target.search_region();
  const auto verdict = step(target, 1, 0.6, elsewhere);
  CHECK(verdict.state == TargetState::tracking);
  CHECK(verdict.box == clip_to_frame(to_frame(elsewhere, wide), 640, 480));
  CHECK(target.search_region().side == crop_around(verdict.box, 4).side);
  CHECK(step(target, 1, 0.45).state == TargetState::tracking);  // which is certain again
}

TEST_CASE("a held target is found at min_score, if found_score is below it") {
  TrackerOptions options;
  options.confidence.min_score = 0.7;
  options.confidence.found_score = 0.2;
  Target target = started(options);
  CHECK(step(target, 1, 0.69).state == TargetState::uncertain);
  CHECK(step(target, 1, 0.69).state == TargetState::uncertain);
  CHECK(step(target, 1, 0.7).state == TargetState::tracking);
}

TEST_CASE("absurd predictions never leave the frame, never throw and never grow memory") {
  Philox random(7, 0);
  const std::vector<double> odd{kNan, kInfinity, -kInfinity, 0, 1e300, -1e300, 1e9, -1e9, 0.5, 1e-300, -0.0};
  for (const auto& [width, height] : {std::pair{640L, 480L}, {1L, 1L}, {3L, 2000L}, {15L, 9L}}) {
    Target target({.trajectory = 7}, never_held());
    const double w = static_cast<double>(width), h = static_cast<double>(height);
    target.init({w / 4, h / 4, w / 2, h / 2}, width, height);
    for (int t = 0; t < 3000; ++t) {
      CropBox predicted;
      for (double& x : predicted)
        x = random.below(3) ? 4 * random.normal() : odd[static_cast<std::size_t>(random.below(odd.size()))];
      const auto verdict = step(target, odd[random.below(odd.size())], odd[random.below(odd.size())], predicted);
      const Box& box = verdict.box;
      CAPTURE(t);
      REQUIRE(box.valid());
      REQUIRE(box.x >= 0);
      REQUIRE(box.y >= 0);
      REQUIRE(box.right() <= w * (1 + 1e-12));
      REQUIRE(box.bottom() <= h * (1 + 1e-12));
      const CropRegion region = target.search_region();
      REQUIRE(std::isfinite(region.centre_x + region.centre_y));
      REQUIRE(region.side >= 1);
      REQUIRE(region.side <= 1e5);
    }
    CHECK(target.trajectory().boxes().size() == 7);
    CHECK(target.visual_memory().frames().size() == 3);
  }
}

TEST_CASE("first boxes must overlap the frame and have an area") {
  Target target({}, {});
  const auto rejects = [&](const Box& box) {
    const std::string message = error_of(ErrorCode::argument, [&] { target.init(box, 640, 480); });
    CHECK(message.find("init: box: expected x,y,w,h that overlap the 640x480 frame") != std::string::npos);
  };
  for (const Box& box : std::vector<Box>{{kNan, 0, 10, 10},
                                         {0, 0, kInfinity, 10},
                                         {10, 10, 0, 10},
                                         {10, 10, 10, -1},
                                         {10, 10, 1e-9, 10},
                                         {640, 0, 10, 10},
                                         {-10, 5, 10, 10},
                                         {5, 480, 10, 10},
                                         {0, 0, 1e9, 1e9}})
    rejects(box);
  target.init({-5, -5, 10, 10}, 640, 480);  // partly outside is fine
  CHECK(target.box() == Box{-5, -5, 10, 10});
  CHECK_THROWS_AS(target.relocate({700, 0, 5, 5}), Error);
  CHECK(target.box() == Box{-5, -5, 10, 10});
  CHECK_THROWS_AS(Target({}, {}).relocate({0, 0, 5, 5}), Error);  // before init
}

TEST_CASE("relocate starts box, trajectory and state anew and keeps templates") {
  TrackerOptions options = never_held();
  options.visual_memory.mode = VisualMemoryOptions::Mode::always;
  Target target = started(options);
  for (int t = 1; t <= 20; ++t) step(target, 0, 0);
  CHECK(target.state() == TargetState::lost);
  target.relocate({300, 200, 10, 10});
  CHECK(target.state() == TargetState::tracking);
  for (const Box& box : target.trajectory().boxes()) CHECK(box == Box{300, 200, 10, 10});
  CHECK(target.visual_memory().frames()[2] == 20);
  CHECK(target.frame() == 20);
}

TEST_CASE("a restored target goes on as the recorded one; records that contradict themselves are refused") {
  TrackerOptions options;
  options.confidence.min_iou = 0.4;
  options.confidence.hold_after = 5;
  Target a = started(options);
  for (int t = 1; t <= 23; ++t) step(a, t < 12 ? 1 : 0, 1, {0.41, 0.45, 0.6, 0.56});
  const TargetRecord record = a.record();
  Target b({.trajectory = 3}, options);
  b.restore(record);
  for (int t = 0; t < 30; ++t) {
    CHECK(a.search_region() == b.search_region());
    const auto x = step(a, t % 7 ? 0.9 : 0.1, 0.95), y = step(b, t % 7 ? 0.9 : 0.1, 0.95);
    CHECK(x.box == y.box);
    CHECK(x.state == y.state);
    CHECK(x.admitted == y.admitted);
  }

  const auto rejects = [&](auto damage) {
    TargetRecord bad = record;
    damage(bad);
    const Box before = b.box();
    error_of(ErrorCode::argument, [&] { b.restore(bad); });
    CHECK(b.box() == before);
  };
  rejects([](TargetRecord& r) { r.trajectory.pop_back(); });
  rejects([](TargetRecord& r) { r.trajectory[1].w = kNan; });
  rejects([](TargetRecord& r) { r.template_frames.push_back(3); });
  rejects([](TargetRecord& r) { r.template_frames[2] = r.frame + 1; });
  rejects([](TargetRecord& r) { r.box.x = 1e5; });
  rejects([](TargetRecord& r) { r.certain_box.h = 0; });
  rejects([](TargetRecord& r) { r.width = 0; });
  rejects([](TargetRecord& r) { r.frame = -1; });
  rejects([](TargetRecord& r) { r.frame = std::numeric_limits<std::int64_t>::max(); });
  rejects([](TargetRecord& r) { r.uncertain_frames = r.frame + 1; });
}

TEST_CASE("options are checked, and errors name them") {
  const auto rejects = [](const std::string& name, auto change) {
    TrackerOptions options;
    change(options);
    const std::string message = error_of(ErrorCode::argument, [&] { validate(options); });
    CHECK(message.find("TrackerOptions: " + name + ": expected ") == 0);
  };
  rejects("visual_memory.min_iou", [](auto& o) { o.visual_memory.min_iou = kNan; });
  rejects("visual_memory.min_score", [](auto& o) { o.visual_memory.min_score = 1.5; });
  rejects("visual_memory.first_interval", [](auto& o) { o.visual_memory.first_interval = 0; });
  rejects("visual_memory.doubling", [](auto& o) { o.visual_memory.doubling = 0; });
  rejects("visual_memory.max_doublings", [](auto& o) { o.visual_memory.max_doublings = 64; });
  rejects("confidence.min_score", [](auto& o) { o.confidence.min_score = -1; });
  rejects("confidence.lost_after", [](auto& o) { o.confidence.lost_after = 0; });
  rejects("confidence.hold_after", [](auto& o) { o.confidence.hold_after = -1; });
  rejects("confidence.found_score", [](auto& o) { o.confidence.found_score = kInfinity; });
  rejects("confidence.widest_search", [](auto& o) { o.confidence.widest_search = 0; });
  rejects("search_factor", [](auto& o) { o.search_factor = 0.0; });
  rejects("threads", [](auto& o) { o.threads = -1; });
  validate(TrackerOptions{});
}
