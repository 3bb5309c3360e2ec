// Medians and percentiles of durations, in words.
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace detrack::program {

class Durations {
 public:
  void add(double seconds) { seconds_.push_back(seconds); }
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

}  // namespace detrack::program
