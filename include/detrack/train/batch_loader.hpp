// Makes batches of training samples on threads of its own, ahead of the training.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "detrack/train/batch.hpp"
#include "detrack/train/crop_maker.hpp"
#include "detrack/train/device_pictures.hpp"
#include "detrack/train/image_cache.hpp"
#include "detrack/train/planned_crop.hpp"
#include "detrack/train/sample_recipe.hpp"

namespace detrack {

struct LoaderOptions {
  std::int64_t batch = 16;
  std::int64_t templates = 0;  ///< of a sample: as many as its recipe has
  int threads = 2;
  int ahead = 3;                                         ///< batches that may be there before they are asked for
  std::shared_ptr<Allocator> pixels = host_allocator();  ///< of the batches
  /// There: threads only plan crops and decode pictures that are not on the device; whoever takes the batches makes them.
  std::shared_ptr<DevicePictures> pictures{};
};

/// Batch k holds the samples k B to k B + B - 1 of `draw`, whatever the number of threads. A sample whose pictures cannot be
/// read is replaced by its next attempt; the file is named in problems() and counted.
class BatchLoader {
 public:
  /// Sample number and attempt to the way it is made. For any number of threads at once.
  using Draw = std::function<SampleRecipe(std::uint64_t index, int attempt)>;

  /// Begins with batch number `first`. Errors: argument.
  BatchLoader(const Config& config, Draw draw, std::shared_ptr<ImageCache> images, const LoaderOptions& options,
              std::uint64_t first = 0)
      : config_(config),
        draw_(std::move(draw)),
        images_(std::move(images)),
        options_(options),
        next_task_(first * static_cast<std::uint64_t>(options.batch)),
        oldest_(first),
        wanted_(first) {
    if (options.batch < 1 || options.threads < 1 || options.ahead < 1)
      fail(ErrorCode::argument, "BatchLoader: batch, threads, ahead: expected at least 1, got ", options.batch, ", ",
           options.threads, ", ", options.ahead);
    for (std::uint64_t i = 0; i + 1 < static_cast<std::uint64_t>(options.ahead) + kHeld; ++i)
      slots_.push_back({options.pictures ? Batch(options.batch, options.templates, options.pictures)
                                         : Batch(config, options.batch, options.templates, options.pixels),
                        options.batch,
                        {}});
    try {
      for (int i = 0; i < options.threads; ++i)
        threads_.emplace_back([this, crops = CropMaker(config_, images_)]() mutable { work(crops); });
    } catch (...) {
      stop();
      throw;
    }
  }
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;
  ~BatchLoader() { stop(); }

  /// The next batch, in order; it stays until the call after the following one, so that it can be on its way to a device
  /// while the one before is trained on. Errors: io, where no attempt at a sample has worked; argument, for a recipe with
  /// another number of templates.
  const Batch& next() {
    const auto begin = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    if (wanted_ - oldest_ == kHeld) {
      slot_of(oldest_).left = options_.batch;
      slot_of(oldest_).failure = nullptr;
      ++oldest_;
      changed_.notify_all();
    }
    Slot& slot = slot_of(wanted_++);
    changed_.wait(lock, [&] { return slot.left == 0; });
    if (slot.failure) std::rethrow_exception(slot.failure);
    waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return slot.batch;
  }

  /// Seconds that next() has waited in all.
  double waited() const { return waited_; }

  /// Files that could not be read: what was wrong, and how often they were drawn.
  std::map<std::string, std::int64_t> problems() const {
    const std::lock_guard lock(mutex_);
    return problems_;
  }

 private:
  struct Slot {
    Batch batch;
    std::int64_t left = 0;  ///< samples that are not ready
    std::exception_ptr failure{};
  };
  static constexpr int kAttempts = 20;
  static constexpr std::uint64_t kHeld = 2;  ///< batches that next() has given and that stay

  Slot& slot_of(std::uint64_t batch) { return slots_[batch % slots_.size()]; }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void work(CropMaker& crops) {
    const auto B = static_cast<std::uint64_t>(options_.batch);
    for (;;) {
      std::uint64_t task;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stop_ || next_task_ / B < oldest_ + slots_.size(); });
        if (stop_) return;
        task = next_task_++;
      }
      Slot& slot = slot_of(task / B);
      std::exception_ptr failure;
      try {
        make(crops, task, slot.batch, static_cast<std::size_t>(task % B));
      } catch (...) {
        failure = std::current_exception();
      }
      const std::lock_guard lock(mutex_);
      slot.batch.number = task / B;
      if (failure && !slot.failure) slot.failure = failure;
      if (--slot.left == 0) changed_.notify_all();
    }
  }

  void make(CropMaker& crops, std::uint64_t index, Batch& batch, std::size_t b) {
    for (int attempt = 0;; ++attempt) {
      SampleRecipe recipe;
      try {
        recipe = draw_(index, attempt);
        if (fits(recipe)) batch.pictures ? plan(recipe, batch, b) : make(crops, recipe, batch, b);
      } catch (const Error& error) {
        const std::lock_guard lock(mutex_);
        ++problems_[error.what()];
        if (attempt + 1 == kAttempts)
          fail(ErrorCode::io, "training data: ", kAttempts, " samples in a row cannot be made, the last one (", recipe.name,
               ") because of ", error.what());
        continue;
      }
      if (!fits(recipe))  // no other attempt would
        fail(ErrorCode::argument, "BatchLoader: templates: expected ", options_.templates, " in a recipe, got ",
             recipe.templates.size(), " (", recipe.name, ")");
      batch.truth[b] = recipe.truth;
      batch.prior[b] = recipe.prior;
      batch.absent[b] = recipe.absent;
      batch.others[b] = std::move(recipe.others);
      batch.names[b] = std::move(recipe.name);
      return;
    }
  }

  bool fits(const SampleRecipe& recipe) const { return std::ssize(recipe.templates) == options_.templates; }
  static void make(CropMaker& crops, const SampleRecipe& recipe, Batch& batch, std::size_t b) {
    const auto at = static_cast<std::int64_t>(b);
    crops(recipe.search, recipe.flip, batch.search.view().select(0, at));
    for (std::size_t i = 0; i < recipe.templates.size(); ++i)
      crops(recipe.templates[i], recipe.flip, batch.templates.view().select(0, at).select(0, static_cast<std::int64_t>(i)));
  }
  void plan(const SampleRecipe& recipe, Batch& batch, std::size_t b) const {
    const auto planned = [&](const CropRecipe& crop) {
      return plan_for_device(crop, recipe.flip, *batch.pictures, *images_);
    };
    batch.planned_search[b] = planned(recipe.search);
    const std::size_t n = recipe.templates.size();
    for (std::size_t i = 0; i < n; ++i) batch.planned_templates[b * n + i] = planned(recipe.templates[i]);
  }

  Config config_;
  Draw draw_;
  std::shared_ptr<ImageCache> images_;
  LoaderOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Slot> slots_;
  std::uint64_t next_task_;  ///< number of the sample that the next idle thread makes
  std::uint64_t oldest_;     ///< number of the oldest batch that stays
  std::uint64_t wanted_;     ///< number of the batch that next() gives
  bool stop_ = false;
  std::map<std::string, std::int64_t> problems_;
  double waited_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace detrack
