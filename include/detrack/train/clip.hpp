// Clips of videos for training on frames that the tracker has tracked itself.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "detrack/core/rng.hpp"
#include "detrack/train/options.hpp"
#include "detrack/train/training_data.hpp"

namespace detrack {

/// Frames of one video in which the target is visible, in the order of time.
struct Clip {
  std::string name;
  std::vector<std::filesystem::path> files;
  std::vector<Box> boxes;
  bool flip = false;  ///< frames are mirrored
};

/// Draws as many clips as a batch has samples, all of one length: what the first one drawn has, `rollout` at most and at
/// least kLeast. Draw i is the same whoever asks for it.
class ClipSampler {
 public:
  static constexpr std::size_t kLeast = 8;

  /// Errors: argument (no video of kLeast usable frames).
  ClipSampler(std::shared_ptr<const TrainingData> data, const TrainOptions& options)
      : data_(std::move(data)), options_(options), seed_(options.seed ^ stream_of("clips")) {
    long_enough(kLeast);
  }

  std::vector<Clip> operator()(std::uint64_t index) const {
    Philox rng(seed_, index);
    return draw(rng, static_cast<std::size_t>(options_.batch), 0);
  }
  /// Instead of a clip that cannot be read: another one of its length. `attempt` counts from 0. Errors: argument (no video
  /// of so many usable frames).
  Clip replacement(std::uint64_t index, std::uint64_t attempt, std::size_t length) const {
    Philox rng(seed_ ^ stream_of("replacements"), index * 64 + attempt);
    return std::move(draw(rng, 1, length).front());
  }

 private:
  static constexpr int kTries = 100000;  ///< until a video is looked for: no draw of ordinary data comes so far

  struct Choice {
    const TrainingData::Source* source;
    const TrainingData::Video* video;
    double until = 0;  ///< cumulated weight
  };

  /// Videos with their weights. Errors: argument, where there is none.
  std::vector<Choice> long_enough(std::size_t frames) const {
    std::vector<Choice> choices;
    double total = 0;
    for (const TrainingData::Source& source : data_->sources())
      for (const TrainingData::Video& video : source.videos)
        if (video.frames.size() >= frames)
          choices.push_back({&source, &video, total += source.from->weight / static_cast<double>(source.videos.size())});
    if (choices.empty())
      fail(ErrorCode::argument, "stage sequences: expected a video of at least ", frames,
           " frames with a visible target, got none");
    return choices;
  }

  /// A video of at least so many frames, and whether it is mirrored. Draws until one comes, and where that would take for
  /// ever, as their sources' weight vanishes beside the others', among these alone.
  std::pair<Choice, bool> draw_video(Philox& rng, std::size_t frames) const {
    for (int i = 0; i < kTries; ++i) {
      const TrainingData::Source& source = data_->draw_source(rng.uniform());
      if (source.videos.empty()) continue;
      const TrainingData::Video& video = source.videos[rng.below(source.videos.size())];
      const bool flip = rng.uniform() < options_.augment.flip;
      if (video.frames.size() >= frames) return {{&source, &video}, flip};
    }
    const std::vector<Choice> choices = long_enough(frames);
    const double share = rng.uniform() * choices.back().until;
    const bool flip = rng.uniform() < options_.augment.flip;
    return {*std::find_if(choices.begin(), choices.end() - 1, [&](const Choice& one) { return share < one.until; }), flip};
  }

  /// `length` 0: as the first one allows.
  std::vector<Clip> draw(Philox& rng, std::size_t count, std::size_t length) const {
    std::vector<Clip> clips;
    while (clips.size() < count) {
      const auto [choice, flip] = draw_video(rng, std::max(length, kLeast));
      const TrainingData::Video& video = *choice.video;
      const std::size_t frames = video.frames.size();
      if (length == 0) length = std::min(frames, std::max(static_cast<std::size_t>(options_.rollout), kLeast));
      const std::size_t first = rng.below(frames - length + 1);
      Clip& clip = clips.emplace_back();
      clip.flip = flip;
      clip.name =
          choice.source->from->name + ": " + video.sequence->name + " from frame " + std::to_string(video.frames[first]);
      for (std::size_t i = first; i < first + length; ++i) {
        clip.files.push_back(video.sequence->frames[video.frames[i]]);
        clip.boxes.push_back(video.sequence->truth_at(video.frames[i]));
      }
    }
    return clips;
  }

  std::shared_ptr<const TrainingData> data_;
  TrainOptions options_;
  std::uint64_t seed_;
};

}  // namespace detrack
