// Tracks clips with the weights as they are and keeps what the network was shown: the batches of stage sequences.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "detrack/core/instantiate.hpp"
#include "detrack/track/target.hpp"
#include "detrack/train/batch.hpp"
#include "detrack/train/clip.hpp"
#include "detrack/train/clip_crops.hpp"
#include "detrack/train/clip_frame.hpp"
#include "detrack/train/image_cache.hpp"
#include "detrack/train/trainer.hpp"

namespace detrack {

/// A rollout is as a tracker's run: start and trajectory are boxes of its own, templates enter at the tracker's intervals.
/// A target that has left the crop is found again for it, so that every frame teaches something.
template <class T>
class Rollout {
 public:
  /// `threads` read pictures while the network runs, and as many make the crops, unless the trainer's device makes them, of
  /// its `pictures`. The trainer must outlive this. Errors: argument (no thread).
  Rollout(Trainer<T>& trainer, std::shared_ptr<ImageCache> images, int threads,
          std::shared_ptr<DevicePictures> pictures = nullptr)
      : trainer_(trainer), threads_(threads), crops_(trainer.config(), threads, std::move(images), std::move(pictures)) {
    if (threads < 1) fail(ErrorCode::argument, "Rollout: threads: expected at least 1, got ", threads);
  }

  /// Tracks the clips; batch t of the result is frame t + 1 of all of them. `number`: of the first batch, see Batch.
  /// Where a picture cannot be read or does not hold its box nothing is returned: failed() is the clip, problems() has the
  /// words. Errors: argument (no clip, or no frame).
  const std::vector<Batch>& run(const std::vector<Clip>& clips, std::uint64_t number) {
    if (clips.empty() || clips.front().files.empty())
      fail(ErrorCode::argument, "Rollout: clips: expected frames to track, got none");
    const Config& c = trainer_.config();
    const std::size_t frames = clips.front().files.size();
    batches_.clear();
    TrackerOptions options;
    options.visual_memory.mode = VisualMemoryOptions::Mode::always;
    const std::int64_t n = trainer_.options().templates > 0 ? trainer_.options().templates : c.templates;
    std::vector<Target> targets(clips.size(), Target({c.search_factor, c.template_factor, n, c.trajectory}, options));
    crops_.restart(static_cast<std::int64_t>(clips.size()), n);
    try {
      auto ahead = read(clips, 0);
      for (std::size_t t = 0; t < frames; ++t) {
        const Pictures pictures = wait(ahead);
        if (t + 1 < frames) ahead = read(clips, t + 1);
        if (t == 0)
          start(clips, pictures, targets);
        else
          step(clips, t, pictures, targets, number + t - 1);
      }
    } catch (const ClipError& error) {
      ++problems_[error.what()];
      failed_ = error.clip;
      batches_.clear();
    }
    return batches_;
  }

  std::size_t failed() const { return failed_; }  ///< the clip that the last run() could not use
  double waited() const { return waited_; }
  const std::map<std::string, std::int64_t>& problems() const { return problems_; }

 private:
  using Pictures = std::vector<ClipPicture>;
  struct ClipError : Error {
    ClipError(const Error& error, std::size_t b) : Error(error), clip(b) {}
    std::size_t clip;
  };

  /// What goes wrong in f is clip b's fault.
  template <class F>
  static void of_clip(std::size_t b, F&& f) {
    try {
      f();
    } catch (const Error& error) {
      throw ClipError(error, b);
    }
  }

  void start(const std::vector<Clip>& clips, const Pictures& pictures, std::vector<Target>& targets) {
    for (std::size_t b = 0; b < clips.size(); ++b) {
      const ClipFrame frame(clips[b], 0, pictures[b].size());
      of_clip(b, [&] { targets[b].init(frame.target(), frame.width(), frame.height()); });
      const CropRegion region = targets[b].template_region(targets[b].box());
      crops_.fill_templates(b, frame.plan(region, pictures[b].picture), pictures[b]);
    }
  }

  void step(const std::vector<Clip>& clips, std::size_t t, const Pictures& pictures, std::vector<Target>& targets,
            std::uint64_t number) {
    Batch& batch = batches_.emplace_back(crops_.begin_batch());
    batch.number = number;
    std::vector<CropRegion> regions;
    for (std::size_t b = 0; b < clips.size(); ++b) {
      const ClipFrame frame(clips[b], t, pictures[b].size());
      const Box truth = frame.target();
      CropRegion region = targets[b].search_region();
      const double reach = region.side / 2;
      if (std::abs(truth.centre_x() - region.centre_x) > reach || std::abs(truth.centre_y() - region.centre_y) > reach) {
        of_clip(b, [&] { targets[b].relocate(ClipFrame(clips[b], t - 1, pictures[b].size()).target()); });
        region = targets[b].search_region();
      }
      regions.push_back(region);
      crops_.add_search(batch, b, frame.plan(region, pictures[b].picture), pictures[b]);
      batch.truth[b] = to_crop(truth, region);
      batch.prior[b] = to_crop(targets[b].box(), region);
      for (const Box& box : targets[b].trajectory().boxes()) batch.trajectory.push_back(to_crop(box, region));
      batch.names[b] = clips[b].name + " + " + std::to_string(t);
    }
    const std::vector<CropBox>& predicted = trainer_.predict(batch);
    for (std::size_t b = 0; b < clips.size(); ++b) {
      const Box placed = targets[b].place(predicted[b], regions[b]);
      if (!targets[b].conclude(placed, 1, 1).admitted) continue;
      const ClipFrame frame(clips[b], t, pictures[b].size());
      crops_.push_template(b, frame.plan(targets[b].template_region(placed), pictures[b].picture), pictures[b]);
    }
  }

  /// Frame t of all clips, read on threads. Of several that cannot be read the first clip's is told, whoever was faster.
  std::future<Pictures> read(const std::vector<Clip>& clips, std::size_t t) {
    return std::async(std::launch::async, [this, &clips, t] {
      Pictures pictures(clips.size());
      std::vector<std::exception_ptr> failures(clips.size());
      std::atomic<std::size_t> next{0};
      std::vector<std::future<void>> readers;
      for (int i = 0; i < threads_; ++i)
        readers.push_back(std::async(std::launch::async, [&] {
          for (std::size_t b; (b = next++) < clips.size();) try {
              of_clip(b, [&] { pictures[b] = crops_.read(clips[b].files[t]); });
            } catch (...) {
              failures[b] = std::current_exception();
            }
        }));
      for (auto& reader : readers) reader.get();
      for (const std::exception_ptr& failure : failures)
        if (failure) std::rethrow_exception(failure);
      return pictures;
    });
  }
  Pictures wait(std::future<Pictures>& ahead) {
    const auto begin = std::chrono::steady_clock::now();
    Pictures pictures = ahead.get();
    waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return pictures;
  }

  Trainer<T>& trainer_;
  int threads_;
  ClipCrops crops_;
  std::vector<Batch> batches_;
  std::size_t failed_ = 0;
  std::map<std::string, std::int64_t> problems_;
  double waited_ = 0;
};

DETRACK_INSTANTIATE(class Rollout<float>)

}  // namespace detrack
