// The masked autoencoder that pretrains a DeTrack's backbone on images without labels.
#pragma once

#include <memory>
#include <string>

#include "detrack/core/instantiate.hpp"
#include "detrack/model/masked_encoder.hpp"
#include "detrack/model/patch_decoder.hpp"

namespace detrack {

/// The model of He et al., "Masked autoencoders are scalable vision learners", CVPR 2022: the encoder sees the visible
/// patches of an image, the decoder predicts the masked ones. Its backbone.* are a DeTrack's of the same Config, by name and
/// shape. Forward passes read the parameters and change nothing; backward passes add to the gradients. Movable, not
/// copyable.
template <class T>
class MaskedAutoencoder {
 public:
  MaskedEncoder<T> backbone;
  PatchDecoder<T> decoder;

  struct Saved {
    typename MaskedEncoder<T>::Saved backbone{};
    typename PatchDecoder<T>::Saved decoder{};
    MaskIndices at{};
  };

  /// Parameters are zero until load_state_dict() or initialise(). Errors: config; std::bad_alloc.
  MaskedAutoencoder(const Config& config, const MaskedAutoencoderConfig& autoencoder_config,
                    std::shared_ptr<Allocator> allocator = host_allocator())
      : backbone((validate(autoencoder_config, config), config)),
        decoder(config, autoencoder_config),
        config_(config),
        autoencoder_config_(autoencoder_config),
        allocator_(std::move(allocator)) {
    store_.allocate_values(*this, allocator_);
  }

  /// Another model of this configuration, its parameters not yet anything.
  template <class X>
  MaskedAutoencoder<X> empty(std::shared_ptr<Allocator> allocator) const {
    return MaskedAutoencoder<X>(config_, autoencoder_config_, std::move(allocator));
  }
  /// What the constructor cannot do in memory of a device: parameters of zero.
  void prepare(Context<T>& ctx) {
    if (ctx.device().kind != DeviceKind::cpu) ops::run(ctx, Fill<T>{.value = 0, .y = store_.values()});
  }

  const Config& config() const { return config_; }
  const MaskedAutoencoderConfig& autoencoder_config() const { return autoencoder_config_; }
  ParameterStore<T>& parameters() { return store_; }
  const ParameterStore<T>& parameters() const { return store_; }
  /// Makes room for gradients, zeroed; needed before any backward.
  void allocate_gradients() {
    if (!store_.gradients()) store_.allocate_gradients(*this, allocator_);
  }
  void zero_gradients(Context<T>& ctx) { ops::run(ctx, Fill<T>{.value = 0, .y = store_.gradients()}); }

  /// Calls f(name, param) for every parameter, under the names of the file format.
  template <class F>
  void visit(F&& f) {
    backbone.visit("backbone.", f);
    decoder.visit("decoder.", f);
  }

  /// Values in one patch: 3 P^2.
  std::int64_t patch_values() const { return 3 * config_.patch * config_.patch; }

  /// patches (B N, 3 P^2) as PatchifyForward cuts them -> prediction (B Nm, 3 P^2), normalised pixels of the patches that
  /// `at` masks, in its order. `saved`, for a backward, keeps its activations in the context's arena: wrap both in an
  /// ArenaScope. Errors: shape; out_of_memory if the arena was not reserved.
  void forward(Context<T>& ctx, View<const T> patches, const MaskIndices& at, View<T> prediction,
               Saved* saved = nullptr) const {
    const std::int64_t B = at.batch, N = config_.search_tokens(), width = patch_values();
    ops::expect_view(kName, "patches", patches, {B * N, width});
    ops::expect_view(kName, "prediction", prediction, {at.masked.extent(0), width});
    ArenaScope scope(ctx.arena());
    const View<T> latent = ctx.arena().template allocate<T>({B, at.visible.extent(0) / B, config_.width});
    backbone.forward(ctx, patches, at, latent, saved ? &saved->backbone : nullptr);
    decoder.forward(ctx, latent, at, prediction, saved ? &saved->decoder : nullptr);
    if (saved) {
      saved->at = at;
      scope.keep();
    }
  }

  /// Adds the gradients of <prediction, dprediction> to the parameters' gradients, that of the fixed decoder.pos_embed
  /// excepted. Errors: argument, before allocate_gradients(); shape.
  void backward(Context<T>& ctx, View<const T> dprediction, const Saved& saved) {
    if (!store_.gradients())
      fail(ErrorCode::argument, kName, ": gradients: expected allocate_gradients() before a backward, got none");
    const ArenaScope scope(ctx.arena());
    const View<T> dlatent = ctx.arena().template allocate<T>(saved.decoder.latent.shape());
    decoder.backward(ctx, dprediction, saved.at, saved.decoder, dlatent);
    backbone.backward(ctx, saved.at, saved.backbone, dlatent);
  }

 private:
  static constexpr const char* kName = "MaskedAutoencoder";
  Config config_;
  MaskedAutoencoderConfig autoencoder_config_;
  std::shared_ptr<Allocator> allocator_;
  ParameterStore<T> store_;
};

DETRACK_INSTANTIATE(class MaskedAutoencoder<float>)
DETRACK_INSTANTIATE(class MaskedAutoencoder<double>)

}  // namespace detrack
