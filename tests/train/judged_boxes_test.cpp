// The boxes that the IoU head learns on.
#include "detrack/train/judged_boxes.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace detrack;

namespace {

constexpr CropBox kTruth{0.4, 0.4, 0.6, 0.6}, kPredicted{0.41, 0.4, 0.6, 0.6}, kOther{0.1, 0.1, 0.2, 0.2};

/// Two samples, the second one without its target.
Batch batch_of_two() {
  Batch batch;
  batch.truth = {kTruth, kTruth};
  batch.prior = {{0.3, 0.3, 0.7, 0.7}, {0.3, 0.3, 0.7, 0.7}};
  batch.absent = {0, 1};
  batch.others = {{kOther}, {kOther}};
  return batch;
}

/// Whether the box is a jittered one of `of`: its centre within half a side of that one's.
bool is_about(const CropBox& box, const CropBox& of) {
  return std::abs(box[0] + box[2] - of[0] - of[2]) <= of[2] - of[0] + 1e-12 &&
         std::abs(box[1] + box[3] - of[1] - of[3]) <= of[3] - of[1] + 1e-12;
}

}  // namespace

TEST_CASE("judged boxes: as many of each sample as wanted, half as predicted, the rest about the truth or another object") {
  const Batch batch = batch_of_two();
  JudgedBoxes judged({.judged = 400, .other_prob = 0.5});
  judged.draw(batch, {kPredicted, kPredicted}, 7);
  const IouTask task = judged.task();
  REQUIRE(task.boxes.size() == 800);
  REQUIRE(task.truth.size() == 800);
  int own = 0, about_truth = 0, about_other = 0;
  for (std::size_t i = 0; i < 400; ++i) {
    const CropBox& box = task.boxes[i];
    CHECK(task.truth[i] == crop_overlap(box, kTruth));
    if (box == kPredicted)
      ++own;
    else if (is_about(box, kOther))
      ++about_other;
    else if (is_about(box, kTruth))
      ++about_truth;
  }
  CHECK(own + about_truth + about_other == 400);
  CHECK(std::abs(own - 200) < 40);
  CHECK(std::abs(about_truth - 100) < 35);
  CHECK(std::abs(about_other - 100) < 35);
  CHECK(std::all_of(task.truth.begin() + 400, task.truth.end(), [](double overlap) { return overlap == 0; }));
}

TEST_CASE("judged boxes: the first ones do not depend on how many there are, nor on objects that are not asked for") {
  const Batch batch = batch_of_two();
  JudgedBoxes one({.judged = 1}), many({.judged = 3});
  one.draw(batch, {kPredicted, kPredicted}, 7);
  many.draw(batch, {kPredicted, kPredicted}, 7);
  CHECK(one.task().boxes.size() == 2);
  CHECK(many.task().boxes[0] == one.task().boxes[0]);
  CHECK(many.task().boxes[3] == one.task().boxes[1]);
  Batch alone = batch_of_two();
  alone.others = {{}, {}};
  JudgedBoxes others({.judged = 3, .other_prob = 1});
  others.draw(alone, {kPredicted, kPredicted}, 7);
  CHECK(std::equal(many.task().boxes.begin(), many.task().boxes.end(), others.task().boxes.begin()));
}
