// What a tracker asks of a network, whatever its element type and device.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "detrack/core/crop_region.hpp"
#include "detrack/image/image.hpp"
#include "detrack/model/config.hpp"

namespace detrack {

/// How much a NetworkRun must be able to do at once, and with what.
struct NetworkRunOptions {
  std::int64_t targets = 1;     ///< the largest batch
  std::int64_t trajectory = 0;  ///< previous boxes a target brings
  bool denoising_steps = false;
  int threads = 0;  ///< CPU; 0: all
};

/// A batch of targets' crops on a device, and the memory for running the network on them. One thread at a time.
/// `target` counts from 0 and stays below NetworkRunOptions::targets.
class NetworkRun {
 public:
  struct Prediction {
    CropBox box{};
    double score = 0;  ///< softmax score
  };

  virtual ~NetworkRun() = default;
  /// Device, threads, precision, for people.
  virtual std::string describe() const = 0;

  /// The frame that crops are taken from, until the next one. Its memory must stay while it is.
  virtual void set_frame(const ImageView& frame) = 0;
  /// The same view into all of a target's template slots.
  virtual void fill_templates(std::int64_t target, const CropRegion& region) = 0;
  /// Forgets the oldest dynamic template and takes this one.
  virtual void push_template(std::int64_t target, const CropRegion& region) = 0;
  /// `trajectory` is oldest first, NetworkRunOptions::trajectory boxes.
  virtual void set_search(std::int64_t target, const CropRegion& region, const CropBox& start,
                          std::span<const CropBox> trajectory) = 0;
  /// One forward pass for the first predictions.size() targets.
  virtual void predict(std::span<Prediction> predictions) = 0;
  /// IoU scores of boxes in the crops of the last predict(), one for each target of it.
  virtual void predict_iou(std::span<const CropBox> boxes, std::span<double> ious) = 0;
  /// The box after each block in the last predict(): config().depth boxes. Needs NetworkRunOptions::denoising_steps.
  virtual void read_steps(std::int64_t target, std::span<CropBox> steps) = 0;

  /// All of a target's templates, (templates, 3, Z, Z) normalised RGB, for saving, moving and looking at them.
  virtual void read_templates(std::int64_t target, std::span<float> values) = 0;
  virtual void write_templates(std::int64_t target, std::span<const float> values) = 0;
};

/// Weights on a device, read-only: shared by any number of runs in any number of threads.
class Network {
 public:
  virtual ~Network() = default;
  virtual const Config& config() const = 0;
  /// Plans the run and allocates everything it needs. Errors: argument, out_of_memory.
  virtual std::unique_ptr<NetworkRun> make_run(const NetworkRunOptions& options) const = 0;

  /// Floats in a target's templates.
  std::size_t template_values() const {
    const Config& c = config();
    return static_cast<std::size_t>(c.templates * 3 * c.template_size * c.template_size);
  }
};

}  // namespace detrack
