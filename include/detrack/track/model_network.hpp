// The network a tracker runs, made of a DeTrack model and contexts of its device.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "detrack/core/instantiate.hpp"
#include "detrack/cpu/backend.hpp"
#include "detrack/model/plan.hpp"
#include "detrack/model/weights_file.hpp"
#include "detrack/track/network.hpp"
#include "detrack/track/recorded_run.hpp"

namespace detrack {

/// Runs a model whose parameters are memory of the context's device.
template <class T>
class ModelRun final : public NetworkRun {
 public:
  ModelRun(std::shared_ptr<const DeTrack<T>> model, Context<T> ctx, const NetworkRunOptions& options)
      : model_(std::move(model)),
        ctx_(std::move(ctx)),
        shape_{options.targets, model_->config().templates, options.trajectory, options.denoising_steps},
        in_(model_->config(), shape_, ctx_.allocator()),
        out_(model_->config(), shape_, ctx_.allocator()) {
    reserve(ctx_, model_->config(), shape_);
    const auto count = static_cast<std::size_t>(options.targets);
    boxes_.resize(4 * std::max(count, count * static_cast<std::size_t>(options.trajectory)));
    stats_.resize(4 * count * static_cast<std::size_t>(model_->config().depth));
    ious_.resize(count);
    template_.resize(static_cast<std::size_t>(in_.templates.numel() / options.targets));
  }

  std::string describe() const override { return ctx_.describe(); }

  void set_frame(const ImageView& frame) override { frame_ = frame.pixels(); }

  void fill_templates(std::int64_t target, const CropRegion& region) override {
    crop(region, slot(target, 0));
    for (std::int64_t i = 1; i < shape_.templates; ++i) copy_slot(target, 0, i);
  }

  void push_template(std::int64_t target, const CropRegion& region) override {
    for (std::int64_t i = 1; i + 1 < shape_.templates; ++i) copy_slot(target, i + 1, i);
    crop(region, slot(target, shape_.templates - 1));
  }

  void set_search(std::int64_t target, const CropRegion& region, const CropBox& start,
                  std::span<const CropBox> trajectory) override {
    crop(region, in_.search.view().select(0, target));
    upload_boxes(std::span(&start, 1), in_.start_box.view().select(0, target).reshape({1, 4}));
    if (shape_.trajectory > 0) upload_boxes(trajectory, in_.trajectory.view().select(0, target));
  }

  void predict(std::span<Prediction> predictions) override {
    const auto B = static_cast<std::int64_t>(predictions.size());
    batch_ = B;
    const Config& c = model_->config();
    const auto first = [&]<class X>(const Tensor<X>& x) { return x.view().slice(0, 0, B); };
    const ModelInputs<T> in{first(in_.search), first(in_.templates), first(in_.start_box),
                            shape_.trajectory > 0 ? first(in_.trajectory) : View<const double>{}};
    ModelOutputs<T> out{.logits = head(out_.logits, {B, 4, c.words()}),
                        .image = head(out_.image, {B, out_.image.shape()[1], c.width}),
                        .box = head(out_.box, {B, 4}),
                        .confidence = head(out_.confidence, {B})};
    if (shape_.steps) {
      out.step_logits = head(out_.step_logits, {c.depth, B, 4, c.words()});
      out.step_boxes = head(out_.step_boxes, {c.depth, B, 4});
    }
    model_->forward(ctx_, in, out);
    download<stat_t<T>>(out.box, stats_);
    for (std::size_t b = 0; b < predictions.size(); ++b) predictions[b].box = crop_box(stats_, b);
    download<stat_t<T>>(out.confidence, stats_);
    for (std::size_t b = 0; b < predictions.size(); ++b) predictions[b].score = static_cast<double>(stats_[b]);
  }

  void predict_iou(std::span<const CropBox> boxes, std::span<double> ious) override {
    const Config& c = model_->config();
    // The start boxes have done their work: their memory takes the boxes to be judged.
    const View<double> judged = in_.start_box.view().slice(0, 0, batch_);
    upload_boxes(boxes, judged);
    const View<T> iou = head(out_.iou, {batch_, 1});
    model_->predict_iou(ctx_, judged, head(out_.image, {batch_, out_.image.shape()[1], c.width}), iou);
    download<T>(iou, ious_);
    for (std::size_t b = 0; b < ious.size(); ++b) ious[b] = static_cast<double>(static_cast<stat_t<T>>(ious_[b]));
  }

  void read_steps(std::int64_t target, std::span<CropBox> steps) override {
    const std::int64_t L = model_->config().depth;
    download<stat_t<T>>(head(out_.step_boxes, {L, batch_, 4}), stats_);
    for (std::size_t j = 0; j < steps.size(); ++j)
      steps[j] = crop_box(stats_, j * static_cast<std::size_t>(batch_) + static_cast<std::size_t>(target));
  }

  void read_templates(std::int64_t target, std::span<float> values) override {
    download<T>(in_.templates.view().select(0, target), template_);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(template_[i]);
  }
  void write_templates(std::int64_t target, std::span<const float> values) override {
    for (std::size_t i = 0; i < values.size(); ++i) template_[i] = T(values[i]);
    const View<T> to = in_.templates.view().select(0, target);
    ops::copy(ctx_, View<const T>(template_.data(), to.shape()), to);
  }

