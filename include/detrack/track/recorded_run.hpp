// A network run on a device that replays recorded work: one copy up, the whole update, one copy down.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "detrack/model/plan.hpp"
#include "detrack/track/device_frame.hpp"
#include "detrack/track/mirrored_block.hpp"
#include "detrack/track/network.hpp"

namespace detrack {

/// Crops, forward pass, placing the box in the frame and the IoU head for that box are one recording for each batch size,
/// made when the size is first met. What changes from frame to frame (where to crop, start boxes, trajectories) is in a
/// block of host memory that the recording copies first; what comes back is in another.
template <class T>
class RecordedRun final : public NetworkRun {
 public:
  /// Errors: out_of_memory, those of the backend.
  RecordedRun(std::shared_ptr<const DeTrack<T>> model, Context<T> ctx, const NetworkRunOptions& options)
      : model_(std::move(model)),
        ctx_(std::move(ctx)),
        shape_{options.targets, model_->config().templates, options.trajectory, options.denoising_steps},
        frame_(ctx_),
        up_(ctx_),
        down_(ctx_),
        templates_({shape_.batch, shape_.templates, 3, model_->config().template_size, model_->config().template_size},
                   ctx_.allocator()),
        search_({shape_.batch, 3, model_->config().search_size, model_->config().search_size}, ctx_.allocator()),
        out_(model_->config(), shape_, ctx_.allocator()),
        recordings_(static_cast<std::size_t>(shape_.batch) + 1),
        template_(static_cast<std::size_t>(templates_.numel() / shape_.batch)) {
    const std::int64_t n = shape_.batch;
    sources_ = up_.template add<CropSource>({n});
    start_ = up_.template add<double>({n, 4});
    trajectory_ = up_.template add<double>({n, shape_.trajectory, 4});
    placement_ = up_.template add<double>({n, 9});
    box_ = down_.template add<stat_t<T>>({n, 4});
    confidence_ = down_.template add<stat_t<T>>({n});
    placed_ = down_.template add<double>({n, 4});
    iou_ = down_.template add<T>({n, 1});
    step_boxes_ = down_.template add<stat_t<T>>({shape_.steps ? model_->config().depth : 0, n, 4});
    up_.allocate(), down_.allocate();
    reserve(ctx_, model_->config(), shape_);
  }

  std::string describe() const override { return ctx_.describe(); }

  void set_frame(const ImageView& frame) override { frame_.set(frame); }

  void fill_templates(std::int64_t target, const CropRegion& region) override {
    crop_template(target, 0, region);
    for (std::int64_t i = 1; i < shape_.templates; ++i) copy_slot(target, 0, i);
    ctx_.backend().synchronize();  // the frame is the caller's again
  }

  void push_template(std::int64_t target, const CropRegion& region) override {
    for (std::int64_t i = 1; i + 1 < shape_.templates; ++i) copy_slot(target, i + 1, i);
    crop_template(target, shape_.templates - 1, region);
    ctx_.backend().synchronize();
  }

  void set_search(std::int64_t target, const CropRegion& region, const CropBox& start,
                  std::span<const CropBox> trajectory) override {
    const Pixels& frame = frame_.pixels();
    up_.host(sources_)(target) = {frame, region.left(), region.top(), region.side};
    put(start, up_.host(start_).select(0, target));
    for (std::size_t k = 0; k < trajectory.size(); ++k)
      put(trajectory[k], up_.host(trajectory_).select(0, target).select(0, static_cast<std::int64_t>(k)));
    const Box last = to_frame(start, region);
    const double row[9] = {region.centre_x,
                           region.centre_y,
                           region.side,
                           static_cast<double>(frame.width),
                           static_cast<double>(frame.height),
                           last.x,
                           last.y,
                           last.w,
                           last.h};
    std::copy_n(row, 9, up_.host(placement_).select(0, target).data());
  }

  void predict(std::span<Prediction> predictions) override {
    batch_ = static_cast<std::int64_t>(predictions.size());
    auto& recording = recordings_[predictions.size()];
    if (recording) {
      recording->replay();
    } else {
      work();  // as it comes: for the results, and so that all memory is there
      recording = ctx_.backend().record([&] { work(); });
    }
    ctx_.backend().synchronize();
    for (std::int64_t b = 0; b < batch_; ++b)
      predictions[static_cast<std::size_t>(b)] = {box_of(down_.host(box_).select(0, b)),
                                                  static_cast<double>(down_.host(confidence_)(b))};
  }

  void predict_iou(std::span<const CropBox> boxes, std::span<double> ious) override {
    bool foreseen = true;
    for (std::int64_t b = 0; b < batch_; ++b)
      foreseen = foreseen && alike(boxes[static_cast<std::size_t>(b)], box_of(down_.host(placed_).select(0, b)));
    if (!foreseen) {  // another pass or block was read, or the target was held where it is
      for (std::int64_t b = 0; b < batch_; ++b) put(boxes[static_cast<std::size_t>(b)], up_.host(start_).select(0, b));
      up_.upload();
      judge(up_.device(start_).slice(0, 0, batch_));
      down_.download();
      ctx_.backend().synchronize();
    }
    for (std::int64_t b = 0; b < batch_; ++b)
      ious[static_cast<std::size_t>(b)] = static_cast<double>(static_cast<stat_t<T>>(down_.host(iou_)(b, 0)));
  }

