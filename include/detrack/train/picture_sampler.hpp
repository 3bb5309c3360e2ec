// Draws random crops of whole pictures: what a masked autoencoder learns on.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <utility>

#include "detrack/core/rng.hpp"
#include "detrack/train/photometric_draw.hpp"
#include "detrack/train/sample_recipe.hpp"
#include "detrack/train/sampler.hpp"

namespace detrack {

/// A square of 20 to 100 % of a picture's shorter side squared, anywhere inside (He et al. 2022: random resized crops of
/// scale 0.2 to 1), and flips.
class PictureSampler {
 public:
  PictureSampler(std::shared_ptr<const TrainingData> data, const TrainOptions& options, SizeOfImage size_of)
      : data_(std::move(data)),
        augment_(options.augment),
        seed_(options.seed ^ stream_of("pictures")),
        degradation_seed_(options.seed ^ stream_of("picture degradations")),
        size_of_(std::move(size_of)) {}

  SampleRecipe operator()(std::uint64_t index, int attempt = 0) const {
    Philox rng(seed_, index * 64 + static_cast<std::uint64_t>(attempt));
    SampleRecipe sample;
    sample.search.file = draw_file(rng);
    sample.name = sample.search.file.string();
    const ImageSize size = size_of_(sample.search.file);
    const auto width = static_cast<double>(size.width), height = static_cast<double>(size.height);
    const double side = std::min(width, height) * std::sqrt(0.2 + 0.8 * rng.uniform());
    sample.search.region = {side / 2 + (width - side) * rng.uniform(), side / 2 + (height - side) * rng.uniform(), side};
    sample.flip = rng.uniform() < augment_.flip;
    const bool grayscale = rng.uniform() < augment_.grayscale;
    sample.search.photometric = draw_photometric(rng, augment_, grayscale);
    Philox degradations(degradation_seed_, index * 64 + static_cast<std::uint64_t>(attempt));
    draw_degradation(degradations, augment_, sample.search.photometric);
    return sample;
  }

 private:
  std::filesystem::path draw_file(Philox& rng) const {
    const TrainingData::Source& source = data_->draw_source(rng.uniform());
    std::size_t at = rng.below(source.size());
    if (at < source.videos.size()) {
      const TrainingData::Video& video = source.videos[at];
      return video.sequence->frames[video.frames[rng.below(video.frames.size())]];
    }
    at -= source.videos.size();
    return at < source.boxed.size() ? source.boxed[at].file : source.unlabelled[at - source.boxed.size()].file;
  }

  std::shared_ptr<const TrainingData> data_;
  AugmentOptions augment_;
  std::uint64_t seed_, degradation_seed_;
  SizeOfImage size_of_;
};

}  // namespace detrack
