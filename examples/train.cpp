// Trains a DeTrack: from a configuration file to weights that track, in a folder that a stopped run goes on from.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "detrack/eval/evaluate.hpp"
#include "detrack/io/atomic_file.hpp"
#include "detrack/train/run_state_file.hpp"
#include "examples/support/crop_sheet.hpp"
#include "examples/support/program.hpp"
#include "examples/support/progress.hpp"
#include "examples/support/run_folder.hpp"
#include "examples/support/sequence_runner.hpp"
#include "examples/support/train_config.hpp"
#include "examples/support/training_log.hpp"
#include "examples/support/training_pack.hpp"
#include "examples/support/training_report.hpp"
#include "examples/support/training_sources.hpp"
#include "examples/support/training_stage.hpp"

namespace {

using namespace detrack;
using namespace detrack::program;
namespace fs = std::filesystem;

struct Options {
  std::string config, model, stage, init, out, pack;
  std::vector<std::string> data, set;
  DeviceOptions device;
  std::int64_t shard_mb = 24;
  bool resume = false, quiet = false;
};

/// The configuration file with the command line's changes. Errors: io; format; argument; config, naming the file.
TrainConfig read_config(const Options& options) {
  nlohmann::json json = read_json(options.config);
  if (!json.is_object()) fail(ErrorCode::config, options.config, ": expected a JSON object");
  if (!options.model.empty()) json["model"] = options.model;
  if (!options.stage.empty()) json["stage"] = options.stage;
  if (!options.init.empty()) json["init"] = options.init;
  for (const std::string& text : options.data) set_data(json, text);
  for (const std::string& text : options.set) set_field(json, text);
  std::string where = options.config;
  if (!options.set.empty()) where += " with --set";
  if (!options.model.empty()) where += " with --model";
  TrainConfig config;
  read_fields(json, config, where);
  try {
    validate(config.autoencoder_config(), config.model_config());  // before anything takes long
  } catch (const Error& error) {
    fail(error.code(), where, ": ", error.what());
  }
  return config;
}

class Training {
 public:
  Training(const Options& options, TrainConfig config)
      : options_(options),
        config_(std::move(config)),
        folder_(options.out),
        images_(std::make_shared<ImageCache>([packs = packs_](const fs::path& path) { return load_picture(*packs, path); },
                                             static_cast<std::size_t>(config_.loader.cache_mb) << 20)),
        progress_(options.quiet) {
    open_data();
    folder_.claim(options.resume, config_text());
    if (options.resume) {
      state_ = read_run_state(folder_ / RunFolder::kCheckpoint);
      check_options();
    }
    stage_ = make_stage(config_, data_, images_, options.device);
    if (options.resume) {
      stage_->load(folder_ / RunFolder::kCheckpoint);
      std::printf("resumed at step %lld\n", static_cast<long long>(state_.step));
    } else {
      write_atomically(folder_ / RunFolder::kConfig, config_text());
    }
    log_ = TrainingLog(folder_ / RunFolder::kMetrics, stage_->steps_done());
  }

