// Trains a DeTrack on batches: stages pairs, sequences and iou.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "detrack/core/instantiate.hpp"
#include "detrack/model/plan.hpp"
#include "detrack/model/training_pass.hpp"
#include "detrack/train/batch.hpp"
#include "detrack/train/crop_overlap.hpp"
#include "detrack/train/drop_path.hpp"
#include "detrack/train/judged_boxes.hpp"
#include "detrack/train/noise_draw.hpp"
#include "detrack/train/pixel_upload.hpp"
#include "detrack/train/updater.hpp"

namespace detrack {

/// All that is random hangs on the seed and the numbers of samples, so a run that goes on from a checkpoint is the run that
/// was not interrupted.
template <class T>
class Trainer : public Updater<T, DeTrack> {
 public:
  /// `start`: the weights to begin with, in host memory.
  Trainer(DeTrack<stat_t<T>> start, Context<T> ctx, const TrainOptions& options)
      : Trainer(std::move(start), std::move(ctx), options, parse_stage(options.stage)) {}

  /// Forward, losses and backward for one batch; its gradients are added to those of earlier passes. `next`, if it is known,
  /// travels to the device, or is made there, meanwhile: it must stay as it is until its own pass, which must be the next
  /// one. Errors: argument (a batch of another size).
  void pass(const Batch& batch, const Batch* next = nullptr) {
    for (const Batch* one : {&batch, next})
      if (one && one->size() != this->options_.batch)
        fail(ErrorCode::argument, "Trainer::pass: batch: expected ", this->options_.batch, " samples, got ", one->size());
    receive(batch);
    if (next) send_ahead(*next);
    if (stage_ == Stage::iou)
      pass_iou(batch);
    else
      pass_boxes(batch);
  }

  /// Boxes of the weights as they are, for a batch whose starts are its `prior`s; no gradients. What rollouts are made of.
  const std::vector<CropBox>& predict(const Batch& batch) {
    receive(batch);
    upload_boxes(batch.prior, in_.start_box.view());
    this->model_.forward(this->ctx_, inputs(), out_.views());
    download_boxes();
    return predicted_;
  }

 private:
  Trainer(DeTrack<stat_t<T>>&& start, Context<T>&& ctx, const TrainOptions& options, Stage stage)
      : Updater<T, DeTrack>(std::move(start), std::move(ctx), options),
        stage_(stage),
        shape_(shape_of(options, this->config(), stage)),
        in_(this->config(), shape_, this->ctx_.allocator()),
        out_(this->config(), shape_, this->ctx_.allocator()),
        pass_(this->config(), weights_of(options.loss), options.recompute),
        starts_(static_cast<std::size_t>(options.batch)),
        judged_(options.sampling),
        predicted_(static_cast<std::size_t>(options.batch)) {
    // A forward that nothing is saved of, as predict() and stage iou run it, may keep more beside than a training pass does.
    for (const bool training : {true, false}) reserve(this->ctx_, this->config(), shape_, training);
    if (stage == Stage::iou)
      dimage_ = Tensor<T>(out_.image.shape(), this->ctx_.allocator());
    else if (options.optimizer.drop_path > 0)
      drop_path_ = Tensor<stat_t<T>>({this->config().depth, 2, options.batch}, this->ctx_.allocator());
  }

  static RunShape shape_of(const TrainOptions& options, const Config& config, Stage stage) {
    return {.batch = options.batch,
            .templates = options.templates > 0 ? options.templates : config.templates,
            .trajectory = stage == Stage::sequences ? config.trajectory : 0,
            .steps = stage != Stage::iou,
            .recompute = options.recompute,
            .judged = stage == Stage::iou ? options.sampling.judged : 1};
  }
  static LossWeights weights_of(const LossOptions& loss) {
    return {.ce = loss.ce,
            .siou = loss.siou,
            .denoise = loss.denoise,
            .label_sigma = loss.label_sigma,
            .noise_target_total = loss.noise_target == "total"};
  }

