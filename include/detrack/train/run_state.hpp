// Where a training run stands, beside its tensors.
#pragma once

#include <cstdint>
#include <string>

namespace detrack {

/// Random numbers and samples follow from the step.
struct RunState {
  static constexpr const char* kMetadataKey = "detrack.run";

  std::int64_t step = 0, updates = 0, skipped = 0, samples = 0;
  double best_score = -1;  ///< of the validations so far; -1: none
  std::int64_t best_step = 0;
  double seconds = 0;   ///< of training, over all interruptions
  std::string options;  ///< JSON; a run goes on only with the options it was begun with

  template <class F>
  void fields(F&& f) {
    f.number("step", step, 0, 9e15);
    f.number("updates", updates, 0, 9e15);
    f.number("skipped", skipped, 0, 9e15);
    f.number("samples", samples, 0, 9e15);
    f.number("best_score", best_score, -1e9, 1e9);
    f.number("best_step", best_step, 0, 9e15);
    f.number("seconds", seconds, 0, 1e12);
    f.text("options", options);
  }
};

}  // namespace detrack
