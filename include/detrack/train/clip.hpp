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
    const auto enough = [](const auto& video) { return video.frames.size() >= kLeast; };
    for (const auto& source : data_->sources())
      if (std::any_of(source.videos.begin(), source.videos.end(), enough)) return;
    fail(ErrorCode::argument, "stage sequences: expected a video of at least ", kLeast,
         " frames with a visible target, got none");
  }

  std::vector<Clip> operator()(std::uint64_t index) const {
    Philox rng(seed_, index);
    return draw(rng, static_cast<std::size_t>(options_.batch), 0);
  }
  /// Instead of a clip that cannot be read: another one of its length. `attempt` counts from 0.
  Clip replacement(std::uint64_t index, std::uint64_t attempt, std::size_t length) const {
    Philox rng(seed_ ^ stream_of("replacements"), index * 64 + attempt);
    return std::move(draw(rng, 1, length).front());
  }

 private:
  /// `length` 0: as the first one allows.
  std::vector<Clip> draw(Philox& rng, std::size_t count, std::size_t length) const {
    std::vector<Clip> clips;
    while (clips.size() < count) {
      const TrainingData::Source& source = data_->draw_source(rng.uniform());
      if (source.videos.empty()) continue;
      const TrainingData::Video& video = source.videos[rng.below(source.videos.size())];
      const std::size_t frames = video.frames.size();
      const bool flip = rng.uniform() < options_.augment.flip;
      if (frames < std::max(length, kLeast)) continue;
      if (length == 0) length = std::min(frames, std::max(static_cast<std::size_t>(options_.rollout), kLeast));
      const std::size_t first = rng.below(frames - length + 1);
      Clip& clip = clips.emplace_back();
      clip.flip = flip;
      clip.name = source.from->name + ": " + video.sequence->name + " from frame " + std::to_string(video.frames[first]);
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
