// The stages of the training program: the one place where it knows trainers.
#include "examples/support/training_stage.hpp"

#include <cstdio>
#include <optional>
#include <utility>

#include "detrack/io/import_vit.hpp"
#include "detrack/io/json.hpp"
#include "detrack/io/open_weights.hpp"
#include "detrack/model/initialise.hpp"
#include "detrack/model/masked_autoencoder_file.hpp"
#include "detrack/train/autoencoder_trainer.hpp"
#include "detrack/train/batch_loader.hpp"
#include "detrack/train/checkpoint.hpp"
#include "detrack/train/device_pictures.hpp"
#include "detrack/train/picture_sampler.hpp"
#include "detrack/train/rollout.hpp"
#include "detrack/train/sampler.hpp"
#include "detrack/train/trainer.hpp"

namespace detrack::program {

namespace {

/// What all stages are made of.
struct Parts {
  TrainConfig config;
  std::shared_ptr<const TrainingData> data;
  std::shared_ptr<ImageCache> images;
  DeviceOptions device;
  std::shared_ptr<DevicePictures> pictures{};  ///< where the configuration wants crops to be made on the device
  bool whole_model_given = false;              ///< the configuration's `init` is a DeTrack, not a backbone alone

  SizeOfImage size_of() const {
    return [images = images, pictures = pictures](const std::filesystem::path& path) {
      if (pictures)
        if (const auto there = pictures->find(path)) return ImageSize{there->width, there->height};
      const auto image = images->get(path);
      return ImageSize{image->width(), image->height()};
    };
  }
  void hold_pictures(std::shared_ptr<Allocator> memory) {
    const std::int64_t most = config.loader.device_mb;
    if (most > 0) pictures = std::make_shared<DevicePictures>(std::move(memory), static_cast<std::size_t>(most) << 20);
  }
  LoaderOptions loader(std::int64_t templates, std::shared_ptr<Allocator> pixels) const {
    return {.batch = config.train.batch,
            .templates = templates,
            .threads = static_cast<int>(config.loader.threads),
            .ahead = static_cast<int>(config.loader.ahead),
            .pixels = std::move(pixels),
            .pictures = pictures};
  }
};

/// Starting values from the seed, and for the backbone from the vision transformer or autoencoder that `init` may name.
template <class Model>
void initialise(Model& model, const TrainConfig& config) {
  if (config.init.empty()) return detrack::initialise(model, config.train.seed);
  const ImportReport report = import_vit(open_weights(config.init), model);
  detrack::initialise(model, config.train.seed, report);
  std::printf("init: %s: %s\n", config.init.c_str(), report.summary().c_str());
}

template <class Run>
class Stage : public TrainingStage {
 public:
  std::string describe() override {
    const TrainOptions& train = parts_.config.train;
    std::int64_t count = 0;
    run_.model().visit([&](const std::string&, const auto& p) { count += p.shape.numel(); });
    char text[160];
    std::snprintf(text, sizeof text, "%s, stage %s, %lld parameters, batches of %lld, ", run_.config().name.c_str(),
                  train.stage.c_str(), static_cast<long long>(count), static_cast<long long>(train.batch));
    return text + run_.context().describe();
  }
  std::int64_t steps_done() const override { return run_.step(); }
  std::int64_t skipped() const override { return run_.skipped(); }
  std::int64_t samples() const override { return parts_.config.train.batch * parts_.config.train.accumulate; }

  std::string notice() override { return parts_.pictures ? parts_.pictures->take_notice() : std::string(); }

  void save(const std::filesystem::path& path, const RunState& state) override { save_checkpoint(path, run_, state); }
  void load(const std::filesystem::path& path) override { load_checkpoint(path, run_); }

 protected:
  Stage(Parts parts, Run run) : parts_(std::move(parts)), run_(std::move(run)) {}

  /// Before batches go: the device may still read one that was sent ahead.
  void finish() noexcept {
    try {
      run_.context().join_side();
      run_.context().backend().synchronize();
    } catch (...) {
    }
  }

  Parts parts_;
  Run run_;
};

/// Stages that train on batches which do not depend on the weights.
template <class Run, class Draw>
class BatchStage : public Stage<Run> {
 public:
  ~BatchStage() override { this->finish(); }

