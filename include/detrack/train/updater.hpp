// A model in training: its averaged twin, its optimizer, and what turns a sum of gradients into an update.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "detrack/core/context.hpp"
#include "detrack/train/optimizer.hpp"
#include "detrack/train/schedule.hpp"
#include "detrack/train/step_values.hpp"

namespace detrack {

/// Net is DeTrack or MaskedAutoencoder. The weights are kept in S; where T is narrower, passes run on a copy rounded to T,
/// and the optimizer moves the weights themselves.
template <class T, template <class> class Net>
class Updater {
 public:
  using S = stat_t<T>;

  /// `start`: the weights to begin with, in host memory.
  Updater(Net<S> start, Context<T> ctx, const TrainOptions& options)
      : ctx_(std::move(ctx)),
        options_(options),
        model_(start.template empty<T>(ctx_.allocator())),
        average_(start.template empty<S>(ctx_.allocator())),
        optimizer_((begin_with(start), ctx_), weights(), model_, average_, options.optimizer, parse_stage(options.stage)) {}

  const Config& config() const { return model_.config(); }
  const TrainOptions& options() const { return options_; }
  Context<T>& context() { return ctx_; }
  /// What passes run on.
  Net<T>& model() { return model_; }
  /// The weights in full precision.
  Net<S>& weights() {
    if constexpr (std::is_same_v<T, S>)
      return model_;
    else
      return *wide_;
  }
  /// The exponential moving average of the weights: what is validated and shipped.
  Net<S>& average_model() { return average_; }
  Optimizer<T>& optimizer() { return optimizer_; }
  std::int64_t step() const { return step_; }
  std::int64_t skipped() const { return skipped_; }  ///< updates that were not made
  void set_progress(std::int64_t step, std::int64_t skipped) { step_ = step, skipped_ = skipped; }

  /// To be called when somebody else has written the weights: passes then run on these.
  void round_weights() {
    if constexpr (!std::is_same_v<T, S>) {
      std::vector<View<S>> values;
      wide_->visit([&](const std::string&, Param<S>& p) { values.push_back(p.value); });
      auto value = values.begin();
      model_.visit([&](const std::string&, Param<T>& p) {
        const Shape flat{p.shape.numel()};
        ops::run(ctx_, Cast<T>{.x = value++->reshape(flat), .y = p.value.reshape(flat)});
      });
      ctx_.backend().synchronize();
    }
  }

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
      optimizer_.update(ctx_, values.lr, scale / n, average_decay());
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

  Context<T> ctx_;
  TrainOptions options_;
  Net<T> model_;

 private:
  void begin_with(Net<S>& start) {
    model_.prepare(ctx_);
    model_.allocate_gradients();
    model_.zero_gradients(ctx_);
    if constexpr (!std::is_same_v<T, S>) wide_.emplace(start.template empty<S>(ctx_.allocator()));
    for (Net<S>* net : {&weights(), &average_})
      ops::copy(ctx_, View<const S>(start.parameters().values()), net->parameters().values());
    round_weights();
  }

  double average_decay() const {
    // Early on the average follows the weights more closely: it would remember their random start too long.
    const auto t = static_cast<double>(optimizer_.updates());
    const double wanted = options_.optimizer.ema > 0 ? std::min(options_.optimizer.ema, (1 + t) / (10 + t)) : 0;
    return static_cast<double>(static_cast<S>(wanted));  // as the sweep rounds it: the two must add up to 1
  }

  std::optional<Net<S>> wide_;  ///< where T is narrower than S
  Net<S> average_;
  Optimizer<T> optimizer_;
  StepValues sum_;
  std::string names_;  ///< of the samples since the last update
  std::int64_t passes_ = 0, step_ = 0, skipped_ = 0;
};

}  // namespace detrack
