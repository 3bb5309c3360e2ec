// What the training program asks of a stage, whatever is trained in it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "detrack/track/network.hpp"
#include "detrack/train/image_cache.hpp"
#include "detrack/train/run_state.hpp"
#include "detrack/train/step_values.hpp"
#include "detrack/train/training_data.hpp"
#include "examples/support/device_options.hpp"
#include "examples/support/train_config.hpp"

namespace detrack::program {

class TrainingStage {
 public:
  virtual ~TrainingStage() = default;
  /// Model, stage, size, device, for people.
  virtual std::string describe() = 0;
  virtual std::int64_t steps_done() const = 0;

  /// Goes on after steps_done(). One update of the weights. Errors: io (no data can be read any more).
  virtual StepValues step() = 0;
  /// Samples of the last step.
  virtual std::int64_t samples() const = 0;
  /// Seconds that steps have waited for data.
  virtual double waited() const = 0;
  /// Files that could not be read, and how often they were drawn.
  virtual std::map<std::string, std::int64_t> problems() const = 0;
  /// What is worth telling about the last step, or nothing.
  virtual std::string notice() { return {}; }
  virtual std::int64_t skipped() const = 0;

  /// Everything that going on needs. Before the first step only: load().
  virtual void save(const std::filesystem::path& path, const RunState& state) = 0;
  virtual void load(const std::filesystem::path& path) = 0;
  /// The averaged weights, in bf16.
  virtual void save_weights(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata) = 0;
  /// The averaged weights as something that tracks; nullptr where they do not (mae).
  virtual std::shared_ptr<const Network> network() = 0;
};

/// Makes the model, from scratch or from the configuration's `init`, which is told on stdout.
/// Errors: config, io, format, state_dict, argument.
std::unique_ptr<TrainingStage> make_stage(const TrainConfig& config, std::shared_ptr<const TrainingData> data,
                                          std::shared_ptr<ImageCache> images, const DeviceOptions& device);

}  // namespace detrack::program