  StepValues step() override {
    const std::int64_t passes = this->parts_.config.train.accumulate;
    if (!loader_)
      loader_.emplace(this->run_.config(), draw_, this->parts_.images,
                      this->parts_.loader(templates_, this->run_.context().backend().host_allocator()),
                      static_cast<std::uint64_t>(this->run_.step() * passes));
    for (std::int64_t i = 0; i < passes; ++i) {
      const Batch* const batch = next_ ? next_ : &loader_->next();
      next_ = &loader_->next();
      this->run_.pass(*batch, next_);
    }
    return this->run_.update();
  }
  double waited() const override { return loader_ ? loader_->waited() : 0; }
  std::map<std::string, std::int64_t> problems() const override {
    return loader_ ? loader_->problems() : std::map<std::string, std::int64_t>();
  }

 protected:
  BatchStage(Parts parts, Run run, Draw draw, std::int64_t templates)
      : Stage<Run>(std::move(parts), std::move(run)), draw_(std::move(draw)), templates_(templates) {}

 private:
  Draw draw_;
  std::int64_t templates_;
  std::optional<BatchLoader> loader_;
  const Batch* next_ = nullptr;  ///< of the loader
};

/// "width 24 (the run has 192), depth 2 (the run has 12)"
std::string differences(const Config& given, const Config& run) {
  const auto its = nlohmann::json::parse(to_json(given)), runs = nlohmann::json::parse(to_json(run));
  std::string text;
  for (const auto& [name, value] : its.items())
    if (value != runs.at(name))
      text += (text.empty() ? "" : ", ") + name + " " + value.dump() + " (the run has " + runs.at(name).dump() + ")";
  return text;
}

/// Weights bring their configuration; the run's must agree in everything but what is set after a stage: how much trajectory
/// was trained, and how confidence is read out.
DeTrack<float> make_model(const Parts& parts) {
  const std::string& init = parts.config.init;
  Config config = parts.config.model_config();
  if (parts.whole_model_given) {
    const Config given = read_config(open_weights(init));
    config.name = given.name;
    config.trajectory_used = given.trajectory_used;
    config.confidence_window = given.confidence_window;
    if (!(config == given))
      fail(ErrorCode::config, init,
           ": expected the weights of the run's model, got another's: ", differences(given, config));
  }
  DeTrack<float> model(config);
  if (parts.whole_model_given) {
    load_state_dict(open_weights(init), model);
    std::printf("init: all weights from %s\n", init.c_str());
  } else {
    initialise(model, parts.config);
  }
  return model;
}

/// The averaged weights, in host memory, under a configuration that may tell something new of them.
template <class T>
DeTrack<float> shipped(Trainer<T>& run, std::int64_t trajectory_used) {
  Config config = run.config();
  config.trajectory_used = trajectory_used;
  DeTrack<float> copy(config);
  ops::copy(run.context(), View<const float>(run.average_model().parameters().values()), copy.parameters().values());
  return copy;
}

void save_shipped(DeTrack<float> model, const std::filesystem::path& path,
                  const std::map<std::string, std::string>& metadata) {
  save_model(path, model, DType::bf16, metadata);
}

template <class T>
class PairStage final : public BatchStage<Trainer<T>, Sampler> {
 public:
  PairStage(const Parts& parts, Context<T> ctx, const Sampler& sampler)
      : BatchStage<Trainer<T>, Sampler>(parts, Trainer<T>(make_model(parts), std::move(ctx), parts.config.train), sampler,
                                        sampler.templates()) {}

  void save_weights(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata) override {
    save_shipped(shipped(this->run_, trajectory()), path, metadata);
  }
  std::shared_ptr<const Network> network() override {
    return this->parts_.device.network(shipped(this->run_, trajectory()));
  }

 private:
  /// Pairs have no previous boxes; the IoU head changes nothing about what the model makes of them.
  std::int64_t trajectory() const {
    return this->parts_.config.train.stage == "iou" ? this->run_.config().trajectory_used : 0;
  }
};

template <class T>
class SequenceStage final : public Stage<Trainer<T>> {
 public:
  SequenceStage(const Parts& parts, Context<T> ctx)
      : Stage<Trainer<T>>(parts, Trainer<T>(make_model(parts), std::move(ctx), parts.config.train)),
        clips_(parts.data, parts.config.train, parts.size_of()),
        rollout_(this->run_, parts.images, static_cast<int>(parts.config.loader.threads), parts.pictures) {}
  ~SequenceStage() override { this->finish(); }

  StepValues step() override {
    const auto passes = static_cast<std::uint64_t>(this->parts_.config.train.accumulate);
    samples_ = 0;
    for (std::uint64_t i = 0; i < passes; ++i) {
      const std::uint64_t index = static_cast<std::uint64_t>(this->run_.step()) * passes + i;
      const std::vector<Batch>& batches = frames(index);
      for (std::size_t t = 0; t < batches.size(); ++t) {
        this->run_.pass(batches[t], t + 1 < batches.size() ? &batches[t + 1] : nullptr);
        samples_ += batches[t].size();
      }
    }
    return this->run_.update();
  }
  std::int64_t samples() const override { return samples_; }
  double waited() const override { return rollout_.waited(); }
  std::map<std::string, std::int64_t> problems() const override { return rollout_.problems(); }

