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
#include "detrack/cpu/backend.hpp"
#include "detrack/image/mirror.hpp"
#include "detrack/track/target.hpp"
#include "detrack/train/batch.hpp"
#include "detrack/train/clip.hpp"
#include "detrack/train/clip_frame.hpp"
#include "detrack/train/image_cache.hpp"
#include "detrack/train/trainer.hpp"

namespace detrack {

/// A rollout is as a tracker's run: start and trajectory are boxes of its own, templates enter at the tracker's intervals.
/// A target that has left the crop is found again for it, so that every frame teaches something.
template <class T>
class Rollout {
 public:
  /// `threads` read pictures while the network runs, and as many make the crops. The trainer must outlive this. Errors:
  /// argument (no thread).
  Rollout(Trainer<T>& trainer, std::shared_ptr<ImageCache> images, int threads)
      : trainer_(trainer),
        images_(std::move(images)),
        threads_(threads),
        ctx_(cpu::make_context<float>({.threads = threads})) {
    if (threads < 1) fail(ErrorCode::argument, "Rollout: threads: expected at least 1, got ", threads);
  }

  /// Tracks the clips; batch t of the result is frame t + 1 of all of them. `number`: of the first batch, see Batch.
  /// Where a picture cannot be read or does not hold its box nothing is returned: failed() is the clip, problems() has the
  /// words. Errors: argument (no clip, or no frame).
  const std::vector<Batch>& run(const std::vector<Clip>& clips, std::uint64_t number) {
    if (clips.empty() || clips.front().files.empty())
      fail(ErrorCode::argument, "Rollout: clips: expected frames to track, got none");
    const Config& c = trainer_.config();
    const auto B = static_cast<std::int64_t>(clips.size());
    const std::size_t frames = clips.front().files.size();
    batches_.clear();
    TrackerOptions options;
    options.visual_memory.mode = VisualMemoryOptions::Mode::always;
    const std::int64_t n = trainer_.options().templates > 0 ? trainer_.options().templates : c.templates;
    std::vector<Target> targets(clips.size(), Target({c.search_factor, c.template_factor, n, c.trajectory}, options));
    Tensor<float> templates({B, n, 3, c.template_size, c.template_size});
    try {
      auto ahead = read(clips, 0);
      for (std::size_t t = 0; t < frames; ++t) {
        const auto images = wait(ahead);
        if (t + 1 < frames) ahead = read(clips, t + 1);
        if (t == 0) {
          for (std::size_t b = 0; b < clips.size(); ++b) {
            const ClipFrame frame(clips[b], 0, *images[b]);
            of_clip(b, [&] { targets[b].init(frame.target(), frame.width(), frame.height()); });
            for (std::int64_t i = 0; i < n; ++i)
              crop(clips[b], t, *images[b], targets[b].template_region(targets[b].box()), slot(templates, b, i));
          }
          continue;
        }
        step(clips, t, images, targets, templates, number + t - 1);
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
  using Images = std::vector<std::shared_ptr<const Image>>;
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

  void step(const std::vector<Clip>& clips, std::size_t t, const Images& images, std::vector<Target>& targets,
            Tensor<float>& templates, std::uint64_t number) {
    const Config& c = trainer_.config();
    const std::int64_t n = templates.shape()[1];
    Batch& batch = batches_.emplace_back(c, static_cast<std::int64_t>(clips.size()), n);
    batch.number = number;
    std::vector<CropRegion> regions;
    for (std::size_t b = 0; b < clips.size(); ++b) {
      const Box truth = ClipFrame(clips[b], t, *images[b]).target();
      CropRegion region = targets[b].search_region();
      const double reach = region.side / 2;
      if (std::abs(truth.centre_x() - region.centre_x) > reach || std::abs(truth.centre_y() - region.centre_y) > reach) {
        of_clip(b, [&] { targets[b].relocate(ClipFrame(clips[b], t - 1, *images[b]).target()); });
        region = targets[b].search_region();
      }
      regions.push_back(region);
      crop(clips[b], t, *images[b], region, batch.search.view().select(0, static_cast<std::int64_t>(b)));
      batch.truth[b] = to_crop(truth, region);
      batch.prior[b] = to_crop(targets[b].box(), region);
      for (const Box& box : targets[b].trajectory().boxes()) batch.trajectory.push_back(to_crop(box, region));
      batch.names[b] = clips[b].name + " + " + std::to_string(t);
    }
    std::copy_n(templates.data(), templates.numel(), batch.templates.data());
    const std::vector<CropBox>& predicted = trainer_.predict(batch);
    for (std::size_t b = 0; b < clips.size(); ++b) {
      const Box placed = targets[b].place(predicted[b], regions[b]);
      if (!targets[b].conclude(placed, 1, 1).admitted) continue;
      for (std::int64_t i = 1; i + 1 < n; ++i)
        std::copy_n(slot(templates, b, i + 1).data(), slot(templates, b, i).numel(), slot(templates, b, i).data());
      if (n > 1) crop(clips[b], t, *images[b], targets[b].template_region(placed), slot(templates, b, n - 1));
    }
  }

  static View<float> slot(Tensor<float>& templates, std::size_t b, std::int64_t i) {
    return templates.view().select(0, static_cast<std::int64_t>(b)).select(0, i);
  }

  /// A part of frame t, whose picture is mirrored already, as the clip changes it.
  void crop(const Clip& clip, std::size_t t, const Image& image, const CropRegion& region, View<float> to) {
    const Config& c = trainer_.config();
    if (clip.plain()) {
      ops::run(ctx_, CropNormalise<float>{.frame = ImageView(image).pixels(),
                                          .left = region.left(),
                                          .top = region.top(),
                                          .side = region.side,
                                          .mean = c.mean,
                                          .std = c.std,
                                          .y = to});
      return;
    }
    const CropPlan plan = ClipFrame(clip, t, image).plan(region);
    const View<float> one = to.reshape({1, 3, to.extent(1), to.extent(2)});
    ops::run(ctx_, AugmentedCrops<float>{.plans = {&plan, {1}}, .mean = c.mean, .std = c.std, .y = one});
  }

  /// Frame t of all clips, read on threads.
  std::future<Images> read(const std::vector<Clip>& clips, std::size_t t) {
    return std::async(std::launch::async, [this, &clips, t] {
      Images images(clips.size());
      std::atomic<std::size_t> next{0};
      std::vector<std::future<void>> readers;
      for (int i = 0; i < threads_; ++i)
        readers.push_back(std::async(std::launch::async, [&] {
          for (std::size_t b; (b = next++) < clips.size();) {
            of_clip(b, [&] { images[b] = images_->get(clips[b].files[t]); });
            if (clips[b].flip) images[b] = std::make_shared<const Image>(mirrored(*images[b]));
          }
        }));
      for (auto& reader : readers) reader.wait();
      for (auto& reader : readers) reader.get();
      return images;
    });
  }
  Images wait(std::future<Images>& ahead) {
    const auto begin = std::chrono::steady_clock::now();
    Images images = ahead.get();
    waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return images;
  }

  Trainer<T>& trainer_;
  std::shared_ptr<ImageCache> images_;
  int threads_;
  Context<float> ctx_;
  std::vector<Batch> batches_;
  std::size_t failed_ = 0;
  std::map<std::string, std::int64_t> problems_;
  double waited_ = 0;
};

DETRACK_INSTANTIATE(class Rollout<float>)

}  // namespace detrack
