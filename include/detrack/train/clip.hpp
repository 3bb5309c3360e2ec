// Clips, of videos or of a picture before which a camera moves, for training on frames that the tracker has tracked itself.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "detrack/core/rng.hpp"
#include "detrack/train/camera_view.hpp"
#include "detrack/train/distortion_draw.hpp"
#include "detrack/train/image_cache.hpp"
#include "detrack/train/invented_box.hpp"
#include "detrack/train/options.hpp"
#include "detrack/train/photometric_draw.hpp"
#include "detrack/train/training_data.hpp"

namespace detrack {

/// Frames of one video in which the target is visible, in the order of time or against it, or one picture again and again,
/// and how they are changed.
struct Clip {
  std::string name;
  std::vector<std::filesystem::path> files;
  std::vector<Box> boxes;            ///< in the pictures as they are
  bool invented = false;             ///< the target is a part of a picture that nobody has labelled
  bool flip = false;                 ///< frames are mirrored, first of all
  Distortion distortion{};           ///< about the target's centre in the first frame
  std::vector<CameraView> camera{};  ///< of each frame; empty: it does not move
  Photometric photometric{};
};

/// Draws as many clips as a batch has samples, all of one length: what the first one drawn has, `rollout` at most and at
/// least kLeast. Draw i is the same whoever asks for it. Strides, directions and changes come from a stream of their own.
class ClipSampler {
 public:
  static constexpr std::size_t kLeast = 8;

  /// `size_of`: only unlabelled pictures are asked for theirs. Errors: argument (no video of kLeast usable frames).
  ClipSampler(std::shared_ptr<const TrainingData> data, const TrainOptions& options, SizeOfImage size_of)
      : data_(std::move(data)), options_(options), size_of_(std::move(size_of)), seed_(options.seed ^ stream_of("clips")) {
    long_enough(kLeast);
    double total = 0;
    for (const TrainingData::Source& source : data_->sources())
      if (source.size() > source.videos.size()) stills_.push_back({&source, nullptr, total += source.from->weight});
  }

  std::vector<Clip> operator()(std::uint64_t index) const {
    Philox rng(seed_, index), changes(seed_ ^ stream_of("clip changes"), index);
    return draw(rng, changes, static_cast<std::size_t>(options_.batch), 0);
  }
  /// Instead of a clip that cannot be read: another one of its length. `attempt` counts from 0. Errors: argument (no video
  /// of so many usable frames).
  Clip replacement(std::uint64_t index, std::uint64_t attempt, std::size_t length) const {
    const std::uint64_t seed = seed_ ^ stream_of("replacements"), which = index * 64 + attempt;
    Philox rng(seed, which), changes(seed ^ stream_of("clip changes"), which);
    return std::move(draw(rng, changes, 1, length).front());
  }

 private:
  static constexpr int kTries = 100000;  ///< until a video is looked for: no draw of ordinary data comes so far

  struct Choice {
    const TrainingData::Source* source;
    const TrainingData::Video* video;  ///< none: any picture of the source
    double until = 0;                  ///< cumulated weight
  };

  static const Choice& draw_choice(Philox& rng, const std::vector<Choice>& choices) {
    const double share = rng.uniform() * choices.back().until;
    return *std::find_if(choices.begin(), choices.end() - 1, [&](const Choice& one) { return share < one.until; });
  }

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
    const Choice choice = draw_choice(rng, choices);
    const bool flip = rng.uniform() < options_.augment.flip;
    return {choice, flip};
  }

  /// `length` 0: as the first one allows.
  std::vector<Clip> draw(Philox& rng, Philox& changes, std::size_t count, std::size_t length) const {
    std::vector<Clip> clips;
    while (clips.size() < count) {
      const auto [choice, flip] = draw_video(rng, std::max(length, kLeast));
      if (length == 0)
        length = std::min(choice.video->frames.size(), std::max(static_cast<std::size_t>(options_.rollout), kLeast));
      Clip clip = cut(choice, length, rng, changes);
      const bool still = changes.uniform() < options_.sampling.still_prob && !stills_.empty();
      if (still) clip = still_clip(length, changes);
      clip.flip = flip;
      change(clip, changes);
      clips.push_back(std::move(clip));
    }
    return clips;
  }

  Clip cut(const Choice& choice, std::size_t length, Philox& rng, Philox& changes) const {
    const TrainingData::Video& video = *choice.video;
    const std::size_t frames = video.frames.size(), widest = (frames - 1) / (length - 1);
    const std::size_t drawn = 1 + changes.below(static_cast<std::uint64_t>(options_.sampling.clip_stride));
    const bool backwards = changes.uniform() < options_.sampling.backwards_prob;
    const std::size_t stride = std::min(drawn, widest), span = (length - 1) * stride, first = rng.below(frames - span);
    Clip clip;
    for (std::size_t i = 0; i < length; ++i) {
      const std::size_t at = video.frames[first + (backwards ? span - i * stride : i * stride)];
      clip.files.push_back(video.sequence->frames[at]);
      clip.boxes.push_back(video.sequence->truth_at(at));
      if (i == 0) clip.name = choice.source->from->name + ": " + video.sequence->name + " from frame " + std::to_string(at);
    }
    return clip;
  }

  /// Pictures by their sources' weights, whichever of a picture's boxes; in one without, any part of it.
  Clip still_clip(std::size_t length, Philox& rng) const {
    const TrainingData::Source& source = *draw_choice(rng, stills_).source;
    const std::size_t at = rng.below(source.size() - source.videos.size());
    const bool invented = at >= source.boxed.size();
    const StillImage& image = invented ? source.unlabelled[at - source.boxed.size()] : source.boxed[at];
    const Box box = invented ? invented_box(rng, size_or_any(image.file)) : image.boxes[rng.below(image.boxes.size())];
    Clip clip;
    clip.name = source.from->name + ": " + image.file.string();
    clip.files.assign(length, image.file);
    clip.boxes.assign(length, box);
    clip.invented = invented;
    clip.camera = draw_camera(rng, length, std::sqrt(box.w * box.h), options_.augment.camera);
    return clip;
  }
  /// Whoever reads the picture will find that it cannot be read, and name it.
  ImageSize size_or_any(const std::filesystem::path& file) const {
    try {
      return size_of_(file);
    } catch (const Error&) {
      return {1, 1};
    }
  }

  /// Draws the same number of times whatever the options are.
  void change(Clip& clip, Philox& rng) const {
    const AugmentOptions& augment = options_.augment;
    const bool changed = rng.uniform() < augment.clip_prob, grayscale = rng.uniform() < augment.grayscale;
    Photometric photometric = draw_photometric(rng, augment, grayscale);
    draw_degradation(rng, augment, photometric);
    const Distortion distortion = draw_distortion(rng, augment, clip.invented, true);
    const Box& box = clip.boxes.front();
    auto camera = draw_camera(rng, clip.files.size(), std::sqrt(box.w * box.h), augment.camera);
    if (!changed) return;
    clip.photometric = photometric, clip.distortion = distortion;
    if (augment.camera > 0 && clip.camera.empty()) clip.camera = std::move(camera);
  }

  std::shared_ptr<const TrainingData> data_;
  TrainOptions options_;
  SizeOfImage size_of_;
  std::uint64_t seed_;
  std::vector<Choice> stills_;  ///< sources of pictures
};

}  // namespace detrack