  void read_steps(std::int64_t target, std::span<CropBox> steps) override {
    const View<stat_t<T>> boxes = front(down_.host(step_boxes_), {model_->config().depth, batch_, 4});
    for (std::size_t j = 0; j < steps.size(); ++j)
      steps[j] = box_of(boxes.select(0, static_cast<std::int64_t>(j)).select(0, target));
  }

  void read_templates(std::int64_t target, std::span<float> values) override {
    const View<const T> from = templates_.view().select(0, target);
    ops::copy(ctx_, from, View<T>(template_.data(), from.shape()));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(template_[i]);
  }
  void write_templates(std::int64_t target, std::span<const float> values) override {
    for (std::size_t i = 0; i < values.size(); ++i) template_[i] = T(values[i]);
    const View<T> to = templates_.view().select(0, target);
    ops::copy(ctx_, View<const T>(template_.data(), to.shape()), to);
  }

 private:
  /// The update of batch_ targets, from the copy up to the copy down.
  void work() {
    const Config& c = model_->config();
    const std::int64_t B = batch_;
    up_.upload();
    for (std::int64_t b = 0; b < B; ++b)
      ops::run(
          ctx_,
          CropNormalise<T>{
              .at = up_.device(sources_).slice(0, b, 1), .mean = c.mean, .std = c.std, .y = search_.view().select(0, b)});
    const ModelInputs<T> in{search_.view().slice(0, 0, B), templates_.view().slice(0, 0, B),
                            up_.device(start_).slice(0, 0, B),
                            shape_.trajectory > 0 ? up_.device(trajectory_).slice(0, 0, B) : View<double>{}};
    ModelOutputs<T> out{.logits = front(out_.logits.view(), {B, 4, c.words()}),
                        .image = image(),
                        .box = down_.device(box_).slice(0, 0, B),
                        .confidence = down_.device(confidence_).slice(0, 0, B)};
    if (shape_.steps) {
      out.step_logits = front(out_.step_logits.view(), {c.depth, B, 4, c.words()});
      out.step_boxes = front(down_.device(step_boxes_), {c.depth, B, 4});
    }
    model_->forward(ctx_, in, out);
    const View<double> placed = down_.device(placed_).slice(0, 0, B);
    ops::run(ctx_, PlaceBoxes<T>{.box = out.box, .placement = up_.device(placement_).slice(0, 0, B), .placed = placed});
    judge(placed);
    down_.download();
  }

  void judge(View<const double> boxes) { model_->predict_iou(ctx_, boxes, image(), down_.device(iou_).slice(0, 0, batch_)); }

  View<T> image() { return front(out_.image.view(), {batch_, out_.image.shape()[1], model_->config().width}); }

  void crop_template(std::int64_t target, std::int64_t i, const CropRegion& region) {
    const Config& c = model_->config();
    ops::run(ctx_, CropNormalise<T>{.frame = frame_.pixels(),
                                    .left = region.left(),
                                    .top = region.top(),
                                    .side = region.side,
                                    .mean = c.mean,
                                    .std = c.std,
                                    .y = slot(target, i)});
  }
  View<T> slot(std::int64_t target, std::int64_t i) { return templates_.view().select(0, target).select(0, i); }
  void copy_slot(std::int64_t target, std::int64_t from, std::int64_t to) {
    ops::run(ctx_, Add<T>{.a = slot(target, from), .y = slot(target, to)});
  }

  /// The front of a buffer that was made for the largest batch, in the shape of a smaller one.
  template <class X>
  static View<X> front(View<X> buffer, const Shape& shape) {
    return {buffer.data(), shape, buffer.device()};
  }
  static void put(const CropBox& box, View<double> to) { std::copy_n(box.begin(), 4, to.data()); }
  template <class X>
  static CropBox box_of(View<X> from) {
    CropBox box;
    for (std::size_t i = 0; i < 4; ++i) box[i] = static_cast<double>(from(i));
    return box;
  }

  /// But for how host and device contract multiplications and additions.
  static bool alike(const CropBox& a, const CropBox& b) {
    return std::equal(a.begin(), a.end(), b.begin(), [](double x, double y) { return std::abs(x - y) <= 1e-9; });
  }

  std::shared_ptr<const DeTrack<T>> model_;
  Context<T> ctx_;
  RunShape shape_;
  DeviceFrame<T> frame_;
  MirroredBlock<T> up_, down_;
  template <class X>
  using Array = typename MirroredBlock<T>::template Array<X>;
  Array<CropSource> sources_;
  Array<double> start_, trajectory_, placement_;  ///< see ModelInputs and PlaceBoxes
  Array<stat_t<T>> box_, confidence_, step_boxes_;
  Array<double> placed_;
  Array<T> iou_;
  Tensor<T> templates_, search_;
  OutputBuffers<T> out_;                                ///< of which logits and image tokens are used
  std::vector<std::unique_ptr<Recording>> recordings_;  ///< by batch size
  std::vector<T> template_;
  std::int64_t batch_ = 0;  ///< of the last predict()
};

}  // namespace detrack
