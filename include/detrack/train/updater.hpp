// A model in training: its averaged twin, its optimizer, and what turns a sum of gradients into an update.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "detrack/core/context.hpp"
#include "detrack/train/optimizer.hpp"
#include "detrack/train/schedule.hpp"
#include "detrack/train/step_values.hpp"

namespace detrack {

/// Model is a DeTrack<T> or a MaskedAutoencoder<T>, in memory of the context's device.
template <class T, class Model>
class Updater {
 public:
  /// `average` is a second model of the same shape, whatever its values. (References: what makes `average` may look at
  /// them.)
  Updater(Model&& model, Model average, Context<T>&& ctx, const TrainOptions& options)
      : model_(std::move(model)),
        average_(std::move(average)),
        ctx_(std::move(ctx)),
        options_(options),
        optimizer_((model_.allocate_gradients(), ctx_), model_, options.optimizer, parse_stage(options.stage)) {
    ops::copy(ctx_, View<const T>(model_.parameters().values()), average_.parameters().values());
    model_.zero_gradients(ctx_);
  }

  const Config& config() const { return model_.config(); }
  const TrainOptions& options() const { return options_; }
  Context<T>& context() { return ctx_; }
  Model& model() { return model_; }
  /// The exponential moving average of the weights: what is validated and shipped.
  Model& average_model() { return average_; }
  Optimizer<T>& optimizer() { return optimizer_; }
  std::int64_t step() const { return step_; }
  std::int64_t skipped() const { return skipped_; }  ///< updates that were not made
  void set_progress(std::int64_t step, std::int64_t skipped) { step_ = step, skipped_ = skipped; }

  /// Moves the weights by the mean gradient of the passes since the last update. Where a loss or a gradient is not finite
  /// nothing moves. Errors: argument (no pass).
  StepValues update() {
    if (passes_ == 0) fail(ErrorCode::argument, "Updater::update: expected a pass before it, got none");
    const double n = static_cast<double>(passes_);
    StepValues values = std::exchange(sum_, {});
    for (double* x : {&values.loss.total, &values.loss.ce, &values.loss.siou, &values.loss.denoise, &values.mean_iou})
      *x /= n;
    values.lr = options_.optimizer.lr * schedule_factor(options_.optimizer, step_, options_.steps);
    values.gradient_norm = optimizer_.gradient_norm(ctx_) / n;
    values.step = ++step_;
    if (values.skipped.empty() && !std::isfinite(values.gradient_norm))
      values.skipped = "a gradient that is not finite, from " + names_;
    if (values.skipped.empty()) {
      const double clip = options_.optimizer.clip;
      const double scale = clip > 0 && values.gradient_norm > clip ? clip / values.gradient_norm : 1;
      optimizer_.update(ctx_, values.lr, scale / n);
      average();
    } else {
      ++skipped_;
    }
    model_.zero_gradients(ctx_);
    names_.clear();
    passes_ = 0;
    return values;
  }

 protected:
  /// Notes a pass whose gradients have been added.
  void add_pass(const LossValues& loss, double mean_iou, const std::vector<std::string>& names) {
    std::string joined;
    for (const std::string& name : names) joined += (joined.empty() ? "" : "; ") + name;
    if (!std::isfinite(loss.total) && sum_.skipped.empty()) sum_.skipped = "a loss that is not finite, from " + joined;
    sum_.loss.total += loss.total, sum_.loss.ce += loss.ce, sum_.loss.siou += loss.siou, sum_.loss.denoise += loss.denoise;
    sum_.mean_iou += mean_iou;
    names_ += (names_.empty() ? "" : "; ") + joined;
    ++passes_;
  }

  Model model_, average_;
  Context<T> ctx_;
  TrainOptions options_;

 private:
  void average() {
    // Early on the average follows the weights more closely: it would remember their random start too long.
    const auto t = static_cast<double>(optimizer_.updates());
    const double wanted = options_.optimizer.ema > 0 ? std::min(options_.optimizer.ema, (1 + t) / (10 + t)) : 0;
    const auto decay = static_cast<double>(static_cast<T>(wanted));  // as the sweep rounds it: the two must add up to 1
    const View<T> mean = average_.parameters().values();
    ops::run(ctx_, Add<T>{.alpha = decay, .a = mean, .beta = 1 - decay, .b = model_.parameters().values(), .y = mean});
  }

  Optimizer<T> optimizer_;
  StepValues sum_;
  std::string names_;  ///< of the samples since the last update
  std::int64_t passes_ = 0, step_ = 0, skipped_ = 0;
};

}  // namespace detrack
