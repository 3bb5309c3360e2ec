// Owned memory for the inputs and outputs of forward passes of one size, for programs that do not bring their own.
#pragma once

#include <memory>

#include "detrack/model/detrack.hpp"

namespace detrack {

/// The size of a run: what it is given and what it is asked for.
struct RunShape {
  std::int64_t batch = 1;
  std::int64_t templates = 0;   ///< 0 to config.templates
  std::int64_t trajectory = 0;  ///< 0 to K
  bool steps = false;           ///< read out every block as well
  bool recompute = false;       ///< training: blocks run again in the backward; see DenoisingViT::Saved
  std::int64_t judged = 1;      ///< boxes a sample that the IoU head judges

  /// What a tracker or trainer of this configuration runs by default: all templates, trajectory_used boxes.
  static RunShape of(const Config& c, std::int64_t batch = 1) { return {batch, c.templates, c.trajectory_used}; }
};

template <class T>
class InputBuffers {
 public:
  InputBuffers(const Config& c, const RunShape& run, const std::shared_ptr<Allocator>& allocator = host_allocator())
      : search({run.batch, 3, c.search_size, c.search_size}, allocator),
        templates({run.batch, run.templates, 3, c.template_size, c.template_size}, allocator),
        start_box({run.batch, 4}, allocator),
        trajectory({run.batch, run.trajectory, 4}, allocator) {}

  ModelInputs<T> views() const { return {search.view(), templates.view(), start_box.view(), trajectory.view()}; }

  Tensor<T> search, templates;
  Tensor<double> start_box, trajectory;
};

template <class T>
class OutputBuffers {
 public:
  OutputBuffers(const Config& c, const RunShape& run, const std::shared_ptr<Allocator>& allocator = host_allocator())
      : logits({run.batch, 4, c.words()}, allocator),
        image({run.batch, c.search_tokens() + run.templates * c.template_tokens(), c.width}, allocator),
        box({run.batch, 4}, allocator),
        confidence(Shape{run.batch}, allocator),
        iou({run.batch * run.judged, 1}, allocator) {
    if (!run.steps) return;
    step_logits = Tensor<stat_t<T>>({c.depth, run.batch, 4, c.words()}, allocator);
    step_boxes = Tensor<stat_t<T>>({c.depth, run.batch, 4}, allocator);
  }

  ModelOutputs<T> views() {
    return {logits.view(), image.view(), step_logits.view(), box.view(), step_boxes.view(), confidence.view()};
  }

  Tensor<stat_t<T>> logits;
  Tensor<T> image;
  Tensor<stat_t<T>> step_logits, box, step_boxes, confidence;
  Tensor<T> iou;  ///< (B judged, 1), for predict_iou
};

}  // namespace detrack
