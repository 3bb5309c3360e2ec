// The boxes that the IoU head learns on.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "detrack/core/rng.hpp"
#include "detrack/model/iou_pass.hpp"
#include "detrack/train/batch.hpp"
#include "detrack/train/crop_overlap.hpp"
#include "detrack/train/options.hpp"

namespace detrack {

/// Half of them as predicted, the others about the truth, or with other_prob about another object of the crop: sides times
/// exp(N(0, box_jitter)), centre moved by up to half a side. Where the target is absent every box overlaps with nothing.
class JudgedBoxes {
 public:
  explicit JudgedBoxes(const SamplingOptions& options) : options_(options) {}

  /// `predicted`: one a sample. As many of each sample as the options say.
  void draw(const Batch& batch, const std::vector<CropBox>& predicted, std::uint64_t seed) {
    boxes_.clear(), overlaps_.clear();
    for (std::size_t b = 0; b < predicted.size(); ++b) {
      // Other objects came later, and draw from a stream of their own.
      Philox rng(seed ^ stream_of("judged boxes"), batch.sample(b)),
          others(seed ^ stream_of("judged others"), batch.sample(b));
      for (std::int64_t i = 0; i < options_.judged; ++i) {
        const bool own = rng.uniform() < 0.5;
        const CropBox about = jittered(rng, batch.absent[b] ? batch.prior[b] : batch.truth[b]);
        const bool other = options_.other_prob > 0 && !batch.others[b].empty() && others.uniform() < options_.other_prob;
        boxes_.push_back(own     ? predicted[b]
                         : other ? jittered(others, batch.others[b][others.below(batch.others[b].size())])
                                 : about);
        overlaps_.push_back(batch.absent[b] ? 0 : crop_overlap(boxes_.back(), batch.truth[b]));
      }
    }
  }
  IouTask task() const { return {boxes_, overlaps_}; }

 private:
  CropBox jittered(Philox& rng, const CropBox& box) const {
    const double w = box[2] - box[0], h = box[3] - box[1];
    const double x = (box[0] + box[2]) / 2 + (rng.uniform() - 0.5) * w,
                 y = (box[1] + box[3]) / 2 + (rng.uniform() - 0.5) * h;
    const double half_w = w / 2 * std::exp(options_.box_jitter * rng.normal()),
                 half_h = h / 2 * std::exp(options_.box_jitter * rng.normal());
    return {x - half_w, y - half_h, x + half_w, y + half_h};
  }

  SamplingOptions options_;
  std::vector<CropBox> boxes_;
  std::vector<double> overlaps_;
};

}  // namespace detrack
