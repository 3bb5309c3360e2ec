// Runs the model on a golden file (inputs, parameters, outputs and gradients of the reference) and compares everything.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "detrack/model/plan.hpp"
#include "detrack/model/weights_file.hpp"
#include "detrack/ops/reference/box_overlap.hpp"

namespace detrack::test {

/// One compared tensor.
struct GoldenRow {
  std::string name;
  double error = 0, bound = 0;
  /// Written so that NaN does not hold.
  bool holds() const { return error <= bound; }
  double badness() const { return std::isnan(error) ? std::numeric_limits<double>::infinity() : error / bound; }
};

/// Relative error of the whole: ||a - b|| / max(||b||, floor sqrt(n)); NaN where anything is not finite, sizes differ, or
/// there is nothing to compare.
inline double norm_error(const std::vector<double>& a, const std::vector<double>& b, double floor) {
  if (a.size() != b.size() || a.empty()) return std::numeric_limits<double>::quiet_NaN();
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference) / std::max(std::sqrt(norm), floor * std::sqrt(static_cast<double>(a.size())));
}

template <class T>
class GoldenRun {
 public:
  GoldenRun(const SafetensorsFile& file, Context<T>& ctx)
      : file_(file), ctx_(ctx), config_(read_config(file)), model_(config_) {}

  /// Forward, losses and backward; every out.* and grad.* of the file compared, the worst last. Errors: what reading throws.
  std::vector<GoldenRow> run() {
    load_state_dict(file_, model_, {.prefix = "param."});
    model_.allocate_gradients();
    run_model();
    run_pairs();
    for (const TensorInfo& tensor : file_.tensors())
      if ((tensor.name.starts_with("out.") || tensor.name.starts_with("grad.")) && !compared_.contains(tensor.name))
        compare(tensor.name, std::vector<double>());
    std::sort(rows_.begin(), rows_.end(), [](const GoldenRow& a, const GoldenRow& b) { return a.badness() < b.badness(); });
    return rows_;
  }

 private:
  static LossWeights read_weights(const SafetensorsFile& file) {
    LossWeights weights;
    const auto it = file.metadata().find("detrack.loss_weights");
    if (it == file.metadata().end()) return weights;
    const auto json = nlohmann::json::parse(it->second);
    weights.ce = json.at("ce").template get<double>();
    weights.siou = json.at("siou").template get<double>();
    weights.denoise = json.at("denoise").template get<double>();
    weights.label_sigma = json.value("label_sigma", 0.0);
    return weights;
  }

  std::vector<double> numbers(const std::string& name) const {
    const TensorInfo& info = file_.get(name);
    std::vector<double> values(static_cast<std::size_t>(info.numel()));
    file_.read(info, 0, std::span<double>(values));
    return values;
  }
  std::vector<CropBox> boxes(const std::string& name) const {
    const std::vector<double> values = numbers(name);
    std::vector<CropBox> result(values.size() / 4);
    for (std::size_t i = 0; i < result.size() * 4; ++i) result[i / 4][i % 4] = values[i];
    return result;
  }

  void run_model() {
    const auto extent = [&](const char* name, std::size_t axis) { return file_.get(name).shape.at(axis); };
    const RunShape run{extent("in.search", 0), extent("in.templates", 1), extent("in.trajectory", 1), true};
    reserve(ctx_, config_, run, true);
    InputBuffers<T> in(config_, run);
    OutputBuffers<T> out(config_, run);
    file_.read("in.search", in.search.view());
    file_.read("in.templates", in.templates.view());
    file_.read("in.start_box", in.start_box.view());
    file_.read("in.trajectory", in.trajectory.view());

    const auto truth = boxes("in.gt_box"), start = boxes("in.start_box"), eps = boxes("in.eps"),
               iou_boxes = boxes("in.iou_box");
    const auto t = numbers("in.t"), noised_numbers = numbers("in.noised");
    std::vector<std::uint8_t> noised;
    for (const double x : noised_numbers) noised.push_back(x != 0);
    std::vector<double> overlap;
    for (std::size_t b = 0; b < truth.size(); ++b)
      overlap.push_back(reference::Overlap<double>(iou_boxes.at(b), truth[b]).iou());

    TrainingPass<T> pass(config_, read_weights(file_));
    const PassValues values = pass.run(ctx_, model_, in.views(), out.views(), out.iou.view(), {truth, start, eps, t, noised},
                                       {iou_boxes, overlap});

    compare("out.logits", out.logits.view());
    compare("out.image_tokens", out.image.view());
    compare("out.box", out.box.view());
    compare("out.confidence", out.confidence.view());
    compare("out.iou", out.iou.view());
    compare("out.step_logits", batch_first(out.step_logits.view()));
    compare("out.loss.total", std::vector<double>{values.box.total});
    compare("out.loss.ce", std::vector<double>{values.box.ce});
    compare("out.loss.siou", std::vector<double>{values.box.siou});
    compare("out.loss.denoise", std::vector<double>{values.box.denoise});
    compare("out.loss.iou", std::vector<double>{values.iou});
    model_.visit([&](const std::string& name, Param<T>& p) { compare("grad." + name, View<const T>(p.grad)); });
  }

  /// The SIoU loss by itself, on pairs that overlap, nest, miss each other or degenerate.
  void run_pairs() {
    if (!file_.find("in.loss_pred")) return;
    const std::int64_t n = file_.get("in.loss_pred").shape.at(0);
    Tensor<T> pred({n, 4}), loss(Shape{n}), weight(Shape{n}), dpred({n, 4});
    Tensor<double> truth({n, 4});
    file_.read("in.loss_pred", pred.view());
    file_.read("in.loss_gt", truth.view());
    std::fill_n(weight.data(), n, T(1));
    ops::run(ctx_, SiouForward<T>{.a = pred.view(), .b = truth.view(), .y = loss.view()});
    ops::run(ctx_, SiouBackward<T>{.a = pred.view(), .b = truth.view(), .dy = weight.view(), .da = dpred.view()});
    compare("out.loss_pairs", loss.view());
    compare("grad.loss_pred", dpred.view());
  }

  /// (L, B, 4, V) as (B, L, 4, V).
  static std::vector<double> batch_first(View<const T> steps) {
    std::vector<double> values;
    for (std::int64_t b = 0; b < steps.extent(1); ++b)
      ops::detail::for_each_element(steps.select(1, b), [&](T x) { values.push_back(static_cast<double>(x)); });
    return values;
  }

  void compare(const std::string& name, View<const T> got) {
    compare(name, std::vector<double>(got.data(), got.data() + got.numel()));
  }
  void compare(const std::string& name, View<T> got) { compare(name, View<const T>(got)); }

  void compare(const std::string& name, const std::vector<double>& got) {
    compared_.insert(name);
    const bool gradient = name.starts_with("grad.");
    constexpr bool f64 = std::is_same_v<T, double>;
    const double bound = f64 ? 1e-9 : gradient ? 2e-4 : 2e-5;
    rows_.push_back({name, norm_error(got, numbers(name), gradient ? 1e-6 : 0.1), bound});
  }

  const SafetensorsFile& file_;
  Context<T>& ctx_;
  Config config_;
  DeTrack<T> model_;
  std::set<std::string> compared_;
  std::vector<GoldenRow> rows_;
};

}  // namespace detrack::test