  int operator()() {
    std::printf("%s\n", stage_->describe().c_str());
    std::fflush(stdout);
    begin_interval();
    std::int64_t step = stage_->steps_done();
    if (step > 0 && validation_due(step) && !log_.has(step, "auc")) validate();  // it was interrupted there
    while (step < config_.train.steps) {
      take_step();
      step = stage_->steps_done();
      if (progress_.due()) progress_.show(progress_line());
      const bool last = step == config_.train.steps;
      if (step % config_.log_every == 0 || last) write_metrics();
      if (validation_due(step)) validate();
      const bool stop = interrupted();
      if (step % config_.checkpoint_every == 0 || last || stop) checkpoint();
      if (stop) return stopped();
    }
    progress_.end();
    if (stage_->skipped() == stage_->steps_done()) {
      report_problems();
      fail(ErrorCode::numeric, "expected an update with a finite loss and gradient, got none in ", stage_->steps_done(),
           " steps");
    }
    save_weights(RunFolder::kWeights);
    report_problems();
    std::printf("%s\n", (folder_ / RunFolder::kWeights).c_str());
    return kOk;
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// What happens while it lives is no part of the interval that is measured.
  class Pause {
   public:
    explicit Pause(Training& training) : training_(training) {}
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;
    ~Pause() { training_.begin_ += Clock::now() - since_; }

   private:
    Training& training_;
    Clock::time_point since_ = Clock::now();
  };
  static constexpr std::int64_t kMostSkipped = 100;  ///< updates in a row

  void open_data() {
    std::vector<TrainingSource> sources;
    for (const DataEntry& entry : config_.data) sources.push_back(open_source(entry, *packs_));
    data_ = std::make_shared<const TrainingData>(std::move(sources), config_.train.sampling.min_side);
    for (const auto& source : data_->sources()) {
      std::size_t frames = 0;
      for (const auto& video : source.videos) frames += video.frames.size();
      std::printf("data: %-20s weight %6.3f  %6zu videos with %8zu frames, %7zu pictures with boxes, %7zu without\n",
                  source.from->name.c_str(), source.from->weight, source.videos.size(), frames, source.boxed.size(),
                  source.unlabelled.size());
    }
    if (config_.validation.path.empty()) return;
    if (config_.train.stage == "mae") {
      std::fprintf(stderr, "validation: not done in stage mae, which trains no tracker\n");
      return;
    }
    validation_ = open_videos(config_.validation.path, {}, config_.validation.subset);
    if (!config_.validation.sequences.empty()) keep_sequences(validation_, config_.validation.sequences);
  }

  std::string config_text() const { return write_fields(config_).dump(2) + "\n"; }

  /// What a resumed run must share with its beginning: all that decides its numbers, but no places of files, which may move.
  std::string options_text() const {
    auto json = write_fields(config_.train);
    json["model"] = nlohmann::json::parse(to_json(config_.model_config()));
    json["autoencoder"] = nlohmann::json::parse(to_json(config_.autoencoder_config()));
    json["init"] = fs::path(config_.init).filename().string();
    json["data"] = write_fields(config_)["data"];
    for (auto& entry : json["data"]) entry.erase("path");
    return json.dump();
  }

  /// Errors: config, naming the first field in which the run differs from its beginning.
  void check_options() const {
    const auto now = nlohmann::json::parse(options_text());
    nlohmann::json begun = write_fields(TrainOptions{});  // an option that is newer than the run was what it is by default
    begun.merge_patch(nlohmann::json::parse(state_.options, nullptr, false));
    if (begun == now) return;
    const auto changes = nlohmann::json::diff(begun, now);
    fail(ErrorCode::config, options_.out, ": the run was begun with other options (",
         changes.empty() ? "" : changes[0].value("path", ""), "); go on with those of ",
         (folder_ / RunFolder::kConfig).string());
  }

  bool validates() const { return !validation_.sequences.empty(); }
  bool validation_due(std::int64_t step) const {
    return validates() && (step % config_.validation.every == 0 || step == config_.train.steps);
  }

  /// What cannot be gone on with must not cost what is done: the run can be resumed once its data are mended.
  void take_step() {
    try {
      add(stage_->step());
      if (const std::string notice = stage_->notice(); !notice.empty()) {
        progress_.end();
        std::fprintf(stderr, "%s\n", notice.c_str());
      }
    } catch (const Error&) {
      progress_.end();
      report_problems();
      if (stage_->steps_done() > 0) checkpoint();
      throw;
    }
  }

  void begin_interval() {
    sum_ = {};
    updates_ = samples_ = 0;
    waited_ = stage_->waited();
    begin_ = Clock::now();
  }
  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

  void add(const StepValues& values) {
    state_.samples += stage_->samples();
    samples_ += stage_->samples();
    if (!values.skipped.empty()) {
      progress_.end();
      std::fprintf(stderr, "step %lld skipped: %s\n", static_cast<long long>(values.step), values.skipped.c_str());
      if (++skipped_in_row_ >= kMostSkipped)
        fail(ErrorCode::numeric, "expected an update with a finite loss and gradient, got none in the last ",
             skipped_in_row_, " steps");
      return;
    }
    skipped_in_row_ = 0;
    sum_.loss.total += values.loss.total, sum_.loss.ce += values.loss.ce, sum_.loss.siou += values.loss.siou;
    sum_.loss.denoise += values.loss.denoise, sum_.mean_iou += values.mean_iou;
    sum_.gradient_norm += values.gradient_norm;
    sum_.lr = values.lr;
    ++updates_;
  }

  double epochs() const { return static_cast<double>(state_.samples) / static_cast<double>(config_.epoch); }

  std::string progress_line() const {
    const double n = std::max<double>(static_cast<double>(updates_), 1), elapsed = std::max(seconds(), 1e-9);
    const auto step = static_cast<double>(stage_->steps_done()), steps = static_cast<double>(config_.train.steps);
    const double left = (steps - step) * elapsed / n;
    const LossValues& loss = sum_.loss;
    char parts[120] = "";
    if (loss.ce > 0)
      std::snprintf(parts, sizeof parts, " (ce %.3f, siou %.3f, denoise %.3f)", loss.ce / n, loss.siou / n,
                    loss.denoise / n);
    char overlap[40] = "";
    if (sum_.mean_iou > 0) std::snprintf(overlap, sizeof overlap, "  IoU %.3f", sum_.mean_iou / n);
    char text[320];
    std::snprintf(text, sizeof text, "step %.0f/%.0f  epoch %.2f  loss %.4f%s%s  |g| %.2f  lr %.1e  %.1f samples/s  %s left",
                  step, steps, epochs(), loss.total / n, parts, overlap, sum_.gradient_norm / n, sum_.lr,
                  static_cast<double>(samples_) / elapsed, clock_text(left).c_str());
    return text;
  }

  /// The means since the last line.
  void write_metrics() {
    // Without an update there is no mean: NaN, which JSON writes as null.
    const double n = updates_ > 0 ? static_cast<double>(updates_) : std::nan(""), elapsed = seconds();
    std::int64_t problems = 0;
    for (const auto& [what, count] : stage_->problems()) problems += count;
    state_.seconds += elapsed;
    log_.write({{"step", stage_->steps_done()},
                {"samples", state_.samples},
                {"epoch", epochs()},
                {"loss", sum_.loss.total / n},
                {"ce", sum_.loss.ce / n},
                {"siou", sum_.loss.siou / n},
                {"denoise", sum_.loss.denoise / n},
                {"mean_iou", sum_.mean_iou / n},
                {"gradient_norm", sum_.gradient_norm / n},
                {"lr", sum_.lr},
                {"samples_per_second", static_cast<double>(samples_) / elapsed},
                {"data_wait", (stage_->waited() - waited_) / elapsed},
                {"skipped", stage_->skipped()},
                {"replaced", problems},
                {"seconds", state_.seconds}});
    begin_interval();
  }

  /// Tracks the held sequences with the averaged weights.
  void validate() {
    const auto network = stage_->network();
    if (!network) return;
    const Pause pause(*this);
    progress_.end();
    RunnerOptions runner;
    runner.jobs = options_.device.threads() > 0 ? options_.device.threads()
                                                : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    runner.tracker.threads = 1;
    runner.tracker.visual_memory.mode = parse_memory_mode(config_.validation.memory);
    runner.tracker.confidence.hold_after = 0;  // its thresholds fit weights that are trained
    runner.quiet = options_.quiet;
    SequenceRunner sequences(network, validation_.sequences, runner);
    const auto results = sequences.run();
    for (const std::string& failure : sequences.failures()) std::fprintf(stderr, "validation: %s\n", failure.c_str());
    for (const std::string& warning : sequences.warnings())
      std::fprintf(stderr, "validation: one sequence fewer ran at a time: %s\n", warning.c_str());
    if (interrupted()) return;
    const bool complete = sequences.failures().empty();
    note_scores(evaluate(Protocol::otb, validation_.sequences, results,
                         {.convention = usual_convention(Protocol::otb), .skip_missing = !complete})
                    .overall,
                complete);
  }

  /// `complete`: all sequences could be tracked; otherwise the score cannot be compared with others.
  void note_scores(const Scores& scores, bool complete) {
    const bool best = complete && scores.auc > state_.best_score;
    log_.write({{"step", stage_->steps_done()},
                {"samples", state_.samples},
                {"auc", scores.auc},
                {"precision", scores.precision},
                {"ao", scores.ao}});
    std::printf("step %lld: validation AUC %.3f, precision %.3f, AO %.3f%s\n", static_cast<long long>(stage_->steps_done()),
                scores.auc, scores.precision, scores.ao, best ? " (best)" : "");
    std::fflush(stdout);
    if (!best) return;
    state_.best_score = scores.auc;
    state_.best_step = stage_->steps_done();
    save_weights(RunFolder::kBest);
    state_.options = options_text();
    stage_->save(folder_ / RunFolder::kBestCheckpoint, state_);
  }

  void write_report() {
    TrainingReport report{.title = config_.model_config().name + ", stage " + config_.train.stage};
    report.facts = {{"run", stage_->describe()},
                    {"step", std::to_string(stage_->steps_done()) + " of " + std::to_string(config_.train.steps)},
                    {"samples", std::to_string(state_.samples)},
                    {"hours", detrack::detail::short_number(state_.seconds / 3600)},
                    {"skipped updates", std::to_string(stage_->skipped())}};
    if (state_.best_score >= 0)
      report.facts.push_back({"best validation AUC", detrack::detail::short_number(state_.best_score) + " at step " +
                                                         std::to_string(state_.best_step)});
    report.facts.push_back({"options", write_fields(config_.train).dump()});
    report.curves = curves_of(log_.lines());
    if (const auto network = validates() ? stage_->network() : nullptr) {
      const auto png = encode_png(crop_sheet(network, validation_.sequences, 20));
      report.sheet_png.assign(reinterpret_cast<const char*>(png.data()), png.size());
      report.sheet_legend = kCropSheetLegend;
    }
    detrack::write_report(report, folder_ / RunFolder::kReport);
  }

  void checkpoint() {
    const Pause pause(*this);
    state_.options = options_text();
    stage_->save(folder_ / RunFolder::kCheckpoint, state_);
    write_report();
  }

  void save_weights(const char* name) {
    nlohmann::ordered_json about = write_fields(config_.train);
    for (const DataEntry& entry : config_.data)
      about["data"][entry.name] = entry.weight;  // paths are nobody else's business
    stage_->save_weights(folder_ / name, {{"detrack.training", about.dump()},
                                          {"detrack.training.step", std::to_string(stage_->steps_done())},
                                          {"detrack.training.samples", std::to_string(state_.samples)}});
  }

  int stopped() {
    progress_.end();
    report_problems();
    std::fprintf(stderr, "stopped after step %lld; the same command with --resume goes on\n",
                 static_cast<long long>(stage_->steps_done()));
    return kInterrupted;
  }

  void report_problems() const {
    for (const auto& [what, count] : stage_->problems())
      std::fprintf(stderr, "data: drawn again %lld times: %s\n", static_cast<long long>(count), what.c_str());
    if (stage_->skipped() > 0)
      std::fprintf(stderr, "%lld updates were skipped\n", static_cast<long long>(stage_->skipped()));
  }

  const Options& options_;
  TrainConfig config_;
  RunFolder folder_;
  std::shared_ptr<std::vector<Pack>> packs_ = std::make_shared<std::vector<Pack>>();  ///< open before anything is read
  std::shared_ptr<ImageCache> images_;
  std::shared_ptr<const TrainingData> data_;
  Dataset validation_;
  std::unique_ptr<TrainingStage> stage_;
  RunState state_;
  std::int64_t skipped_in_row_ = 0;
  TrainingLog log_;
  Progress progress_;
  // Since begin_:
  StepValues sum_;
  std::int64_t updates_ = 0, samples_ = 0;
  double waited_ = 0;
  Clock::time_point begin_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Trains a DeTrack tracker.\n"
      "\n"
      "  train --config examples/train/small.json --data videos=DIR --data boxed=DIR --data unlabelled=DIR,0.1 \\\n"
      "        --init vit.safetensors --out run\n"
      "  train --config examples/train/small.json ... --out run --resume\n"
      "  train --config examples/train/small.json --data videos=DIR --data boxed=DIR --pack packs\n"
      "\n"
      "The folder --out gets config.json (what is really used), metrics.jsonl, last.ckpt (everything that going on needs),\n"
      "report.html (curves and pictures), best.safetensors and best.ckpt (by validation) and, at the end, "
      "weights.safetensors.\n"
      "With --set loader.device_mb=N crops are made on the device, of pictures that stay in N MiB of its memory: threads\n"
      "then only decode what is not there yet, and samples are the same but for rounding.\n"
      "Exit status: 0; 2 if arguments or files cannot be used, or updates give nothing finite; 130 after Ctrl-C, with a\n"
      "checkpoint.\n",
      "train");
  Options options;
  app.add_option("--config", options.config, "JSON file; see examples/train/")->required();
  app.add_option("--data", options.data, "NAME=DIR or NAME=DIR,WEIGHT: where data are (a folder, or a pack); several times");
  app.add_option("--model", options.model,
                 "A preset instead of the configuration's: detrack-n128, -t256, -s256, -b256, -b384");
  app.add_option("--stage", options.stage, "pairs, sequences, iou or mae")
      ->check(CLI::IsMember({"pairs", "sequences", "iou", "mae"}));
  app.add_option("--init", options.init, "Weights to begin with: a DeTrack, or a ViT (timm, DeiT, MAE names)");
  auto* out = app.add_option("--out", options.out, "Folder of the run");
  auto* resume = app.add_flag("--resume", options.resume, "Go on with the run in --out");
  auto* pack =
      app.add_option("--pack", options.pack,
                     "Train nothing: write the data as a pack into this folder, or as NAME in it if there are several");
  pack->excludes(out)->excludes(resume);
  app.add_option("--shard-mb", options.shard_mb, "Most MiB of a file of a pack")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str()
      ->needs(pack);
  app.add_option("--set", options.set, "FIELD=VALUE changes a field of the configuration: --set optimizer.lr=1e-4");
  options.device.add_to(app);
  app.add_flag("--quiet", options.quiet, "No progress line");
  return program::run(app, argc, argv, [&] {
    if (!options.pack.empty()) return pack_data(read_config(options), options.pack, options.shard_mb, options.quiet);
    if (options.out.empty()) fail(ErrorCode::argument, "expected --out, the folder of the run (or --pack)");
    options.device.check();
    if (options.device.products() == cpu::Products::int8)
      fail(ErrorCode::argument, "--precision: expected f32 or bf16 for training, got int8");
    return Training(options, read_config(options))();
  });
}
