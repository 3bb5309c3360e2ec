// The tracker: a box in the first frame, then a box for every further frame.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "detrack/model/config_json.hpp"
#include "detrack/track/network.hpp"
#include "detrack/track/options.hpp"
#include "detrack/track/target.hpp"

namespace detrack {

/// Seconds of one update().
struct TrackTimings {
  double crop = 0;     ///< search crop: sampling and normalising, once a pass; part of `network` where updates are recorded
  double network = 0;  ///< forward passes and IoU head
  double memory = 0;   ///< new templates
  double update = 0;   ///< all of update()
};

struct TrackResult {
  Box box;           ///< frame pixels, within the frame
  double score = 0;  ///< softmax score, in [0, 1]: how sharp the prediction is
  double iou = 0;    ///< IoU score, in [0, 1]: the overlap with the target that the network expects of its box, which is
                     ///< `box` unless the target is held
  TargetState state = TargetState::tracking;
  std::int64_t frame = 0;        ///< frames since init()
  bool template_added = false;   ///< this frame's view of the target became a template
  std::span<const Box> steps{};  ///< the box after each denoising block, if asked for; as long as update() says
  TrackTimings timings{};        ///< of the whole batch
};

/// A target's state and templates, to be restored later or elsewhere.
struct TrackerSnapshot {
  std::string config;  ///< of the network, as JSON
  TargetRecord target;
  std::vector<float> templates;  ///< (templates, 3, Z, Z), normalised RGB
};

/// Several targets in the same frames, one forward pass a frame for all of them. Targets are numbered from 0 in the order
/// they were started. Moves, never copies; one thread at a time. Trackers in other threads may share its network.
class MultiTracker {
 public:
  /// Errors: argument, naming the option; those of Network::make_run.
  explicit MultiTracker(std::shared_ptr<const Network> network, const TrackerOptions& options = {})
      : network_(std::move(network)), options_(options) {
    if (!network_) fail(ErrorCode::argument, "Tracker: network: expected one, got none");
    validate(options_);
    const Config& c = network_->config();
    const std::int64_t trajectory = options_.trajectory.value_or(c.trajectory_used);
    if (trajectory < 0 || trajectory > c.trajectory)
      fail(ErrorCode::argument, "TrackerOptions: trajectory: expected at most ", c.trajectory, " boxes, got ", trajectory);
    if (options_.read_block > c.depth)
      fail(ErrorCode::argument, "TrackerOptions: read_block: expected at most ", c.depth, ", the network's blocks, got ",
           options_.read_block);
    geometry_ = {options_.search_factor.value_or(c.search_factor), c.template_factor, c.templates, trajectory};
    trajectory_.resize(static_cast<std::size_t>(trajectory));
    make_room(1);
  }

  /// Defined in track/load_tracker.hpp. Errors: io, format, config, state_dict, of the weights file; argument.
  static MultiTracker load(const std::filesystem::path& weights, const TrackerOptions& options = {});

  /// Starts a target with this frame as its frame 0: in place of `target`, or as a new one if that is size(). All targets
  /// live in frames of one size.
  /// Errors: argument (the box does not overlap the frame, another frame size), out_of_memory, device (a frame in the memory
  /// of another device); all targets stay as they were.
  void init(std::size_t target, const ImageView& image, const Box& box) {
    check_image("init", image);
    Target started(geometry_, options_);
    started.init(box, image.width(), image.height());
    make_place("init", target, image.width(), image.height());
    run_->set_frame(image);
    run_->fill_templates(static_cast<std::int64_t>(target), started.template_region(box));
    put(target, std::move(started));
  }

  /// Forgets a target; those after it move up. Errors: argument.
  void remove(std::size_t target) {
    check_target(target);
    for (std::size_t i = target; i + 1 < targets_.size(); ++i) {
      run_->read_templates(static_cast<std::int64_t>(i + 1), templates_);
      run_->write_templates(static_cast<std::int64_t>(i), templates_);
    }
    targets_.erase(targets_.begin() + static_cast<std::ptrdiff_t>(target));
  }
  void clear() { targets_.clear(); }

