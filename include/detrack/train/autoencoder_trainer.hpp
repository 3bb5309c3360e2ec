// Trains a masked autoencoder on batches of crops: stage mae.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "detrack/model/masked_autoencoder_plan.hpp"
#include "detrack/train/batch.hpp"
#include "detrack/train/updater.hpp"

namespace detrack {

template <class T>
class AutoencoderTrainer : public Updater<T, MaskedAutoencoder<T>> {
  static_assert(std::is_same_v<T, float>, "batches hold floats");

 public:
  AutoencoderTrainer(MaskedAutoencoder<T> model, Context<T> ctx, const TrainOptions& options)
      : Updater<T, MaskedAutoencoder<T>>(std::move(model),
                                         MaskedAutoencoder<T>(model.config(), model.autoencoder_config(), ctx.allocator()),
                                         std::move(ctx), options),
        images_({options.batch, 3, this->config().search_size, this->config().search_size}, this->ctx_.allocator()) {
    reserve(this->ctx_, this->model_, options.batch);
  }

  /// Forward, loss and backward for the search crops of a batch, each masked in its own way; gradients add up.
  void pass(const Batch& batch) {
    ops::copy(this->ctx_, batch.search.view(), images_.view());
    Philox rng(this->options_.seed ^ stream_of("masks"), batch.number);
    const TokenMask mask =
        random_mask(rng, batch.size(), this->config().search_tokens(), this->model_.autoencoder_config().mask_ratio);
    this->add_pass({.total = pass_.run(this->ctx_, this->model_, images_.view(), mask)}, 0, batch.names);
  }

 private:
  Tensor<T> images_;
  MaskedAutoencoderPass<T> pass_;
};

}  // namespace detrack
