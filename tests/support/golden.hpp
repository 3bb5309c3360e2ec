// Runs the model on a golden file (inputs, parameters, outputs and gradients of the reference) and compares everything.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/model/plan.hpp"
#include "detrack/model/weights_file.hpp"
#include "detrack/ops/reference_backend.hpp"
#include "tests/support/rounded.hpp"

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

/// On a context of any device and scalar; arrays come back as doubles.
template <class T>
class GoldenRun {
 public:
  using S = stat_t<T>;
  /// What may a tensor's error be.
  using Bound = std::function<double(const std::string& name, bool gradient)>;

  GoldenRun(const SafetensorsFile& file, Context<T>& ctx, Bound bound = usual_bound)
      : file_(file), ctx_(ctx), config_(read_config(file)), model_(load(file, config_, ctx)), bound_(std::move(bound)) {}

  /// For float and double.
  static double usual_bound(const std::string&, bool gradient) {
    return std::is_same_v<T, double> ? 1e-9 : gradient ? 2e-4 : 2e-5;
  }

  /// Forward, losses and backward; every out.* and grad.* of the file compared, the worst last. Errors: what reading throws.
  std::vector<GoldenRow> run() {
    model_.allocate_gradients();
    model_.zero_gradients(ctx_);
    run_model();
    run_pairs();
    for (const TensorInfo& tensor : file_.tensors())
      if ((tensor.name.starts_with("out.") || tensor.name.starts_with("grad.")) && !compared_.contains(tensor.name))
        compare(tensor.name, std::vector<double>());
    std::sort(rows_.begin(), rows_.end(), [](const GoldenRow& a, const GoldenRow& b) { return a.badness() < b.badness(); });
    return rows_;
  }

 private:
  static DeTrack<T> load(const SafetensorsFile& file, const Config& config, Context<T>& ctx) {
    DeTrack<double> host(config);
    load_state_dict(file, host, {.prefix = "param."});
    return copy_model(host, ctx);
  }

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
    const InputBuffers<T> in(config_, run, ctx_.allocator());
    OutputBuffers<T> out(config_, run, ctx_.allocator());
    const ModelInputs<T> views = in.views();
    upload("in.search", views.search);
    upload("in.templates", views.templates);
    upload("in.start_box", views.start_box);
    upload("in.trajectory", views.trajectory);

    const auto truth = boxes("in.gt_box"), start = boxes("in.start_box"), eps = boxes("in.eps"),
               iou_boxes = boxes("in.iou_box");
    const auto t = numbers("in.t"), noised_numbers = numbers("in.noised");
    std::vector<std::uint8_t> noised;
    for (const double x : noised_numbers) noised.push_back(x != 0);
    std::vector<double> overlap;
    for (std::size_t b = 0; b < truth.size(); ++b)
      overlap.push_back(reference::Overlap<double>(iou_boxes.at(b), truth[b]).iou());

    TrainingPass<T> pass(config_, read_weights(file_));
    const PassValues values =
        pass.run(ctx_, model_, views, out.views(), out.iou.view(), {truth, start, eps, t, noised}, {iou_boxes, overlap});

