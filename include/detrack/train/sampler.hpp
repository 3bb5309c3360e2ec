// Draws training samples: number i is the same whoever asks for it, in whatever order.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/rng.hpp"
#include "detrack/model/config.hpp"
#include "detrack/train/distortion_draw.hpp"
#include "detrack/train/distractor_draw.hpp"
#include "detrack/train/image_cache.hpp"
#include "detrack/train/invented_box.hpp"
#include "detrack/train/occluder_draw.hpp"
#include "detrack/train/options.hpp"
#include "detrack/train/photometric_draw.hpp"
#include "detrack/train/sample_recipe.hpp"
#include "detrack/train/training_data.hpp"

namespace detrack {

/// Pairs of crops of one target as OSTrack and its successors draw them (a template frame and a later search frame), with
/// dynamic templates from the frames between; a still picture is a video of one frame. With negative_prob, searches that
/// show something else.
class Sampler {
 public:
  /// `size_of`: only unlabelled pictures are asked for theirs.
  Sampler(std::shared_ptr<const TrainingData> data, const Config& config, const TrainOptions& options, SizeOfImage size_of)
      : data_(std::move(data)),
        config_(config),
        sampling_(options.sampling),
        augment_(options.augment),
        templates_(options.templates > 0 ? options.templates : config.templates),
        negative_prob_(options.stage == "iou" ? options.sampling.negative_prob : 0),
        seed_(options.seed),
        size_of_(std::move(size_of)) {
    if (templates_ > config.templates)
      fail(ErrorCode::argument, "templates: expected at most the model's ", config.templates, ", got ", templates_);
  }

  std::int64_t templates() const { return templates_; }

  /// Sample `index`. `attempt` counts from 0: where the pictures of one cannot be read, the next takes its place.
  SampleRecipe operator()(std::uint64_t index, int attempt = 0) const {
    // What came later draws from streams of its own: samples without it stayed what they were.
    const auto stream = [&](std::string_view name) {
      return Philox(seed_ ^ stream_of(name), index * 64 + static_cast<std::uint64_t>(attempt));
    };
    Philox rng = stream("samples"), distortions = stream("distortions"), degradations = stream("degradations");
    const Target target = draw_target(rng);
    SampleRecipe sample;
    sample.name = target.name;
    sample.flip = rng.uniform() < augment_.flip;
    const bool grayscale = rng.uniform() < augment_.grayscale;
    for (std::size_t i = 0; i < target.templates.size(); ++i) {
      const Place& place = target.templates[i];
      const double jitter = i == 0 && !target.invented ? 0 : sampling_.template_jitter;
      const Distortion distortion = draw_distortion(distortions, augment_, target.invented, false);
      const Box around = jittered(rng, distorted(place.box, distortion), jitter, jitter);
      sample.templates.push_back(crop_of(place, crop_around(around, config_.template_factor), distortion,
                                         draw_photometric(rng, augment_, grayscale)));
      draw_degradation(degradations, augment_, sample.templates.back().photometric);
    }
    Place search = target.search;
    bool invented = target.invented;
    std::vector<std::string> shown{target.whose};  ///< what is laid over the crop is from none of these
    sample.absent = rng.uniform() < negative_prob_;
    if (sample.absent) {
      const auto other = draw_other(shown, [&] { return draw_target(rng); });
      sample.absent = other.has_value();
      if (other) {
        search = other->search;
        invented = other->invented;
        shown.push_back(other->whose);
        sample.name += " in " + other->name;
      }
    }
    const Distortion distortion = draw_distortion(distortions, augment_, invented, true);
    const Box seen = distorted(search.box, distortion);
    const Box around = jittered(rng, seen, sampling_.scale_jitter, sampling_.centre_jitter);
    const CropRegion region = crop_around(around, config_.search_factor);
    sample.search = crop_of(search, region, distortion, draw_photometric(rng, augment_, grayscale));
    draw_degradation(degradations, augment_, sample.search.photometric);
    sample.truth = to_crop(seen, region);
    sample.prior = to_crop(around, region);
    if (rng.uniform() < augment_.occlusion_prob) sample.search.occluder = draw_occluder(rng, sample.truth);
    sample.others = others_in(search, distortion, region);
    if (augment_.distractor_prob > 0) add_distractor(stream("distractors"), *target.source, shown, sample);
    if (augment_.foreign_occlusion_prob > 0)
      add_foreign_occluder(stream("foreign occluders"), shown, sample.truth, sample.search.patches);
    if (sample.flip) {
      sample.truth = mirrored(sample.truth);
      sample.prior = mirrored(sample.prior);
      for (CropBox& other : sample.others) other = mirrored(other);
    }
    return sample;
  }

 private:
  struct Place {
    std::filesystem::path file;
    Box box;
    std::vector<Box> others{};  ///< of other targets in the picture
  };
  struct Target {
    std::string name;
    std::vector<Place> templates;  ///< as many as samples have, the fixed one first
    Place search;
    std::string whose;  ///< video or picture
    const TrainingData::Source* source = nullptr;
    bool invented = false;  ///< a part of a picture that nobody has labelled
  };
  static constexpr int kDraws = 20;