  /// The targets' boxes in the next frame, in the targets' order; the results live until the next call, or until a target is
  /// added. A target that cannot be found is a state of the result, never an error. After the first call it allocates
  /// nothing. Errors: argument (no target yet, an empty image, another frame size): caller's mistakes, after which the
  /// targets are as they were.
  std::span<const TrackResult> update(const ImageView& image) {
    using Clock = std::chrono::steady_clock;
    const auto seconds = [](Clock::duration d) { return std::chrono::duration<double>(d).count(); };
    if (targets_.empty()) fail(ErrorCode::argument, "Tracker: update: expected init() before, got no target");
    check_image("update", image);
    check_size("update", 0, image.width(), image.height());
    const auto begin = Clock::now();
    Clock::duration cropping{};
    run_->set_frame(image);
    const std::size_t count = targets_.size();
    for (std::size_t b = 0; b < count; ++b) {
      regions_[b] = targets_[b].search_region();
      placed_[b] = targets_[b].box();
    }
    for (std::int64_t pass = 0; pass < options_.passes; ++pass) {
      const auto begin_pass = pass == 0 ? begin : Clock::now();
      for (std::size_t b = 0; b < count; ++b) look(b, placed_[b]);
      cropping += Clock::now() - begin_pass;
      run_->predict(std::span(predictions_).first(count));
      for (std::size_t b = 0; b < count; ++b) placed_[b] = targets_[b].place(read_out(b), regions_[b]);
    }
    for (std::size_t b = 0; b < count; ++b) judged_[b] = to_crop(placed_[b], regions_[b]);
    run_->predict_iou(std::span(judged_).first(count), std::span(ious_).first(count));
    const auto predicted = Clock::now();
    for (std::size_t b = 0; b < count; ++b) conclude(b);
    const auto end = Clock::now();
    const TrackTimings timings{seconds(cropping), seconds(predicted - begin - cropping), seconds(end - predicted),
                               seconds(end - begin)};
    for (std::size_t b = 0; b < count; ++b) results_[b].timings = timings;
    return std::span(results_).first(count);
  }

  /// The user says where a target is: box and trajectory start anew, templates stay. Errors: argument.
  void relocate(std::size_t target, const Box& box) {
    check_target(target);
    targets_[target].relocate(box);
  }

  /// A further view of a target, taken from any frame of the same size: enters the templates as a dynamic one.
  /// Errors: argument (as init(); a network with a single template).
  void add_template(std::size_t target, const ImageView& image, const Box& box) {
    check_target(target);
    check_image("add_template", image);
    check_size("add_template", target, image.width(), image.height());
    Target with_template = targets_[target];
    with_template.note_template(box);
    run_->set_frame(image);
    run_->push_template(static_cast<std::int64_t>(target), with_template.template_region(box));
    targets_[target] = std::move(with_template);
  }

  std::size_t size() const { return targets_.size(); }
  /// Box, state and memories. Errors: argument.
  const Target& target(std::size_t target) const {
    check_target(target);
    return targets_[target];
  }

  /// A template as a picture, Z x Z pixels: 0 is the fixed one, then the dynamic ones, oldest first. Errors: argument.
  Image template_image(std::size_t target, std::int64_t slot) const {
    check_target(target);
    const Config& c = network_->config();
    if (slot < 0 || slot >= c.templates)
      fail(ErrorCode::argument, "Tracker: template_image: expected a template below ", c.templates, ", got ", slot);
    std::vector<float> values(network_->template_values());
    run_->read_templates(static_cast<std::int64_t>(target), values);
    const auto plane = static_cast<std::size_t>(c.template_size * c.template_size);
    const float* from = values.data() + static_cast<std::size_t>(slot) * 3 * plane;
    Image image(c.template_size, c.template_size);
    for (std::size_t i = 0; i < 3 * plane; ++i) {
      const std::size_t channel = i / plane;
      const double value = (static_cast<double>(from[i]) * c.std[channel] + c.mean[channel]) * 255;
      image.data()[i % plane * 3 + channel] = static_cast<std::uint8_t>(std::clamp(std::lround(value), 0L, 255L));
    }
    return image;
  }