  void pass_boxes(const Batch& batch) {
    const double prior_prob = stage_ == Stage::sequences ? 1 : this->options_.sampling.prior_prob;
    for (std::size_t b = 0; b < predicted_.size(); ++b)
      starts_.draw(b, this->config(), batch.truth[b], batch.prior[b], prior_prob,
                   Philox(this->options_.seed ^ stream_of("noise"), batch.sample(b)));
    upload_boxes(starts_.start, in_.start_box.view());
    ModelInputs<T> in = inputs();
    if (drop_path_) {
      host_drop_path_.draw(this->config().depth, this->options_.optimizer.drop_path, this->options_.seed, batch);
      ops::copy(this->ctx_, host_drop_path_.view(), drop_path_.view());
      in.drop_path = drop_path_.view();
    }
    const PassValues values =
        pass_.run(this->ctx_, this->model_, in, out_.views(), out_.iou.view(), starts_.targets(batch.truth));
    download_boxes();
    this->add_pass(values.box, mean_overlap(batch), batch.names);
  }

  void pass_iou(const Batch& batch) {
    upload_boxes(batch.prior, in_.start_box.view());
    this->model_.forward(this->ctx_, inputs(), out_.views());
    download_boxes();
    judged_.draw(batch, predicted_, this->options_.seed);
    const double mse =
        iou_pass_.run(this->ctx_, this->model_, judged_.task(), out_.image.view(), out_.iou.view(), dimage_.view());
    this->add_pass({.total = mse}, mean_overlap(batch), batch.names);
  }

  double mean_overlap(const Batch& batch) const {
    double sum = 0, present = 0;
    for (std::size_t b = 0; b < predicted_.size(); ++b) {
      if (batch.absent[b]) continue;
      sum += crop_overlap(predicted_[b], batch.truth[b]);
      present += 1;
    }
    return present > 0 ? sum / present : 0;
  }

  ModelInputs<T> inputs() const {
    ModelInputs<T> in = in_.views();
    if (shape_.trajectory == 0) in.trajectory = {};
    return in;
  }
  /// Pixels are on the device already where send_ahead() has been told of the batch.
  void receive(const Batch& batch) {
    if (ahead_) this->ctx_.join_side();
    if (std::exchange(ahead_, nullptr) != &batch) return upload(batch);
    std::swap(in_.search, search_ahead_);
    std::swap(in_.templates, templates_ahead_);
    upload_trajectory(batch);
  }
  void send_ahead(const Batch& batch) {
    if (!this->ctx_.backend().runs_side_by_side()) return;
    if (!search_ahead_) {
      search_ahead_ = Tensor<T>(in_.search.shape(), this->ctx_.allocator());
      templates_ahead_ = Tensor<T>(in_.templates.shape(), this->ctx_.allocator());
    }
    this->ctx_.run_side(
        [&] { pixels_.upload(this->ctx_, this->config(), batch, search_ahead_.view(), templates_ahead_.view()); });
    ahead_ = &batch;
  }
  void upload(const Batch& batch) {
    pixels_.upload(this->ctx_, this->config(), batch, in_.search.view(), in_.templates.view());
    upload_trajectory(batch);
  }
  void upload_trajectory(const Batch& batch) {
    if (shape_.trajectory > 0) upload_boxes(batch.trajectory, in_.trajectory.view());
  }
  void upload_boxes(const std::vector<CropBox>& boxes, View<double> to) {
    if (4 * boxes.size() != static_cast<std::size_t>(to.numel()))
      fail(ErrorCode::argument, "Trainer: expected ", to.numel() / 4, " boxes, got ", boxes.size());
    ops::copy(this->ctx_, View<const double>(boxes.front().data(), to.shape()), to);
  }
  void download_boxes() {
    stats_.resize(4 * predicted_.size());
    ops::copy(this->ctx_, View<const stat_t<T>>(out_.box.view()), View<stat_t<T>>(stats_.data(), out_.box.shape()));
    for (std::size_t i = 0; i < stats_.size(); ++i) predicted_[i / 4][i % 4] = static_cast<double>(stats_[i]);
  }

  Stage stage_;
  RunShape shape_;
  InputBuffers<T> in_;
  OutputBuffers<T> out_;
  PixelUpload<T> pixels_;
  const Batch* ahead_ = nullptr;  ///< its pixels are, or will be, in the following two
  Tensor<T> search_ahead_, templates_ahead_;
  Tensor<T> dimage_;
  Tensor<stat_t<T>> drop_path_;
  TrainingPass<T> pass_;
  IouPass<T> iou_pass_;
  NoisyStarts starts_;
  DropPath host_drop_path_;
  JudgedBoxes judged_;
  std::vector<stat_t<T>> stats_;
  std::vector<CropBox> predicted_;
};

DETRACK_INSTANTIATE(class Updater<float, DeTrack>)
DETRACK_INSTANTIATE(class Trainer<float>)

}  // namespace detrack
