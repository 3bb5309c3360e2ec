// Trains a DeTrack on batches: passes that add up gradients, then an update of the weights.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "detrack/image/box.hpp"
#include "detrack/model/plan.hpp"
#include "detrack/model/training_pass.hpp"
#include "detrack/train/batch.hpp"
#include "detrack/train/noise_draw.hpp"
#include "detrack/train/optimizer.hpp"
#include "detrack/train/schedule.hpp"

namespace detrack {

/// What an update has to tell.
struct StepValues {
  std::int64_t step = 0;  ///< updates done, this one included
  LossValues loss;        ///< means over the passes
  double iou_loss = 0;    ///< stage iou: mean squared error
  double mean_iou = 0;    ///< of the refined boxes with the truth
  double gradient_norm = 0;
  double lr = 0;
  std::string skipped;  ///< not empty: why nothing was updated, and which samples were to blame
};

/// The overlap of boxes in crop units; corners in the wrong order overlap with nothing.
inline double crop_iou(const CropBox& a, const CropBox& b) {
  const auto box = [](const CropBox& c) { return Box{c[0], c[1], c[2] - c[0], c[3] - c[1]}; };
  return iou(box(a), box(b));
}

/// Stages pairs and iou (sequences: see Rollout, which hands batches with trajectories to pass()). All that is random hangs
/// on the seed and the numbers of samples, so a run that goes on from a checkpoint is the run that was not interrupted.
template <class T>
class Trainer {
 public:
  /// The model must be in memory of the context's device. `trajectory`: previous boxes that samples have.
  Trainer(DeTrack<T> model, Context<T> ctx, const TrainOptions& options, std::int64_t trajectory = 0)
      : options_(options),
        stage_(parse_stage(options.stage)),
        model_(std::move(model)),
        average_(model_.config(), ctx.allocator()),
        ctx_(std::move(ctx)),
        shape_{options.batch, options.templates > 0 ? options.templates : model_.config().templates, trajectory,
               stage_ != Stage::iou},
        in_(model_.config(), shape_, ctx_.allocator()),
        out_(model_.config(), shape_, ctx_.allocator()),
        dimage_(out_.image.shape(), ctx_.allocator()),
        optimizer_((model_.allocate_gradients(), ctx_), model_, options.optimizer, stage_),
        pass_(model_.config(),
              LossWeights{options.loss.ce, options.loss.siou, options.loss.denoise, options.loss.label_sigma}),
        starts_(static_cast<std::size_t>(options.batch)),
        boxes_(4 * static_cast<std::size_t>(options.batch)),
        judged_(static_cast<std::size_t>(options.batch)),
        overlap_(static_cast<std::size_t>(options.batch)) {
    reserve(ctx_, model_.config(), shape_, true);
    ops::copy(ctx_, View<const T>(model_.parameters().values()), average_.parameters().values());
    model_.zero_gradients(ctx_);
  }

  /// Forward, losses and backward for one batch; its gradients are added to those of earlier passes.
  void pass(const Batch& batch) {
    const auto B = static_cast<std::size_t>(batch.size());
    if (batch.size() != options_.batch)
      fail(ErrorCode::argument, "Trainer::pass: batch: expected ", options_.batch, " samples, got ", batch.size());
    upload(batch);
    for (std::size_t b = 0; b < B; ++b)
      starts_.draw(b, config(), batch.truth[b], batch.prior[b], options_.sampling.prior_prob,
                   Philox(options_.seed ^ stream_of("noise"), batch.sample(b)));
    upload_boxes(starts_.start, in_.start_box.view());
    PassValues values;
    if (stage_ == Stage::iou) {
      model_.forward(ctx_, in_.views(), out_.views());
      download_boxes();
      choose_judged(batch);
      values.iou = iou_pass_.run(ctx_, model_, {judged_, overlap_}, out_.image.view(), out_.iou.view(), dimage_.view());
    } else {
      values = pass_.run(ctx_, model_, in_.views(), out_.views(), out_.iou.view(), starts_.targets(batch.truth));
      download_boxes();
    }
    if (!std::isfinite(values.box.total + values.iou)) blame(batch, "a loss that is not finite");
    double overlap = 0;
    for (std::size_t b = 0; b < B; ++b) overlap += batch.absent[b] ? 0 : crop_iou(predicted(b), batch.truth[b]);
    const auto present = std::max<std::ptrdiff_t>(std::count(batch.absent.begin(), batch.absent.end(), 0), 1);
    sum_.loss.total += values.box.total, sum_.loss.ce += values.box.ce, sum_.loss.siou += values.box.siou;
    sum_.loss.denoise += values.box.denoise, sum_.iou_loss += values.iou;
    sum_.mean_iou += overlap / static_cast<double>(present);
    names_ += (names_.empty() ? "" : "; ") + join(batch.names);
    ++passes_;
  }

