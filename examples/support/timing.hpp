// Medians and percentiles of durations, and the timings of tracking, in words.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace detrack::program {

class Durations {
 public:
  void add(double seconds) { seconds_.push_back(seconds); }
  void add(const Durations& other) { seconds_.insert(seconds_.end(), other.seconds_.begin(), other.seconds_.end()); }
  bool empty() const { return seconds_.empty(); }
  double mean() const {
    double sum = 0;
    for (const double s : seconds_) sum += s;
    return sum / static_cast<double>(seconds_.size());
  }
  /// The value below which a share of all lies. There must be one.
  double quantile(double share) const {
    std::vector<double> sorted = seconds_;
    const auto at = sorted.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(sorted.size() - 1) + 0.5);
    std::nth_element(sorted.begin(), at, sorted.end());
    return *at;
  }
  /// "12.34 ms median, 13.00 p95, 15.20 worst, 81.0 frames/s".
  std::string text() const {
    if (empty()) return "nothing measured";
    char text[160];
    std::snprintf(text, sizeof text, "%8.2f ms median, %8.2f p95, %8.2f worst, %7.1f frames/s", 1e3 * quantile(0.5),
                  1e3 * quantile(0.95), 1e3 * quantile(1), 1 / mean());
    return text;
  }

 private:
  std::vector<double> seconds_;
};

/// The three timings: the network alone, an update, and a frame with all that is around its update.
class TrackingTimes {
 public:
  void add(double network, double update) {
    network_.add(network);
    update_.add(update);
  }
  /// So many frames took so many seconds, whatever was done for them.
  void add_whole(std::int64_t frames, double seconds) {
    frames_ += frames;
    seconds_ += seconds;
  }
  void add(const TrackingTimes& other) {
    network_.add(other.network_);
    update_.add(other.update_);
    add_whole(other.frames_, other.seconds_);
  }
  /// A line each; `whole` says what the last one holds. Empty where no frame was tracked.
  std::string text(const char* whole) const {
    if (network_.empty()) return {};
    char lines[512];
    std::snprintf(lines, sizeof lines,
                  "  network     %s\n  update      %s, %.1f %% of it besides the network\n"
                  "  end to end  %8.2f ms mean,%40.1f frames/s (%s)\n",
                  network_.text().c_str(), update_.text().c_str(), 100 * (1 - network_.mean() / update_.mean()),
                  1e3 * seconds_ / static_cast<double>(frames_), static_cast<double>(frames_) / seconds_, whole);
    return lines;
  }

 private:
  Durations network_, update_;
  std::int64_t frames_ = 0;
  double seconds_ = 0;
};

}  // namespace detrack::program
