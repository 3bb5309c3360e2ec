// The boxes that the IoU head learns on.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "detrack/core/rng.hpp"
#include "detrack/model/iou_pass.hpp"
#include "detrack/train/batch.hpp"
#include "detrack/train/crop_overlap.hpp"

namespace detrack {

/// Half of them as predicted, half about the truth: sides times exp(N(0, jitter)), centre moved by up to half a side. Where
/// the target is absent every box overlaps with nothing.
class JudgedBoxes {
 public:
  explicit JudgedBoxes(double jitter) : jitter_(jitter) {}

  void draw(const Batch& batch, const std::vector<CropBox>& predicted, std::uint64_t seed) {
    boxes_.resize(predicted.size());
    overlaps_.resize(predicted.size());
    for (std::size_t b = 0; b < boxes_.size(); ++b) {
      Philox rng(seed ^ stream_of("judged boxes"), batch.sample(b));
      const bool own = rng.uniform() < 0.5;
      const CropBox about = jittered(rng, batch.absent[b] ? batch.prior[b] : batch.truth[b]);
      boxes_[b] = own ? predicted[b] : about;
      overlaps_[b] = batch.absent[b] ? 0 : crop_overlap(boxes_[b], batch.truth[b]);
    }
  }
  IouTask task() const { return {boxes_, overlaps_}; }

 private:
  CropBox jittered(Philox& rng, const CropBox& box) const {
    const double w = box[2] - box[0], h = box[3] - box[1];
    const double x = (box[0] + box[2]) / 2 + (rng.uniform() - 0.5) * w,
                 y = (box[1] + box[3]) / 2 + (rng.uniform() - 0.5) * h;
    const double half_w = w / 2 * std::exp(jitter_ * rng.normal()), half_h = h / 2 * std::exp(jitter_ * rng.normal());
    return {x - half_w, y - half_h, x + half_w, y + half_h};
  }

  double jitter_;
  std::vector<CropBox> boxes_;
  std::vector<double> overlaps_;
};

}  // namespace detrack
