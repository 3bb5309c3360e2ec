// Scores a tracker on a benchmark: runs it over a dataset, or reads result files, and reports as the field does.
#include "detrack/eval/evaluate.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "detrack/data/open_dataset.hpp"
#include "detrack/eval/report.hpp"
#include "detrack/eval/result_files.hpp"
#include "detrack/eval/summary.hpp"
#include "examples/support/film_strips.hpp"
#include "examples/support/network_options.hpp"
#include "examples/support/program.hpp"
#include "examples/support/run_record.hpp"
#include "examples/support/sequence_runner.hpp"

namespace {

using namespace detrack;
using namespace detrack::program;

struct Options {
  NetworkOptions network;
  std::string results, dataset, layout, subset, protocol, convention, save, save_layout, report, name;
  std::vector<std::string> compare, sequences;
  int jobs = 0;
  std::size_t film_strips = 100;
  bool skip_missing = false, quiet = false;
};

class Evaluator {
 public:
  explicit Evaluator(const Options& options) : options_(options), protocol_(parse_protocol(options.protocol)) {
    convention_ = options.convention.empty() ? usual_convention(protocol_) : parse_convention(options.convention);
    if (options.results.empty() == !options.network.given())
      fail(ErrorCode::argument, "expected either --weights (run a tracker) or --results (score files), got ",
           options.results.empty() ? "neither" : "both");
    dataset_ = open_dataset(options.dataset,
                            {.layout = options.layout.empty() ? std::optional<Layout>() : parse_layout(options.layout),
                             .subset = options.subset,
                             .pytracking_names = convention_ != Convention::toolkit,
                             .load_image = [](const auto& mask) { return load_image(mask); }});
    // Of the whole dataset: a run over some --sequences may go on with others.
    if (!options.save.empty()) dataset_fingerprint_ = fingerprint(dataset_.sequences);
    if (!options.sequences.empty()) keep_sequences(dataset_, options.sequences);
    // GOT-10k bounds boxes to the frame; other layouts than its own do not say how large that is.
    if (protocol_ == Protocol::got10k && convention_ == Convention::toolkit)
      for (Sequence& sequence : dataset_.sequences)
        if (!sequence.frame_size && !sequence.frames.empty()) {
          const Image first = load_image(sequence.frames[0]);
          sequence.frame_size = ImageSize{first.width(), first.height()};
        }
    for (const std::string& warning : dataset_.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  }

  int operator()() {
    std::vector<Scored> all;
    all.push_back(options_.results.empty() ? run() : read(options_.results, options_.name));
    if (interrupted()) {
      std::fprintf(stderr, "stopped%s\n", options_.save.empty() ? "" : "; the same command goes on where this one was");
      return kInterrupted;
    }
    for (const std::string& folder : options_.compare) all.push_back(read(folder, ""));
    for (const Scored& scored : all)
      std::printf("%s%s\n%s", all.size() > 1 ? (scored.evaluation.tracker + "\n").c_str() : "",
                  table(scored.evaluation).c_str(), confidence(scored.evaluation).c_str());
    if (all.size() > 1) std::printf("%s\n", comparison(all).c_str());
    std::printf("%s", notes(all[0].evaluation).c_str());
    for (const std::string& folder : {options_.save, options_.report})
      if (!folder.empty()) {
        std::filesystem::create_directories(folder);
        write_summary(all[0].evaluation, std::filesystem::path(folder) / "summary.json");
        std::printf("%s/summary.json\n", folder.c_str());
      }
    if (!options_.report.empty()) report(all);
    for (const std::string& failure : failures_) std::fprintf(stderr, "evaluate: %s\n", failure.c_str());
    return failures_.empty() ? kOk : kError;
  }

 private:
  struct Scored {
    Evaluation evaluation;
    std::vector<SequenceResult> results;
  };

  Scored score(std::vector<SequenceResult> results, const std::string& tracker, bool skip_missing) const {
    return {evaluate(protocol_, dataset_.sequences, results,
                     {.convention = convention_, .skip_missing = skip_missing, .tracker = tracker}),
            std::move(results)};
  }

  Scored read(const std::string& folder, const std::string& name) const {
    const auto path = std::filesystem::path(folder).lexically_normal();
    const auto last = path.has_filename() ? path.filename() : path.parent_path().filename();
    return score(read_results(folder, dataset_.sequences), name.empty() ? last.string() : name, options_.skip_missing);
  }

  Scored run() {
    const auto network = options_.network.load();
    RunnerOptions runner;
    const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    const int threads = options_.network.threads() > 0 ? options_.network.threads() : cores;
    runner.jobs = options_.jobs > 0 ? options_.jobs : threads;
    runner.tracker = options_.network.tracker_options(protocol_ == Protocol::got10k ? VisualMemoryOptions::Mode::always
                                                                                    : VisualMemoryOptions::Mode::gated);
    runner.tracker.threads = std::max(1, threads / runner.jobs);
    runner.layout = result_layout();
    runner.quiet = options_.quiet;
    if (!options_.save.empty()) {
      runner.save = options_.save;
      RunRecord record;
      record.set("network", options_.network.name());
      record.set("weights", options_.network.fingerprint());
      record.set("options", options_.network.text());
      record.set("dataset", dataset_fingerprint_);
      record.set("memory", to_string(runner.tracker.visual_memory.mode));
      record.set("layout", options_.save_layout);
      record.claim(runner.save);
    }
    std::printf("%zu sequences of %s (%s), %d at a time with %d thread%s each; templates: %s\n", dataset_.sequences.size(),
                options_.dataset.c_str(), std::string(to_string(dataset_.layout)).c_str(), runner.jobs,
                runner.tracker.threads, runner.tracker.threads == 1 ? "" : "s",
                std::string(to_string(runner.tracker.visual_memory.mode)).c_str());
    SequenceRunner sequences(network, dataset_.sequences, runner);
    auto results = sequences.run();
    failures_ = sequences.failures();
    if (sequences.resumed() > 0)
      std::printf("%zu sequences were complete in %s and were not run again\n", sequences.resumed(), options_.save.c_str());
    const std::string tracker = options_.name.empty() ? options_.network.name() : options_.name;
    if (interrupted()) return {};
    // A sequence that failed is reported and left out; the others are still worth their scores.
    return score(std::move(results), tracker, options_.skip_missing || !failures_.empty());
  }

  ResultLayout result_layout() const {
    const std::map<std::string, ResultLayout> layouts{
        {"toolkit", ResultLayout::toolkit}, {"got10k", ResultLayout::got10k}, {"pytracking", ResultLayout::pytracking}};
    if (!options_.save_layout.empty()) return layouts.at(options_.save_layout);
    return protocol_ == Protocol::got10k ? ResultLayout::got10k : ResultLayout::toolkit;
  }

  /// Nothing where the tracker's scores are not known.
  static std::string confidence(const Evaluation& evaluation) {
    const std::string text = confidence_table(evaluation.reliability);
    return text.empty() ? text : text + '\n';
  }

  static std::string comparison(const std::vector<Scored>& all) {
    std::size_t width = 8;
    for (const Scored& scored : all) width = std::max(width, scored.evaluation.tracker.size());
    std::string text = "overall" + std::string(width - 7, ' ') + "    AUC      P  PNorm     AO   SR50   SR75\n";
    for (const Scored& scored : all) {
      const Scores& s = scored.evaluation.overall;
      char numbers[120];
      std::snprintf(numbers, sizeof numbers, "  %5.3f  %5.3f  %5.3f  %5.3f  %5.3f  %5.3f\n", s.auc, s.precision,
                    s.norm_precision, s.ao, s.sr50, s.sr75);
      text += scored.evaluation.tracker + std::string(width - scored.evaluation.tracker.size(), ' ') + numbers;
    }
    return text;
  }

  void report(const std::vector<Scored>& all) const {
    Report report;
    for (const Scored& scored : all) report.evaluations.push_back(scored.evaluation);
    report.facts = {{"dataset", options_.dataset},
                    {options_.results.empty() ? "weights" : "results",
                     options_.results.empty() ? options_.network.name() : options_.results}};
    report.strips = film_strips(dataset_, all[0].results, all[0].evaluation, options_.film_strips, options_.quiet);
    const auto path = std::filesystem::path(options_.report) / "report.html";
    report.strip_legend = "white: true box; orange: the tracker's";
    write_report(report, path);
    std::printf("%s\n", path.c_str());
  }

  const Options& options_;
  Protocol protocol_;
  Convention convention_;
  Dataset dataset_;
  std::string dataset_fingerprint_;
  std::vector<std::string> failures_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Runs a tracker over a dataset, or reads the result files of one, and scores it by a benchmark's rules.\n"
      "\n"
      "  evaluate --weights W --dataset DIR --protocol otb --save results --report report\n"
      "  evaluate --results DIR --dataset DIR --protocol lasot --compare OTHER --report report\n"
      "\n"
      "Every rule that was followed is printed. With --save a run that was stopped goes on where it was.\n"
      "Exit status: 0; 2 if arguments or files cannot be used, or sequences failed; 130 after Ctrl-C.\n",
      "evaluate");
  Options options;
  options.network.add_to(app);
  app.add_option("--results", options.results,
                 "Folder of result files, <sequence>.txt or the layouts of got-10k/toolkit and pytracking");
  app.add_option("--dataset", options.dataset, "Folder of the dataset")->required();
  app.add_option("--layout", options.layout,
                 "Of the dataset: plain, otb, got10k, lasot, trackingnet, uav123 or davis; found by looking");
  app.add_option("--subset", options.subset,
                 "train, val or test, where the dataset has several; UAV20L or UAV123_10fps; a list of DAVIS");
  app.add_option("--sequences", options.sequences, "These sequences alone, separated by commas")->delimiter(',');
  app.add_option("--protocol", options.protocol, "otb, got10k, lasot or trackingnet")->required();
  app.add_option("--convention", options.convention,
                 "Whose reading of the rules: toolkit (got-10k/toolkit, TrackingNet-devkit), pytracking or ostrack; by "
                 "default the one by which the benchmark's numbers are published");
  app.add_option("--save", options.save,
                 "Folder for the result files (boxes, times, scores), which also lets a stopped run go on");
  app.add_option("--save-layout", options.save_layout,
                 "toolkit (<sequence>.txt), got10k (<sequence>/<sequence>_001.txt) or pytracking (whole pixels, tabs)")
      ->check(CLI::IsMember({"toolkit", "got10k", "pytracking"}));
  app.add_option("--report", options.report, "Folder for summary.json and report.html");
  app.add_option("--compare", options.compare, "Folders of other trackers' results, for the tables and plots");
  app.add_option("--name", options.name, "The tracker's name in tables and plots");
  app.add_option("--jobs", options.jobs, "Sequences at a time; 0: one for each thread. For honest times: 1")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--film-strips", options.film_strips, "Sequences that get pictures in the report, the worst ones first")
      ->capture_default_str();
  app.add_flag("--skip-missing", options.skip_missing, "Leave sequences without a result file out of the scores");
  app.add_flag("--quiet", options.quiet, "No progress line");
  return program::run(app, argc, argv, [&] { return Evaluator(options)(); });
}