  /// Errors: argument.
  TrackerSnapshot snapshot(std::size_t target) const {
    check_target(target);
    TrackerSnapshot taken{to_json(network_->config()), targets_[target].record(),
                          std::vector<float>(network_->template_values())};
    run_->read_templates(static_cast<std::int64_t>(target), taken.templates);
    return taken;
  }
  /// Goes on where a snapshot was taken, bit for bit: in place of `target`, or as a new one if that is size().
  /// Errors: argument, where the snapshot is of another network, was taken with another trajectory, or contradicts itself;
  /// all targets stay. Other options may differ: the target then goes on by this tracker's.
  void restore(std::size_t target, const TrackerSnapshot& snapshot) {
    if (snapshot.config != to_json(network_->config()) || snapshot.templates.size() != network_->template_values())
      fail(ErrorCode::argument, "Tracker: restore: expected a snapshot of ", network_->config().name,
           ", got one of another network");
    Target restored(geometry_, options_);
    restored.restore(snapshot.target);
    make_place("restore", target, restored.width(), restored.height());
    run_->write_templates(static_cast<std::int64_t>(target), snapshot.templates);
    put(target, std::move(restored));
  }

  const std::shared_ptr<const Network>& network() const { return network_; }
  const TrackerOptions& options() const { return options_; }
  /// Network, device and threads, for people.
  std::string describe() const { return network_->config().name + " on " + run_->describe(); }

 private:
  void check_target(std::size_t target) const {
    if (target >= targets_.size())
      fail(ErrorCode::argument, "Tracker: target: expected a number below ", targets_.size(), ", got ", target);
  }
  static void check_image(const char* what, const ImageView& image) {
    if (!image) fail(ErrorCode::argument, "Tracker: ", what, ": image: expected pixels, got an empty image");
  }
  void check_size(const char* what, std::size_t target, std::int64_t width, std::int64_t height) const {
    if (width != targets_[target].width() || height != targets_[target].height())
      fail(ErrorCode::argument, "Tracker: ", what, ": image: expected ", targets_[target].width(), "x",
           targets_[target].height(), " pixels as in the first frame, got ", width, "x", height);
  }

  /// Room for a target that replaces one or is new. Errors: argument; those of Network::make_run.
  void make_place(const char* what, std::size_t target, std::int64_t width, std::int64_t height) {
    if (target > targets_.size()) check_target(target);
    for (std::size_t b = 0; b < targets_.size(); ++b)
      if (b != target) check_size(what, b, width, height);
    make_room(target + 1);
  }
  /// Once its templates are there: nothing can fail any more.
  void put(std::size_t target, Target&& value) {
    if (target < targets_.size())
      targets_[target] = std::move(value);
    else
      targets_.push_back(std::move(value));
  }

  /// Everything that update() writes to, for `count` targets; what the network remembers moves along.
  void make_room(std::size_t count) {
    if (count <= room_) return;
    const std::size_t room = std::max(count, 2 * targets_.size());
    auto run = network_->make_run({.targets = static_cast<std::int64_t>(room),
                                   .trajectory = geometry_.trajectory,
                                   .denoising_steps = needs_steps(),
                                   .threads = options_.threads});
    templates_.resize(network_->template_values());
    for (std::size_t b = 0; b < targets_.size(); ++b) {
      run_->read_templates(static_cast<std::int64_t>(b), templates_);
      run->write_templates(static_cast<std::int64_t>(b), templates_);
    }
    run_ = std::move(run);
    predictions_.resize(room);
    placed_.resize(room);
    judged_.resize(room);
    ious_.resize(room);
    results_.resize(room);
    targets_.reserve(room);
    if (needs_steps()) {
      const auto depth = static_cast<std::size_t>(network_->config().depth);
      crop_steps_.resize(depth);
      steps_.resize(room * depth);
    }
    regions_.resize(room);
    room_ = room;
  }

  bool needs_steps() const { return options_.denoising_steps || options_.read_block > 0; }

