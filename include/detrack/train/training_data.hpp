// What training samples are drawn from: sources of videos and still pictures, each with a weight.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/data/sequence.hpp"
#include "detrack/data/still_images.hpp"

namespace detrack {

/// A dataset, or a part of one. Pictures without boxes are unlabelled: any part of them may be a target.
struct TrainingSource {
  std::string name;
  double weight = 1;  ///< share of the samples, relative to the other sources'
  std::vector<Sequence> sequences{};
  std::vector<StillImage> images{};
};

/// Sources with what cannot be trained on left out: frames without a usable box, boxes that are too small. Read-only once
/// made, and shared by all threads.
class TrainingData {
 public:
  static constexpr double kMaxCoordinate = 1e7;  ///< pixels; boxes beyond are no boxes

  struct Video {
    const Sequence* sequence = nullptr;
    std::vector<std::uint32_t> frames{};  ///< usable ones, rising
  };
  struct Source {
    const TrainingSource* from = nullptr;
    double until = 0;  ///< cumulated share, in (0, 1]
    std::vector<Video> videos{};
    std::vector<StillImage> boxed{}, unlabelled{};

    std::size_t size() const { return videos.size() + boxed.size() + unlabelled.size(); }
  };

  /// `min_side`, pixels: smaller targets are left out. Errors: argument (a weight that is no number above 0, a source
  /// without anything usable, no source).
  TrainingData(std::vector<TrainingSource> sources, double min_side) : owned_(std::move(sources)) {
    double total = 0;
    for (const TrainingSource& from : owned_) {
      if (!(from.weight > 0 && from.weight < 1e9))
        fail(ErrorCode::argument, "data: ", from.name, ": weight: expected a number above 0, got ", from.weight);
      Source& source = sources_.emplace_back(Source{.from = &from});
      const auto large = [&](const Box& box) {
        const bool sane = std::max({std::abs(box.x), std::abs(box.y), box.w, box.h}) <= kMaxCoordinate;
        return box.valid() && sane && box.w >= min_side && box.h >= min_side;
      };
      for (const Sequence& sequence : from.sequences) {
        Video video{&sequence};
        for (std::size_t i = 0; i < sequence.frames.size(); ++i)
          if (sequence.usable(i) && large(sequence.truth_at(i))) video.frames.push_back(static_cast<std::uint32_t>(i));
        if (!video.frames.empty()) source.videos.push_back(std::move(video));
      }
      for (const StillImage& image : from.images) {
        if (image.boxes.empty()) {
          source.unlabelled.push_back(image);
          continue;
        }
        StillImage kept{image.file, {}};
        for (const Box& box : image.boxes)
          if (large(box)) kept.boxes.push_back(box);
        if (!kept.boxes.empty()) source.boxed.push_back(std::move(kept));
      }
      if (source.size() == 0)
        fail(ErrorCode::argument, "data: ", from.name, ": expected targets with sides of at least ", min_side,
             " pixels, got none in ", from.sequences.size(), " videos and ", from.images.size(), " pictures");
      source.until = total += from.weight;
    }
    if (sources_.empty()) fail(ErrorCode::argument, "data: expected at least one source, got none");
    for (Source& source : sources_) source.until /= total;
  }
  TrainingData(const TrainingData&) = delete;
  TrainingData& operator=(const TrainingData&) = delete;

  const std::vector<Source>& sources() const { return sources_; }
  /// The source that a share in [0, 1) of all samples falls on.
  const Source& draw_source(double share) const {
    return *std::find_if(sources_.begin(), sources_.end() - 1, [&](const Source& one) { return share < one.until; });
  }

 private:
  std::vector<TrainingSource> owned_;
  std::vector<Source> sources_;
};

}  // namespace detrack
