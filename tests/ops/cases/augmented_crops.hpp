// Cases of crops changed for training: every stage alone, all together, and places at and beyond the picture's edges.
#pragma once

#include <functional>

#include "tests/support/memory.hpp"

namespace detrack::test {

struct AugmentedCropsCase {
  const char* what = "";
  std::int64_t S = 12;
  std::vector<CropPlan> plans;  ///< whose pictures have sizes only

  std::string name() const { return detrack::detail::concat("augmented crops ", what, ", ", plans.size(), " of ", S); }
  template <class T>
  auto forward(Memory<T>& m) const {
    std::vector<CropPlan> placed = plans;
    Philox rng(8);
    const auto paint = [&](RgbPicture& picture) {
      std::vector<std::uint8_t> bytes(static_cast<std::size_t>(3 * picture.height * picture.width));
      for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng.below(256));
      picture.data = m.given(bytes).data();
    };
    for (CropPlan& plan : placed) {
      paint(plan.picture);
      for (int k = 0; k < plan.patches; ++k) paint(plan.patch[static_cast<std::size_t>(k)].picture);
    }
    return AugmentedCrops<T>{.plans = m.given(placed),
                             .mean = {0.485, 0.456, 0.406},
                             .std = {0.229, 0.224, 0.225},
                             .y = m.out("y", {static_cast<std::int64_t>(placed.size()), 3, S, S})};
  }
};

/// A plan that cuts out most of a small picture, changed by `change`.
inline CropPlan crop_plan(const std::function<void(CropPlan&)>& change = {}) {
  CropPlan plan;
  plan.picture = {nullptr, 13, 17};
  plan.region = {8.3, 6.1, 11.7};
  if (change) change(plan);
  plan.check();
  return plan;
}

/// The inverse of a turn and a stretch, as train/distortion.hpp makes it.
inline void distort(CropPlan& plan, double rotation, double wide) {
  const double c = std::cos(rotation), s = std::sin(rotation);
  plan.distorted = true;
  plan.to_picture = {c / wide, s * wide, -s / wide, c * wide};
}

inline void add_patch(CropPlan& plan, const CropBox& to, const CropRegion& from = {3, 4, 5}) {
  plan.patch[static_cast<std::size_t>(plan.patches++)] = {{nullptr, 7, 9}, from, to};
}

inline void change_all(CropPlan& plan) {
  distort(plan, 0.4, 1.2);
  plan.occluded = true;
  plan.occluder = {{0.2, 0.3, 0.6, 0.9}, 0.5, 0.1};
  add_patch(plan, {0.1, 0.1, 0.4, 0.6}), add_patch(plan, {0.3, 0.2, 0.9, 0.5});
  plan.photometric = {.grayscale = true,
                      .gamma = 0.8,
                      .gain = {1.2, 0.9, 0.7},
                      .motion = 0.3,
                      .motion_direction = 0.7,
                      .blur = 0.9,
                      .low_resolution = 1.7,
                      .noise = 0.05,
                      .noise_seed = 0x123456789abcdefu};
  plan.flip = true;
}

inline std::vector<AugmentedCropsCase> augmented_crops_cases() {
  std::vector<AugmentedCropsCase> cases;
  const auto add = [&](const char* what, std::int64_t S, std::vector<CropPlan> plans) {
    cases.push_back({what, S, std::move(plans)});
  };
  // One stage in each crop of a batch, some with none.
  std::vector<CropPlan> each{crop_plan(change_all), crop_plan()};
  const auto one = [&](const std::function<void(CropPlan&)>& change) { each.push_back(crop_plan(change)); };
  one([](CropPlan& p) { p.flip = true; });
  one([](CropPlan& p) { distort(p, 0.3, 1); });
  one([](CropPlan& p) { distort(p, 0, 1.3); });
  one([](CropPlan& p) { p.occluded = true, p.occluder = {{0.2, 0.3, 0.6, 0.9}, 0.5, 0.1}; });
  one([](CropPlan& p) { p.occluded = true, p.occluder = {{-0.5, 0.3, 1.6, 0.9}, 0.9, 0.7}; });  // beyond the crop
  one([](CropPlan& p) { add_patch(p, {0.2, 0.3, 0.7, 0.5}); });
  one([](CropPlan& p) { add_patch(p, {-0.4, 0.5, 0.3, 1.8}), add_patch(p, {0.1, 0.6, 0.8, 0.9}, {-2, 1, 9}); });
  one([](CropPlan& p) { add_patch(p, {2, 2, 3, 3}), add_patch(p, {0.5, 0.5, 0.5, 0.5}), p.flip = true; });
  one([](CropPlan& p) { add_patch(p, {-9, -9, 9, 9}, {100, 100, 3}); });  // black
  one([](CropPlan& p) { p.photometric.grayscale = true; });
  one([](CropPlan& p) { p.photometric.gamma = 1.4; });
  one([](CropPlan& p) { p.photometric.gamma = 0.5, p.photometric.gain = {1.3, 0, 0.5}; });
  for (const double direction : {0.0, 0.5, 1.57, 3.0}) {
    one([=](CropPlan& p) { p.photometric.motion = 0.4, p.photometric.motion_direction = direction; });
    one([=](CropPlan& p) { p.photometric.motion = 0.01, p.photometric.motion_direction = direction, p.flip = true; });
  }
  one([](CropPlan& p) { p.photometric.motion = 9, p.photometric.motion_direction = 2; });
  for (const double blur : {0.3, 1.2, 40.0}) one([=](CropPlan& p) { p.photometric.blur = blur; });
  for (const double factor : {1.01, 1.5, 2.9, 100.0}) one([=](CropPlan& p) { p.photometric.low_resolution = factor; });
  one([](CropPlan& p) { p.photometric.noise = 0.2, p.photometric.noise_seed = 5; });
  one([](CropPlan& p) { p.photometric.noise = 3, p.flip = true; });
  one([](CropPlan& p) { p.photometric.motion = 0.2, p.photometric.low_resolution = 2; });
  one([](CropPlan& p) { p.photometric.motion = 0.2, p.photometric.blur = 1; });
  one([](CropPlan& p) { p.photometric.blur = 1, p.photometric.low_resolution = 2, p.photometric.noise = 0.1; });
  for (const std::int64_t S : {12, 13}) add("one stage each", S, each);

  // Places.
  std::vector<CropPlan> places;
  const auto put = [&](const CropRegion& region, std::int64_t height = 13, std::int64_t width = 17) {
    for (const bool distorted : {false, true})
      places.push_back(crop_plan([&](CropPlan& p) {
        p.region = region, p.picture = {nullptr, height, width};
        if (distorted) distort(p, 1.1, 0.8);
      }));
  };
  put({0, 0, 9}), put({17, 13, 30}), put({-5, 6, 4}), put({8, 6, 400}), put({8, 6, 0.1}), put({1e18, 0, 5}),
      put({3, 3, 1e5});
  put({0.5, 0.5, 2}, 1, 1), put({0.2, 0.7, 1}, 1, 1), put({4, 0.5, 7}, 1, 9), put({0.5, 4, 7}, 9, 1);
  for (const std::int64_t S : {1, 5}) add("places", S, places);

  add("of many pixels", 70, {crop_plan(change_all), crop_plan([](CropPlan& p) { change_all(p), p.flip = false; })});
  add("of one pixel", 1, {crop_plan(change_all), crop_plan()});
  add("without pixels", 0, {crop_plan(change_all)});
  add("without crops", 4, {});
  return cases;
}

}  // namespace detrack::test