  /// Puts what the network needs of target `b` in place: its crop, where the denoising starts, its last boxes.
  void look(std::size_t b, const Box& start) {
    const auto boxes = targets_[b].trajectory().boxes();
    for (std::size_t k = 0; k < boxes.size(); ++k) trajectory_[k] = to_crop(boxes[k], regions_[b]);
    run_->set_search(static_cast<std::int64_t>(b), regions_[b], to_crop(start, regions_[b]), trajectory_);
  }

  /// The box of the last predict() that counts.
  CropBox read_out(std::size_t b) {
    if (options_.read_block == 0) return predictions_[b].box;
    run_->read_steps(static_cast<std::int64_t>(b), crop_steps_);
    return crop_steps_[static_cast<std::size_t>(options_.read_block - 1)];
  }

  void conclude(std::size_t b) {
    Target& target = targets_[b];
    const auto known = [](double score) { return std::isfinite(score) ? score : 0; };
    const double score = known(predictions_[b].score), iou = known(ious_[b]);
    const Target::Verdict verdict = target.conclude(placed_[b], iou, score);
    if (verdict.admitted) run_->push_template(static_cast<std::int64_t>(b), target.template_region(verdict.box));
    results_[b] = {.box = verdict.box,
                   .score = score,
                   .iou = iou,
                   .state = verdict.state,
                   .frame = target.frame(),
                   .template_added = verdict.admitted};
    if (!options_.denoising_steps) return;
    run_->read_steps(static_cast<std::int64_t>(b), crop_steps_);
    const std::span<Box> steps = std::span(steps_).subspan(b * crop_steps_.size(), crop_steps_.size());
    for (std::size_t j = 0; j < steps.size(); ++j) steps[j] = to_frame(crop_steps_[j], regions_[b]);
    results_[b].steps = steps;
  }

  std::shared_ptr<const Network> network_;
  TrackerOptions options_;
  TargetGeometry geometry_;
  std::unique_ptr<NetworkRun> run_;
  std::vector<Target> targets_;
  std::size_t room_ = 0;  ///< targets that there is memory for
  // Of the frame at hand, a place for each target.
  std::vector<CropRegion> regions_;
  std::vector<NetworkRun::Prediction> predictions_;
  std::vector<Box> placed_, steps_;
  std::vector<CropBox> judged_, trajectory_, crop_steps_;
  std::vector<double> ious_;
  std::vector<TrackResult> results_;
  std::vector<float> templates_;
};

/// One target.
///
///     auto tracker = detrack::Tracker::load("detrack-t256.safetensors");
///     tracker.init(first_image, {x, y, w, h});       // pixels, top-left origin
///     const auto result = tracker.update(next_image);  // result.box, .score, .iou, .state, .timings
///
/// Weights are shared by trackers made from one network: Tracker a(network), b(network).
class Tracker {
 public:
  explicit Tracker(std::shared_ptr<const Network> network, const TrackerOptions& options = {})
      : targets_(std::move(network), options) {}
  /// Defined in track/load_tracker.hpp. Errors: io, format, config, state_dict, of the weights file; argument.
  static Tracker load(const std::filesystem::path& weights, const TrackerOptions& options = {});

  /// Starts, or starts over, with this frame as frame 0. Errors: argument.
  void init(const ImageView& image, const Box& box) { targets_.init(0, image, box); }
  /// The box in the next frame. See MultiTracker::update.
  TrackResult update(const ImageView& image) { return targets_.update(image).front(); }

  void relocate(const Box& box) { targets_.relocate(0, box); }
  void add_template(const ImageView& image, const Box& box) { targets_.add_template(0, image, box); }
  const Target& target() const { return targets_.target(0); }
  Image template_image(std::int64_t slot) const { return targets_.template_image(0, slot); }
  TrackerSnapshot snapshot() const { return targets_.snapshot(0); }
  void restore(const TrackerSnapshot& snapshot) { targets_.restore(0, snapshot); }

  const std::shared_ptr<const Network>& network() const { return targets_.network(); }
  std::string describe() const { return targets_.describe(); }

 private:
  explicit Tracker(MultiTracker targets) : targets_(std::move(targets)) {}
  MultiTracker targets_;
};

}  // namespace detrack