    compare("out.logits", values_of<S>(out.logits.view()));
    compare("out.image_tokens", values_of<T>(out.image.view()));
    compare("out.box", values_of<S>(out.box.view()));
    compare("out.confidence", values_of<S>(out.confidence.view()));
    compare("out.iou", values_of<T>(out.iou.view()));
    compare("out.step_logits", batch_first(values_of<S>(out.step_logits.view()), run.batch));
    compare("out.loss.total", std::vector<double>{values.box.total});
    compare("out.loss.ce", std::vector<double>{values.box.ce});
    compare("out.loss.siou", std::vector<double>{values.box.siou});
    compare("out.loss.denoise", std::vector<double>{values.box.denoise});
    compare("out.loss.iou", std::vector<double>{values.iou});
    model_.visit([&](const std::string& name, Param<T>& p) { compare("grad." + name, values_of<T>(p.grad)); });
  }

  /// The SIoU loss by itself, on pairs that overlap, nest, miss each other or degenerate.
  void run_pairs() {
    if (!file_.find("in.loss_pred")) return;
    const std::int64_t n = file_.get("in.loss_pred").shape.at(0);
    Tensor<S> pred({n, 4}, ctx_.allocator()), loss({n}, ctx_.allocator()), weight({n}, ctx_.allocator()),
        dpred({n, 4}, ctx_.allocator());
    Tensor<double> truth({n, 4}, ctx_.allocator());
    upload<S>("in.loss_pred", pred.view());
    upload<double>("in.loss_gt", truth.view());
    const std::vector<S> ones(static_cast<std::size_t>(n), S(1));
    ops::copy(ctx_, View<const S>(ones.data(), {n}), weight.view());
    ops::run(ctx_, SiouForward<T>{.a = pred.view(), .b = truth.view(), .y = loss.view()});
    ops::run(ctx_, SiouBackward<T>{.a = pred.view(), .b = truth.view(), .dy = weight.view(), .da = dpred.view()});
    compare("out.loss_pairs", values_of<S>(loss.view()));
    compare("grad.loss_pred", values_of<S>(dpred.view()));
  }

  /// Numbers of the file into memory of the device.
  template <class X>
  void upload(const std::string& name, View<const X> to) {
    const std::vector<double> values = numbers(name);
    std::vector<X> rounded(values.size());
    std::transform(values.begin(), values.end(), rounded.begin(), detrack::detail::convert_value<X, double>);
    if (!values.empty())
      ops::copy(ctx_, View<const X>(rounded.data(), to.shape()),
                View<X>(const_cast<X*>(to.data()), to.shape(), to.device()));
  }
  template <class X>
  std::vector<double> values_of(View<const X> from) {
    std::vector<X> host(static_cast<std::size_t>(from.numel()));
    ops::copy(ctx_, from, View<X>(host.data(), from.shape()));
    std::vector<double> values(host.size());
    std::transform(host.begin(), host.end(), values.begin(), detrack::detail::convert_value<double, X>);
    return values;
  }

  /// (L, B, 4, V) as (B, L, 4, V).
  std::vector<double> batch_first(const std::vector<double>& steps, std::int64_t batch) const {
    const auto B = static_cast<std::size_t>(batch), L = static_cast<std::size_t>(config_.depth),
               size = steps.size() / (B * L);
    std::vector<double> values;
    for (std::size_t b = 0; b < B; ++b)
      for (std::size_t j = 0; j < L; ++j)
        values.insert(values.end(), steps.begin() + static_cast<std::ptrdiff_t>((j * B + b) * size),
                      steps.begin() + static_cast<std::ptrdiff_t>((j * B + b + 1) * size));
    return values;
  }

  void compare(const std::string& name, const std::vector<double>& got) {
    compared_.insert(name);
    const bool gradient = name.starts_with("grad.");
    rows_.push_back({name, norm_error(got, numbers(name), gradient ? 1e-6 : 0.1), bound_(name, gradient)});
  }

  const SafetensorsFile& file_;
  Context<T>& ctx_;
  Config config_;
  DeTrack<T> model_;
  Bound bound_;
  std::set<std::string> compared_;
  std::vector<GoldenRow> rows_;
};

/// Rows of a run whose scalar is bfloat16: the error of an output may be twice that of the reference rounded at the same
/// points, and 2^-9 more; that of a gradient three times, because kernels for tensor cores round probabilities and score
/// gradients, too.
inline std::vector<GoldenRow> golden_bf16(const SafetensorsFile& file, Context<bfloat16>& ctx) {
  auto reference = reference_context<Rounded>();
  std::map<std::string, double> errors;
  for (const GoldenRow& row : GoldenRun<Rounded>(file, reference).run()) errors[row.name] = row.error;
  return GoldenRun<bfloat16>(
             file, ctx, [&](const std::string& name, bool gradient) { return (gradient ? 3 : 2) * errors[name] + 0x1p-9; })
      .run();
}

}  // namespace detrack::test
