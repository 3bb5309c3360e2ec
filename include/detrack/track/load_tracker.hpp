// Trackers straight from weights files: Tracker::load and MultiTracker::load.
#pragma once

#include <filesystem>

#include "detrack/track/model_network.hpp"
#include "detrack/track/tracker.hpp"

// Apart from the trackers, because these two functions bring the whole model and its kernels with them: a file that is given
// its network need not compile those.

namespace detrack {

inline MultiTracker MultiTracker::load(const std::filesystem::path& weights, const TrackerOptions& options) {
  return MultiTracker(options.device ? options.device(weights) : load_network(weights), options);
}

inline Tracker Tracker::load(const std::filesystem::path& weights, const TrackerOptions& options) {
  return Tracker(MultiTracker::load(weights, options));
}

}  // namespace detrack