  /// Moves the weights by the mean gradient of the passes since the last update. With a loss or gradient that is not finite
  /// nothing moves.
  StepValues update() {
    if (passes_ == 0) fail(ErrorCode::argument, "Trainer::update: expected a pass before it, got none");
    const double n = static_cast<double>(passes_);
    StepValues values = sum_;
    values.loss = {sum_.loss.total / n, sum_.loss.ce / n, sum_.loss.siou / n, sum_.loss.denoise / n};
    values.iou_loss /= n, values.mean_iou /= n;
    values.lr = options_.optimizer.lr * schedule_factor(options_.optimizer, step_, options_.steps);
    values.gradient_norm = optimizer_.gradient_norm(ctx_) / n;
    values.step = ++step_;
    if (values.skipped.empty() && !std::isfinite(values.gradient_norm))
      values.skipped = "a gradient that is not finite, from " + names_;
    if (values.skipped.empty()) {
      const double clip = options_.optimizer.clip;
      const double scale = (clip > 0 && values.gradient_norm > clip ? clip / values.gradient_norm : 1) / n;
      optimizer_.update(ctx_, values.lr, scale);
      average();
    } else {
      ++skipped_;
    }
    model_.zero_gradients(ctx_);
    sum_ = {};
    names_.clear();
    passes_ = 0;
    return values;
  }

  const Config& config() const { return model_.config(); }
  const TrainOptions& options() const { return options_; }
  Context<T>& context() { return ctx_; }
  DeTrack<T>& model() { return model_; }
  /// The exponential moving average of the weights: what is validated and shipped.
  DeTrack<T>& average_model() { return average_; }
  Optimizer<T>& optimizer() { return optimizer_; }
  std::int64_t step() const { return step_; }
  std::int64_t skipped() const { return skipped_; }
  void set_progress(std::int64_t step, std::int64_t skipped) { step_ = step, skipped_ = skipped; }

 private:
  void upload(const Batch& batch) {
    static_assert(std::is_same_v<T, float>, "batches hold floats");
    ops::copy(ctx_, batch.search.view(), in_.search.view());
    ops::copy(ctx_, batch.templates.view(), in_.templates.view());
  }
  void upload_boxes(const std::vector<CropBox>& boxes, View<double> to) {
    for (std::size_t i = 0; i < boxes.size(); ++i) std::copy_n(boxes[i].begin(), 4, host_boxes(i));
    ops::copy(ctx_, View<const double>(boxes_.data(), to.shape()), to);
  }
  void download_boxes() {
    stats_.resize(boxes_.size());
    ops::copy(ctx_, View<const stat_t<T>>(out_.box.view()), View<stat_t<T>>(stats_.data(), out_.box.shape()));
    for (std::size_t i = 0; i < stats_.size(); ++i) boxes_[i] = static_cast<double>(stats_[i]);
  }
  double* host_boxes(std::size_t b) { return boxes_.data() + 4 * b; }
  CropBox predicted(std::size_t b) const { return {boxes_[4 * b], boxes_[4 * b + 1], boxes_[4 * b + 2], boxes_[4 * b + 3]}; }

  /// The boxes that the IoU head is to judge: predicted ones and ones about the truth, half each.
  void choose_judged(const Batch& batch) {
    for (std::size_t b = 0; b < judged_.size(); ++b) {
      Philox rng(options_.seed ^ stream_of("judged"), batch.sample(b));
      const bool own = rng.uniform() < 0.5;
      const CropBox& truth = batch.absent[b] ? batch.prior[b] : batch.truth[b];
      const double deviation = options_.sampling.box_jitter;
      double w = truth[2] - truth[0], h = truth[3] - truth[1];
      const double x = (truth[0] + truth[2]) / 2 + (rng.uniform() - 0.5) * w,
                   y = (truth[1] + truth[3]) / 2 + (rng.uniform() - 0.5) * h;
      w *= std::exp(deviation * rng.normal()), h *= std::exp(deviation * rng.normal());
      // Most moves are small, so that overlaps of all sizes come up.
      const double near = rng.uniform();
      const double cx = (truth[0] + truth[2]) / 2, cy = (truth[1] + truth[3]) / 2;
      const double mx = cx + near * (x - cx), my = cy + near * (y - cy);
      judged_[b] = own ? predicted(b) : CropBox{mx - w / 2, my - h / 2, mx + w / 2, my + h / 2};
      overlap_[b] = batch.absent[b] ? 0 : crop_iou(judged_[b], batch.truth[b]);
    }
  }

  void average() {
    const double wanted = options_.optimizer.ema;
    // Early on the average follows the weights more closely: it would remember their random start too long.
    const auto t = static_cast<double>(optimizer_.updates());
    const double decay = std::min(wanted, (1 + t) / (10 + t));
    const View<T> mean = average_.parameters().values();
    ops::run(ctx_, Add<T>{.alpha = wanted > 0 ? decay : 0,
                          .a = mean,
                          .beta = wanted > 0 ? 1 - decay : 1,
                          .b = model_.parameters().values(),
                          .y = mean});
  }

  void blame(const Batch& batch, const char* what) {
    if (sum_.skipped.empty()) sum_.skipped = std::string(what) + ", from " + join(batch.names);
  }
  static std::string join(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : "; ") + name;
    return text;
  }

  TrainOptions options_;
  Stage stage_;
  DeTrack<T> model_, average_;
  Context<T> ctx_;
  RunShape shape_;
  InputBuffers<T> in_;
  OutputBuffers<T> out_;
  Tensor<T> dimage_;
  Optimizer<T> optimizer_;
  TrainingPass<T> pass_;
  IouPass<T> iou_pass_;
  NoisyStarts starts_;
  std::vector<double> boxes_;
  std::vector<stat_t<T>> stats_;
  std::vector<CropBox> judged_;
  std::vector<double> overlap_;
  StepValues sum_;
  std::string names_;
  std::int64_t passes_ = 0, step_ = 0, skipped_ = 0;
};

}  // namespace detrack
