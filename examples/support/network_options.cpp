// The network that programs track with, and how they use it.
#include "examples/support/network_options.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "detrack/io/mapped_file.hpp"
#include "detrack/model/initialise.hpp"
#include "detrack/model/weights_file.hpp"

namespace detrack::program {

void NetworkOptions::add_to(CLI::App& app) {
  auto* weights = app.add_option("--weights", weights_, "Weights file (safetensors with a detrack.config)");
  app.add_option("--random-weights", preset_,
                 "Instead of a file: random weights of a preset (detrack-n128, -t256, -s256, -b256, -b384), to measure "
                 "speed; it cannot track")
      ->excludes(weights);
  device_.add_to(app);
  app.add_option("--memory", memory_,
                 "When a view of the target becomes a template: gated (both scores above their gates), always, or fixed "
                 "(never)")
      ->check(CLI::IsMember({"gated", "always", "fixed"}));
  app.add_option("--iou-gate", tracker_.visual_memory.min_iou, "IoU score above which a view may become a template")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--score-gate", tracker_.visual_memory.min_score, "The same for the softmax score")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--trajectory", trajectory_, "Previous boxes given to the network; by default what it was trained for")
      ->check(CLI::Range(0, 1024));
  app.add_option("--min-score", tracker_.confidence.min_score, "Softmax score below which the target counts as uncertain")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--min-iou", tracker_.confidence.min_iou, "The same for the IoU score")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--hold-after", tracker_.confidence.hold_after,
                 "Uncertain frames in a row from which on the target is held: at its last certain box, around which it is "
                 "looked for in wider search crops, too. 0: never, as in the paper")
      ->capture_default_str()
      ->check(CLI::Range(0, 1'000'000));
  app.add_option("--found-score", tracker_.confidence.found_score, "Softmax score that ends a row of uncertain frames")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--passes", tracker_.passes, "Ablation: runs of the network a frame, each from the box of the one before")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("--read-block", tracker_.read_block,
                 "Ablation: take the box after this denoising block; 0: the refined box")
      ->capture_default_str()
      ->check(CLI::Range(0, 256));
}

std::string NetworkOptions::name() const {
  return preset_.empty() ? std::filesystem::path(weights_).stem().string() : preset_ + "-random";
}

std::string NetworkOptions::fingerprint() const {
  if (!preset_.empty()) return preset_ + ", seed 1";
  const MappedFile file{std::filesystem::path(weights_)};
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const std::byte b : file.bytes()) hash = (hash ^ static_cast<std::uint64_t>(b)) * 1099511628211u;
  char text[64];
  std::snprintf(text, sizeof text, "%zu bytes, %016llx", file.bytes().size(), static_cast<unsigned long long>(hash));
  return text;
}

std::string NetworkOptions::text() const {
  const VisualMemoryOptions& memory = tracker_.visual_memory;
  const ConfidenceOptions& confidence = tracker_.confidence;
  return detail::concat("trajectory ", trajectory_, ", iou gate ", memory.min_iou, ", score gate ", memory.min_score,
                        ", min score ", confidence.min_score, ", min iou ", confidence.min_iou, ", hold after ",
                        confidence.hold_after, ", found score ", confidence.found_score, ", passes ", tracker_.passes,
                        ", read block ", tracker_.read_block, ", device ", device_.text());
}

std::shared_ptr<const Network> NetworkOptions::load() const {
  device_.check();
  if (!given()) fail(ErrorCode::argument, "--weights: expected a weights file (or --random-weights PRESET), got none");
  if (preset_.empty()) return device_.network(load_model<float>(weights_));
  std::fprintf(stderr, "Random weights of %s, seed 1: the boxes mean nothing.\n", preset_.c_str());
  DeTrack<float> model(preset(preset_));
  initialise(model, 1);
  return device_.network(std::move(model));
}

TrackerOptions NetworkOptions::tracker_options(VisualMemoryOptions::Mode mode) const {
  TrackerOptions options = tracker_;
  options.threads = device_.threads();
  options.visual_memory.mode = mode;
  if (!memory_.empty()) options.visual_memory.mode = parse_memory_mode(memory_);
  if (trajectory_ >= 0) options.trajectory = trajectory_;
  return options;
}

}  // namespace detrack::program
