// Trains a masked autoencoder on batches of crops: stage mae.
#pragma once

#include <cstdint>
#include <utility>

#include "detrack/core/instantiate.hpp"
#include "detrack/model/masked_autoencoder_plan.hpp"
#include "detrack/train/batch.hpp"
#include "detrack/train/pixel_upload.hpp"
#include "detrack/train/updater.hpp"

namespace detrack {

template <class T>
class AutoencoderTrainer : public Updater<T, MaskedAutoencoder> {
 public:
  AutoencoderTrainer(MaskedAutoencoder<stat_t<T>> start, Context<T> ctx, const TrainOptions& options)
      : Updater<T, MaskedAutoencoder>(std::move(start), std::move(ctx), options),
        images_({options.batch, 3, this->config().search_size, this->config().search_size}, this->ctx_.allocator()) {
    reserve(this->ctx_, this->model_, options.batch);
  }

  /// Forward, loss and backward for the search crops of a batch, each masked in its own way; gradients add up.
  void pass(const Batch& batch, const Batch* = nullptr) {
    pixels_.upload(this->ctx_, this->config(), batch, images_.view());
    Philox rng(this->options_.seed ^ stream_of("masks"), batch.number);
    const TokenMask mask =
        random_mask(rng, batch.size(), this->config().search_tokens(), this->model_.autoencoder_config().mask_ratio);
    this->add_pass({.total = pass_.run(this->ctx_, this->model_, images_.view(), mask)}, 0, batch.names);
  }

 private:
  Tensor<T> images_;
  PixelUpload<T> pixels_;
  MaskedAutoencoderPass<T> pass_;
};

DETRACK_INSTANTIATE(class Updater<float, MaskedAutoencoder>)
DETRACK_INSTANTIATE(class AutoencoderTrainer<float>)

}  // namespace detrack