 private:
  void crop(const CropRegion& region, View<T> to) {
    const Config& c = model_->config();
    ops::run(ctx_, CropNormalise<T>{.frame = frame_,
                                    .left = region.left(),
                                    .top = region.top(),
                                    .side = region.side,
                                    .mean = c.mean,
                                    .std = c.std,
                                    .y = to});
  }
  View<T> slot(std::int64_t target, std::int64_t i) { return in_.templates.view().select(0, target).select(0, i); }
  void copy_slot(std::int64_t target, std::int64_t from, std::int64_t to) {
    ops::copy(ctx_, View<const T>(slot(target, from)), slot(target, to));
  }

  /// The front of a buffer that was made for the largest batch, in the shape of a smaller one.
  template <class X>
  static View<X> head(Tensor<X>& buffer, const Shape& shape) {
    return {buffer.data(), shape, buffer.device()};
  }
  template <class X>
  void download(View<const X> from, std::vector<X>& to) {
    ops::copy(ctx_, from, View<X>(to.data(), from.shape()));
  }
  void upload_boxes(std::span<const CropBox> boxes, View<double> to) {
    for (std::size_t i = 0; i < boxes.size(); ++i) std::copy_n(boxes[i].begin(), 4, boxes_.begin() + 4 * i);
    ops::copy(ctx_, View<const double>(boxes_.data(), to.shape()), to);
  }
  template <class X>
  static CropBox crop_box(const std::vector<X>& values, std::size_t i) {
    CropBox box;
    for (std::size_t k = 0; k < 4; ++k) box[k] = static_cast<double>(values[4 * i + k]);
    return box;
  }

  std::shared_ptr<const DeTrack<T>> model_;
  Context<T> ctx_;
  RunShape shape_;
  InputBuffers<T> in_;
  OutputBuffers<T> out_;
  Pixels frame_;
  std::int64_t batch_ = 0;  ///< of the last predict()
  // Host ends of the transfers, of fixed sizes, so that a steady run allocates nothing.
  std::vector<double> boxes_;
  std::vector<stat_t<T>> stats_;
  std::vector<T> ious_, template_;
};

/// A model and a way to make contexts for it.
template <class T>
class ModelNetwork final : public Network {
 public:
  using MakeContext = std::function<Context<T>(int threads)>;
  ModelNetwork(DeTrack<T> model, MakeContext make_context)
      : model_(std::make_shared<DeTrack<T>>(std::move(model))), make_context_(std::move(make_context)) {}

  const Config& config() const override { return model_->config(); }

  std::unique_ptr<NetworkRun> make_run(const NetworkRunOptions& options) const override {
    if (options.targets < 1) fail(ErrorCode::argument, "Network: targets: expected at least 1, got ", options.targets);
    if (options.trajectory < 0 || options.trajectory > config().trajectory)
      fail(ErrorCode::argument, "Network: trajectory: expected at most ", config().trajectory, " boxes, got ",
           options.trajectory);
    Context<T> ctx = make_context_(options.threads);
    if (ctx.backend().records()) return std::make_unique<RecordedRun<T>>(model_, std::move(ctx), options);
    return std::make_unique<ModelRun<T>>(model_, std::move(ctx), options);
  }

 private:
  std::shared_ptr<const DeTrack<T>> model_;
  MakeContext make_context_;
};

/// A model of one's own making on the CPU. Other products than full take half (bfloat16) or a quarter (int8) of its memory
/// again, for its weights packed.
/// Errors: those of cpu::make_context, when a run is made.
inline std::shared_ptr<const Network> cpu_network(DeTrack<float> model, cpu::Products products = cpu::Products::full) {
  std::shared_ptr<cpu::PackedWeights> weights;
  if (products != cpu::Products::full) {
    weights = std::make_shared<cpu::PackedWeights>(products);
    model.visit([&](const std::string&, const Param<float>& p) {  // of whose values moving the model moves none
      if (p.shape.rank() > 1) weights->add(p.value.reshape({p.shape[0], p.shape.numel() / p.shape[0]}));
    });
  }
  return std::make_shared<ModelNetwork<float>>(std::move(model), [products, weights](int threads) {
    return cpu::make_context<float>({.threads = threads, .products = products, .weights = weights});
  });
}

/// A weights file on the CPU, in float. Errors: io, format, config, state_dict.
inline std::shared_ptr<const Network> load_network(const std::filesystem::path& weights,
                                                   cpu::Products products = cpu::Products::full) {
  return cpu_network(load_model<float>(weights), products);
}

namespace cpu {
inline namespace DETRACK_CPU_ISA {

/// For TrackerOptions::device:  options.device = detrack::cpu::device(detrack::cpu::Products::bfloat16)
inline std::function<std::shared_ptr<const Network>(const std::filesystem::path&)> device(Products products) {
  return [products](const std::filesystem::path& weights) { return load_network(weights, products); };
}

}  // namespace DETRACK_CPU_ISA
}  // namespace cpu

DETRACK_INSTANTIATE(class ModelRun<float>)
DETRACK_INSTANTIATE(class ModelNetwork<float>)

}  // namespace detrack
