// Decoding ahead: frames of a source by a thread of its own, while the one before is being worked on.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "detrack/core/error.hpp"
#include "detrack/image/frame_source.hpp"

namespace detrack {

/// The frames of another source, up to a number of them decoded in advance. The other source must leave each frame's pixels
/// alone as long as somebody holds the frame, which is what Frame::owner promises.
class PrefetchSource final : public FrameSource {
 public:
  /// Errors: argument (no source, a capacity below 1).
  explicit PrefetchSource(std::unique_ptr<FrameSource> source, int capacity = 4) : source_(std::move(source)) {
    if (!source_) fail(ErrorCode::argument, "PrefetchSource: source: expected one, got a null pointer");
    if (capacity < 1) fail(ErrorCode::argument, "PrefetchSource: capacity: expected at least 1 frame, got ", capacity);
    capacity_ = static_cast<std::size_t>(capacity);
    name_ = source_->name();
    frame_count_ = source_->frame_count();
    frame_rate_ = source_->frame_rate();
    thread_ = std::thread([this] { read_ahead(); });
  }
  PrefetchSource(const PrefetchSource&) = delete;
  PrefetchSource& operator=(const PrefetchSource&) = delete;
  /// Waits for no more than the frame that is being decoded.
  ~PrefetchSource() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    room_.notify_one();
    thread_.join();
  }

  /// Errors: those of the source, after the frames before them, and again at every further call.
  std::optional<Frame> next() override {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [this] { return !frames_.empty() || ended_; });
    if (frames_.empty()) {
      if (error_) std::rethrow_exception(error_);
      return {};
    }
    std::optional<Frame> frame(std::move(frames_.front()));
    frames_.pop_front();
    lock.unlock();
    room_.notify_one();
    return frame;
  }
  std::string name() const override { return name_; }
  std::optional<std::int64_t> frame_count() const override { return frame_count_; }
  double frame_rate() const override { return frame_rate_; }
  bool ended_early() const override {
    const std::lock_guard lock(mutex_);
    return frames_.empty() && ended_early_;
  }

 private:
  /// The thread: the only user of source_ from here on.
  void read_ahead() {
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        room_.wait(lock, [this] { return frames_.size() < capacity_ || stop_; });
        if (stop_) return;
      }
      bool more = false;
      try {
        std::optional<Frame> frame = source_->next();
        const bool early = !frame && source_->ended_early();
        const std::lock_guard lock(mutex_);
        if (frame)
          frames_.push_back(std::move(*frame)), more = true;
        else
          ended_ = true, ended_early_ = early;
      } catch (...) {
        const std::lock_guard lock(mutex_);
        ended_ = true, error_ = std::current_exception();
      }
      filled_.notify_one();
      if (!more) return;
    }
  }

  std::unique_ptr<FrameSource> source_;
  std::size_t capacity_ = 0;
  std::string name_;
  std::optional<std::int64_t> frame_count_;
  double frame_rate_ = 0;

  mutable std::mutex mutex_;  ///< guards what follows
  std::condition_variable room_, filled_;
  std::deque<Frame> frames_;
  std::exception_ptr error_;
  bool ended_ = false, ended_early_ = false, stop_ = false;

  std::thread thread_;  ///< last: it uses everything above
};

}  // namespace detrack