  Target draw_target(Philox& rng) const { return draw_target(rng, data_->draw_source(rng.uniform())); }
  Target draw_target(Philox& rng, const TrainingData::Source& source) const {
    std::size_t at = rng.below(source.size());
    Target target;
    target.source = &source;
    target.name = source.from->name;
    if (at < source.videos.size()) return from_video(rng, source.videos[at], std::move(target));
    at -= source.videos.size();
    Place place;
    if (at < source.boxed.size()) {
      const StillImage& image = source.boxed[at];
      const std::size_t chosen = rng.below(image.boxes.size());
      place = {image.file, image.boxes[chosen]};
      for (std::size_t i = 0; i < image.boxes.size(); ++i)
        if (i != chosen) place.others.push_back(image.boxes[i]);
    } else {
      place.file = source.unlabelled[at - source.boxed.size()].file;
      place.box = invented_box(rng, size_of_(place.file));
      target.invented = true;
    }
    target.name += ": " + place.file.filename().string();
    target.whose = place.file.string();
    target.templates.assign(static_cast<std::size_t>(templates_), place);
    target.search = place;
    return target;
  }

  /// A target of another video or picture than these, unless there seems to be none.
  template <class Draw>
  static std::optional<Target> draw_other(std::span<const std::string> than, Draw&& draw) {
    for (int draws = 0; draws < kDraws; ++draws)
      if (Target other = draw(); std::find(than.begin(), than.end(), other.whose) == than.end()) return other;
    return std::nullopt;
  }

  /// `region`: a square of the picture distorted about the target's centre.
  static CropRecipe crop_of(const Place& target, const CropRegion& region, const Distortion& distortion,
                            Photometric photometric) {
    return {.file = target.file,
            .region = in_picture(region, target.box.centre_x(), target.box.centre_y(), distortion),
            .photometric = photometric,
            .distortion = distortion};
  }

  /// None, or a part of another video or picture than the search crop's: the target's own might show the target.
  void add_foreign_occluder(Philox rng, std::span<const std::string> shown, const CropBox& truth,
                            std::vector<Patch>& to) const {
    if (!(rng.uniform() < augment_.foreign_occlusion_prob)) return;
    if (const auto other = draw_other(shown, [&] { return draw_target(rng); }))
      to.push_back(draw_foreign_occluder(rng, truth, other->search.file, other->search.box));
  }

  /// None, or another target of the same source, which is more likely to be of the same kind than any other's.
  void add_distractor(Philox rng, const TrainingData::Source& source, std::span<const std::string> shown,
                      SampleRecipe& sample) const {
    if (!(rng.uniform() < augment_.distractor_prob)) return;
    const auto other = draw_other(shown, [&] { return draw_target(rng, source); });
    if (!other) return;
    if (auto patch = draw_distractor(rng, sample.truth, other->search.file, other->search.box)) {
      sample.others.push_back(patch->to);
      sample.search.patches.push_back(std::move(*patch));
    }
  }

  /// Other targets in the crop of a place, by their centres, crop units.
  static std::vector<CropBox> others_in(const Place& place, const Distortion& distortion, const CropRegion& region) {
    std::vector<CropBox> others;
    for (const Box& box : place.others) {
      const CropBox at = to_crop(distorted(box, place.box.centre_x(), place.box.centre_y(), distortion), region);
      const double x = (at[0] + at[2]) / 2, y = (at[1] + at[3]) / 2;
      if (std::min(x, y) >= 0 && std::max(x, y) <= 1) others.push_back(at);
    }
    return others;
  }

  /// Template 0, the search frame after it, and between them the dynamic templates in the order of time.
  Target from_video(Philox& rng, const TrainingData::Video& video, Target target) const {
    const auto& usable = video.frames;
    const std::size_t first = rng.below(usable.size());
    const auto furthest = std::upper_bound(usable.begin() + static_cast<std::ptrdiff_t>(first), usable.end(),
                                           usable[first] + static_cast<std::uint64_t>(sampling_.max_gap));
    const auto span = static_cast<std::size_t>(furthest - usable.begin()) - first;  // at least the first one itself
    const std::size_t last = first + rng.below(span);
    std::vector<std::size_t> chosen{first};
    for (std::int64_t i = 1; i < templates_; ++i) chosen.push_back(first + rng.below(last - first + 1));
    std::sort(chosen.begin(), chosen.end());
    const auto place = [&](std::size_t i) {
      return Place{video.sequence->frames[usable[i]], video.sequence->truth_at(usable[i])};
    };
    for (const std::size_t i : chosen) target.templates.push_back(place(i));
    target.search = place(last);
    target.whose = video.sequence->frames.front().parent_path().string();  // what targets of one video share
    target.name += ": " + video.sequence->name + " frame " + std::to_string(usable[last]);
    return target;
  }

  static Box jittered(Philox& rng, const Box& box, double scale, double centre) {
    const double w = box.w * std::exp(scale * rng.normal()), h = box.h * std::exp(scale * rng.normal());
    const double reach = centre * std::sqrt(w * h);
    const double x = box.centre_x() + draw_between(rng, -reach, reach),
                 y = box.centre_y() + draw_between(rng, -reach, reach);
    return {x - w / 2, y - h / 2, w, h};
  }

  std::shared_ptr<const TrainingData> data_;
  Config config_;
  SamplingOptions sampling_;
  AugmentOptions augment_;
  std::int64_t templates_;
  double negative_prob_;
  std::uint64_t seed_;
  SizeOfImage size_of_;
};

}  // namespace detrack
