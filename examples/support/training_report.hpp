// metrics.jsonl as the curves of a report.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "detrack/io/json.hpp"
#include "detrack/train/report.hpp"

namespace detrack::program {

/// Losses that a stage does not have are no curves.
inline std::vector<TrainingCurve> curves_of(const std::vector<nlohmann::json>& lines) {
  const struct {
    const char *group, *name, *field;
  } wanted[] = {{"Validation", "AUC", "auc"},
                {"Validation", "precision at 20 px", "precision"},
                {"Loss", "all", "loss"},
                {"Parts of the loss", "cross-entropy", "ce"},
                {"Parts of the loss", "SIoU", "siou"},
                {"Parts of the loss", "denoising", "denoise"},
                {"Mean IoU of training samples", "refined box", "mean_iou"},
                {"Norm of the gradient", "before clipping", "gradient_norm"},
                {"Learning rate", "new parameters", "lr"},
                {"Speed", "samples a second", "samples_per_second"},
                {"Share of time waiting for data", "data", "data_wait"}};
  std::vector<TrainingCurve> curves;
  for (const auto& one : wanted) {
    TrainingCurve curve{one.group, one.name};
    bool any = false;
    for (const auto& line : lines)
      if (line.contains(one.field) && line[one.field].is_number() && line.contains("samples")) {
        curve.samples.push_back(line["samples"].get<double>());
        curve.values.push_back(line[one.field].get<double>());
        any = any || curve.values.back() != 0;
      }
    if (any || curve.group == "Validation") curves.push_back(std::move(curve));
  }
  std::erase_if(curves, [](const TrainingCurve& curve) { return curve.values.empty(); });
  return curves;
}

}  // namespace detrack::program