  void save_weights(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata) override {
    save_shipped(shipped(this->run_, this->run_.config().trajectory), path, metadata);
  }
  std::shared_ptr<const Network> network() override {
    return this->parts_.device.network(shipped(this->run_, this->run_.config().trajectory));
  }

 private:
  /// Rollout `index`; a clip that cannot be used is replaced.
  const std::vector<Batch>& frames(std::uint64_t index) {
    constexpr std::uint64_t kAttempts = 20, kMostFrames = 4096;
    std::vector<Clip> clips = clips_(index);
    for (std::uint64_t attempt = 0; attempt < kAttempts; ++attempt) {
      const auto& batches = rollout_.run(clips, index * kMostFrames);
      if (!batches.empty()) return batches;
      clips[rollout_.failed()] = clips_.replacement(index, attempt, clips.front().files.size());
    }
    fail(ErrorCode::io, "training data: ", kAttempts,
         " clips of a rollout cannot be used: ", rollout_.problems().rbegin()->first, " among others");
  }

  ClipSampler clips_;
  Rollout<T> rollout_;
  std::int64_t samples_ = 0;
};

MaskedAutoencoder<float> make_autoencoder(const Parts& parts) {
  MaskedAutoencoder<float> model(parts.config.model_config(), parts.config.autoencoder_config());
  initialise(model, parts.config);
  return model;
}

class AutoencoderStage final : public BatchStage<AutoencoderTrainer<float>, PictureSampler> {
 public:
  AutoencoderStage(const Parts& parts, Context<float> ctx)
      : BatchStage(parts, AutoencoderTrainer<float>(make_autoencoder(parts), std::move(ctx), parts.config.train),
                   PictureSampler(parts.data, parts.config.train, parts.size_of()), 0) {}

  void save_weights(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata) override {
    MaskedAutoencoder<float> copy = run_.average_model().empty<float>(host_allocator());
    ops::copy(run_.context(), View<const float>(run_.average_model().parameters().values()), copy.parameters().values());
    save_masked_autoencoder(path, copy, DType::bf16, metadata);
  }
  std::shared_ptr<const Network> network() override { return nullptr; }
};

template <class T>
std::unique_ptr<TrainingStage> make_box_stage(Parts parts, detrack::Stage stage) {
  Context<T> ctx = make_context<T>(parts.device);
  parts.hold_pictures(ctx.allocator());
  if (stage == detrack::Stage::sequences) return std::make_unique<SequenceStage<T>>(parts, std::move(ctx));
  const TrainConfig& config = parts.config;
  return std::make_unique<PairStage<T>>(parts, std::move(ctx),
                                        Sampler(parts.data, config.model_config(), config.train, parts.size_of()));
}

}  // namespace

std::unique_ptr<TrainingStage> make_stage(const TrainConfig& config, std::shared_ptr<const TrainingData> data,
                                          std::shared_ptr<ImageCache> images, const DeviceOptions& device) {
  device.check();
  Parts parts{config, std::move(data), std::move(images), device};
  parts.whole_model_given = !config.init.empty() && open_weights(config.init).find("box.word_embed.weight") != nullptr;
  const detrack::Stage stage = parse_stage(config.train.stage);
  if (config.init.empty() && parts.config.train.optimizer.backbone_factor != 1) {
    std::printf("no --init: the backbone starts from nothing and learns at the full rate\n");
    parts.config.train.optimizer.backbone_factor = 1;
  }
  if ((stage == detrack::Stage::iou || stage == detrack::Stage::sequences) && !parts.whole_model_given)
    fail(ErrorCode::argument, "stage ", config.train.stage, ": expected --init with the weights of stage pairs, got ",
         config.init.empty() ? "none" : config.init);
  if (stage == detrack::Stage::mae) {
    if (device.bf16()) std::printf("stage mae computes in float32: its targets are pixels\n");
    Context<float> ctx = make_context<float>(device);
    parts.hold_pictures(ctx.allocator());
    return std::make_unique<AutoencoderStage>(parts, std::move(ctx));
  }
#ifdef DETRACK_WITH_CUDA
  if (device.bf16()) return make_box_stage<bfloat16>(parts, stage);
#endif
  return make_box_stage<float>(parts, stage);
}

}  // namespace detrack::program
