// A network without pixels or weights: it answers what a test tells it to, and remembers what it was asked.
#pragma once

#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

#include "detrack/track/network.hpp"

namespace detrack::test {

class FakeNetwork final : public Network {
 public:
  struct Question {
    CropRegion region;
    CropBox start{};
    std::vector<CropBox> trajectory;
  };
  struct Answer {
    CropBox box{0.375, 0.375, 0.625, 0.625};  ///< a quarter of the crop's side: where a target that stands still is
    double score = 1, iou = 1;
    std::vector<CropBox> steps{};  ///< after each block; `box` where there are none
  };
  using Script = std::function<Answer(std::int64_t target, const Question&)>;

  explicit FakeNetwork(Config config, Script script = {}) : config_(std::move(config)), script_(std::move(script)) {}

  const Config& config() const override { return config_; }
  std::unique_ptr<NetworkRun> make_run(const NetworkRunOptions& options) const override;

  mutable std::vector<Question> questions;         ///< all of them
  mutable std::vector<CropRegion> template_crops;  ///< in the order they were taken, init()'s too
  mutable std::vector<CropBox> judged;             ///< what predict_iou was asked
  mutable NetworkRunOptions run_options;           ///< of the last run made

 private:
  friend class FakeRun;
  Config config_;
  Script script_;
};

/// Templates hold the centre of the region they were cropped from.
class FakeRun final : public NetworkRun {
 public:
  FakeRun(const FakeNetwork& network, const NetworkRunOptions& options)
      : network_(network),
        options_(options),
        asked_(static_cast<std::size_t>(options.targets)),
        answers_(asked_.size()),
        templates_(asked_.size(), std::vector<float>(network.template_values())) {}

  std::string describe() const override { return "fake"; }
  void set_frame(const ImageView&) override {}
  void fill_templates(std::int64_t target, const CropRegion& region) override {
    network_.template_crops.push_back(region);
    for (std::int64_t i = 0; i < network_.config().templates; ++i) mark(target, i, region);
  }
  void push_template(std::int64_t target, const CropRegion& region) override {
    network_.template_crops.push_back(region);
    auto& values = templates_[static_cast<std::size_t>(target)];
    const auto size = static_cast<std::ptrdiff_t>(slot_size());
    std::move(values.begin() + 2 * size, values.end(), values.begin() + size);
    mark(target, network_.config().templates - 1, region);
  }
  void set_search(std::int64_t target, const CropRegion& region, const CropBox& start,
                  std::span<const CropBox> trajectory) override {
    asked_[static_cast<std::size_t>(target)] = {region, start, {trajectory.begin(), trajectory.end()}};
    network_.questions.push_back(asked_[static_cast<std::size_t>(target)]);
  }
  void predict(std::span<Prediction> predictions) override {
    for (std::size_t b = 0; b < predictions.size(); ++b) {
      answers_[b] = network_.script_ ? network_.script_(static_cast<std::int64_t>(b), asked_[b]) : FakeNetwork::Answer{};
      predictions[b] = {answers_[b].box, answers_[b].score};
    }
  }
  void predict_iou(std::span<const CropBox> boxes, std::span<double> ious) override {
    for (std::size_t b = 0; b < boxes.size(); ++b) {
      network_.judged.push_back(boxes[b]);
      ious[b] = answers_[b].iou;
    }
  }
  void read_steps(std::int64_t target, std::span<CropBox> steps) override {
    if (!options_.denoising_steps) throw std::logic_error("read_steps without NetworkRunOptions::denoising_steps");
    const FakeNetwork::Answer& answer = answers_[static_cast<std::size_t>(target)];
    for (std::size_t j = 0; j < steps.size(); ++j) steps[j] = answer.steps.empty() ? answer.box : answer.steps.at(j);
  }
  void read_templates(std::int64_t target, std::span<float> values) override {
    const auto& from = templates_[static_cast<std::size_t>(target)];
    std::copy(from.begin(), from.end(), values.begin());
  }
  void write_templates(std::int64_t target, std::span<const float> values) override {
    templates_[static_cast<std::size_t>(target)].assign(values.begin(), values.end());
  }

 private:
  std::size_t slot_size() const {
    return network_.template_values() / static_cast<std::size_t>(network_.config().templates);
  }
  void mark(std::int64_t target, std::int64_t slot, const CropRegion& region) {
    auto& values = templates_[static_cast<std::size_t>(target)];
    values[static_cast<std::size_t>(slot) * slot_size()] = static_cast<float>(region.centre_x);
  }

  const FakeNetwork& network_;
  NetworkRunOptions options_;
  std::vector<FakeNetwork::Question> asked_;
  std::vector<FakeNetwork::Answer> answers_;
  std::vector<std::vector<float>> templates_;
};

inline std::unique_ptr<NetworkRun> FakeNetwork::make_run(const NetworkRunOptions& options) const {
  run_options = options;
  return std::make_unique<FakeRun>(*this, options);
}

}  // namespace detrack::test
