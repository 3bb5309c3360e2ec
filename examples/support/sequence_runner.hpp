// Runs a tracker over the sequences of a dataset, several at a time, and leaves each one's result on disk as it ends.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "detrack/data/sequence.hpp"
#include "detrack/eval/result_files.hpp"
#include "detrack/image/stb.hpp"
#include "detrack/track/tracker.hpp"
#include "examples/support/program.hpp"
#include "examples/support/progress.hpp"
#include "examples/support/timing.hpp"

namespace detrack::program {

struct RunnerOptions {
  TrackerOptions tracker{};
  int jobs = 1;                  ///< sequences at a time
  std::filesystem::path save{};  ///< folder of result files; what is complete there is not run again
  ResultLayout layout = ResultLayout::toolkit;
  bool quiet = false;
};

/// One sequence from its first frame to its last. Stops between frames when interrupted: then the result is shorter.
/// `times` gets every frame but the first. Errors: io, format, argument, naming sequence and frame.
inline SequenceResult run_sequence(Tracker& tracker, const Sequence& sequence, std::atomic<std::int64_t>& frames_done,
                                   TrackingTimes& times) {
  using Clock = std::chrono::steady_clock;
  SequenceResult result;
  result.name = sequence.name;
  auto& boxes = result.runs.emplace_back();
  auto& seconds = result.seconds.emplace_back();
  auto& confidences = result.confidences;
  for (std::size_t t = 0; t < sequence.frames.size() && !interrupted(); ++t) {
    const auto before = Clock::now();
    const Image image = load_image(sequence.frames[t]);
    const auto begin = Clock::now();
    try {
      if (t == 0) {
        tracker.init(image, sequence.truth_at(0));
        boxes.push_back(sequence.truth_at(0));
        confidences.push_back({.score = 1, .iou = 1});
      } else {
        const TrackResult tracked = tracker.update(image);
        boxes.push_back(tracked.box);
        confidences.push_back({tracked.score, tracked.iou, tracked.state});
        times.add(tracked.timings.network, tracked.timings.update);
        times.add_whole(1, std::chrono::duration<double>(Clock::now() - before).count());
      }
    } catch (const Error& error) {
      fail(error.code(), sequence.name, ": ", sequence.frames[t].string(), ": ", error.what());
    }
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    ++frames_done;
  }
  return result;
}

class SequenceRunner {
 public:
  SequenceRunner(std::shared_ptr<const Network> network, std::span<const Sequence> sequences, RunnerOptions options)
      : network_(std::move(network)), sequences_(sequences), options_(std::move(options)), results_(sequences.size()) {}

  /// A result for each sequence; of those that failed or were interrupted one without runs. Longest sequences first, so that
  /// no core waits for the last one. One tracker is enough: where there is no room for more, fewer sequences run at a time.
  std::vector<SequenceResult> run() {
    std::vector<std::size_t> order;
    std::int64_t frames = 0;
    for (std::size_t i = 0; i < sequences_.size(); ++i) {
      const Sequence& sequence = sequences_[i];
      results_[i].name = sequence.name;
      if (!options_.save.empty() && result_complete(options_.save, options_.layout, sequence.name, sequence.frames.size())) {
        results_[i] = read_result(options_.save, sequence);
        ++resumed_;
        continue;
      }
      order.push_back(i);
      frames += static_cast<std::int64_t>(sequence.frames.size());
    }
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return sequences_[a].frames.size() > sequences_[b].frames.size();
    });
    if (order.empty()) return std::move(results_);
    // Made before the threads: whatever becomes of the others, this one takes sequences until there are none.
    std::optional<Tracker> first = make_tracker(failures_);
    if (!first) return std::move(results_);

    std::atomic<std::size_t> next{0}, ended{0}, workers_left{0};
    std::vector<std::thread> workers;
    const auto jobs = std::min(static_cast<std::size_t>(options_.jobs), order.size());
    workers_left = jobs;
    for (std::size_t w = 0; w < jobs; ++w)
      workers.emplace_back([&, w] {
        std::optional<Tracker> another;
        if (w > 0) another = make_tracker(warnings_);
        if (w == 0 || another) work(w == 0 ? *first : *another, order, next, ended);
        --workers_left;
      });
    Progress progress(options_.quiet);
    const auto begin = std::chrono::steady_clock::now();
    while (workers_left > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      if (!progress.due()) continue;
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      const auto done = static_cast<double>(frames_done_.load());
      char line[160];
      std::snprintf(line, sizeof line, "%zu/%zu sequences, %lld/%lld frames, %.1f frames/s, %s left", ended.load(),
                    order.size(), static_cast<long long>(frames_done_.load()), static_cast<long long>(frames),
                    done / seconds,
                    done > 0 ? clock_text(seconds * (static_cast<double>(frames) - done) / done).c_str() : "?");
      progress.show(line);
    }
    for (std::thread& worker : workers) worker.join();
    return std::move(results_);
  }

  /// Sequences that were found complete.
  std::size_t resumed() const { return resumed_; }
  /// Of the sequences that were run to their end.
  const TrackingTimes& times() const { return times_; }
  /// What went wrong, a line for each sequence that has no result; one line for all where there could be no tracker.
  const std::vector<std::string>& failures() const { return failures_; }
  /// Why fewer sequences than asked for ran at a time, a line for each tracker that could not be made beside the first.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  /// None where it cannot be made (a GPU without room for it): `complaints` then says why.
  std::optional<Tracker> make_tracker(std::vector<std::string>& complaints) {
    try {
      return std::optional<Tracker>(std::in_place, network_, options_.tracker);
    } catch (const std::exception& error) {
      const std::lock_guard lock(mutex_);
      complaints.push_back(error.what());
      return std::nullopt;
    }
  }

  void work(Tracker& tracker, const std::vector<std::size_t>& order, std::atomic<std::size_t>& next,
            std::atomic<std::size_t>& ended) {
    for (std::size_t at; !interrupted() && (at = next++) < order.size(); ++ended) {
      const Sequence& sequence = sequences_[order[at]];
      try {
        if (sequence.frames.empty())
          fail(ErrorCode::format, sequence.name, ": expected pictures, got none beside ", sequence.annotation.string());
        TrackingTimes times;
        SequenceResult result = run_sequence(tracker, sequence, frames_done_, times);
        if (result.runs[0].size() < sequence.frames.size()) return;  // interrupted
        if (!options_.save.empty())
          write_result(options_.save, options_.layout, sequence.name, result.runs[0], result.seconds[0], result.confidences);
        results_[order[at]] = as_written(std::move(result));
        const std::lock_guard lock(mutex_);
        times_.add(times);
      } catch (const std::exception& error) {
        const std::lock_guard lock(mutex_);
        failures_.push_back(error.what());
      }
    }
  }

  /// As the files will have it, so that a resumed evaluation gives the same scores as an unbroken one.
  SequenceResult as_written(SequenceResult result) const {
    result.runs[0] = parse_boxes(format_boxes(result.runs[0], options_.layout));
    result.confidences = parse_confidences(format_confidences(result.confidences));
    return result;
  }

  std::shared_ptr<const Network> network_;
  std::span<const Sequence> sequences_;
  RunnerOptions options_;
  std::vector<SequenceResult> results_;
  std::atomic<std::int64_t> frames_done_{0};
  TrackingTimes times_;
  std::size_t resumed_ = 0;
  std::mutex mutex_;
  std::vector<std::string> failures_, warnings_;
};

}  // namespace detrack::program
