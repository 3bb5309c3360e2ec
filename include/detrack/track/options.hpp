// What can be set about a tracker; the network's own numbers are in its weights file (model/config.hpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "detrack/core/error.hpp"

namespace detrack {

class Network;  // track/network.hpp

/// When a frame's view of the target becomes a template.   [DeTrack, section 3.4 and its GOT-10k setting]
struct VisualMemoryOptions {
  enum class Mode {
    gated,   ///< candidates enter if both scores pass
    always,  ///< every candidate enters
    fixed    ///< none does: the first frame's template alone
  };
  Mode mode = Mode::gated;
  double min_iou = 0.75;            ///< a candidate enters above this IoU score ...
  double min_score = 0.9;           ///< ... and above this softmax score
  std::int64_t first_interval = 5;  ///< frames between candidates at first
  std::int64_t doubling = 100;      ///< frames after which the interval doubles
  std::int64_t max_doublings = 5;
};

constexpr std::string_view to_string(VisualMemoryOptions::Mode mode) {
  switch (mode) {
    case VisualMemoryOptions::Mode::gated: return "gated";
    case VisualMemoryOptions::Mode::always: return "always";
    case VisualMemoryOptions::Mode::fixed: return "fixed";
  }
  return "unknown";
}

/// Errors: argument.
inline VisualMemoryOptions::Mode parse_memory_mode(std::string_view name) {
  for (const auto mode :
       {VisualMemoryOptions::Mode::gated, VisualMemoryOptions::Mode::always, VisualMemoryOptions::Mode::fixed})
    if (name == to_string(mode)) return mode;
  fail(ErrorCode::argument, "memory: expected gated, always or fixed, got ", name);
}

/// When a target counts as uncertain or lost, and how it is looked for then. The thresholds were chosen with the weights in
/// examples/weights; for others look at the reliability plots of `evaluate`.
struct ConfidenceOptions {
  double min_score = 0.4;        ///< a frame is uncertain below this softmax score ...
  double min_iou = 0;            ///< ... or below this IoU score
  double found_score = 0.55;     ///< softmax score that ends a row of uncertain frames, if min_score is not larger
  std::int64_t lost_after = 10;  ///< uncertain frames in a row

  /// Uncertain frames in a row from which on the target is held: its box is that of the last certain frame, memories stay as
  /// they are, and it is looked for around that box, in search crops of 1, 2, ... `widest_search` times the usual side in
  /// turns. 0: never, as in the paper; states only report.
  std::int64_t hold_after = 2;
  std::int64_t widest_search = 3;
};

struct TrackerOptions {
  /// Puts a weights file onto a device: the CPU if empty. Not used where the network is given.
  std::function<std::shared_ptr<const Network>(const std::filesystem::path&)> device{};
  int threads = 0;  ///< of the CPU backend; 0: all of the machine's
  VisualMemoryOptions visual_memory{};
  ConfidenceOptions confidence{};
  std::optional<std::int64_t> trajectory{};  ///< previous boxes given to the network; the weights file's trajectory_used
  std::optional<double> search_factor{};     ///< the weights file's
  bool denoising_steps = false;              ///< report the box read out after each block, too
  // Ablations: the paper runs the network once a frame and reads its last word.
  std::int64_t passes = 1;      ///< runs of the network a frame, each from the box of the one before, in the same crop
  std::int64_t read_block = 0;  ///< 0: the refined box is the result; j: the box read out after denoising block j is
};

/// Errors: argument, naming the option.
inline void validate(const TrackerOptions& options) {
  const auto expect = [](bool ok, const char* name, const char* expected, double got) {
    if (!ok) fail(ErrorCode::argument, "TrackerOptions: ", name, ": expected ", expected, ", got ", got);
  };
  const auto share = [&](const char* name, double x) { expect(x >= 0 && x <= 1, name, "a number in [0, 1]", x); };
  const VisualMemoryOptions& memory = options.visual_memory;
  share("visual_memory.min_iou", memory.min_iou);
  share("visual_memory.min_score", memory.min_score);
  const auto count = [&](const char* name, std::int64_t x, std::int64_t least, std::int64_t most) {
    if (x < least || x > most)
      fail(ErrorCode::argument, "TrackerOptions: ", name, ": expected a number in [", least, ", ", most, "], got ", x);
  };
  count("visual_memory.first_interval", memory.first_interval, 1, 1'000'000);
  count("visual_memory.doubling", memory.doubling, 1, 1'000'000'000);
  count("visual_memory.max_doublings", memory.max_doublings, 0, 30);
  const ConfidenceOptions& confidence = options.confidence;
  share("confidence.min_score", confidence.min_score);
  share("confidence.min_iou", confidence.min_iou);
  count("confidence.lost_after", confidence.lost_after, 1, 1'000'000'000);
  count("confidence.hold_after", confidence.hold_after, 0, 1'000'000'000);
  share("confidence.found_score", confidence.found_score);
  count("confidence.widest_search", confidence.widest_search, 1, 10);
  if (options.search_factor)
    expect(*options.search_factor >= 0.1 && *options.search_factor <= 100, "search_factor", "a number in [0.1, 100]",
           *options.search_factor);
  count("threads", options.threads, 0, 4096);
  count("passes", options.passes, 1, 1000);
  count("read_block", options.read_block, 0, 256);  // the network's depth bounds it further
}

}  // namespace detrack
