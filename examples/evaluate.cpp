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
#include "detrack/data/starts.hpp"
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
  std::size_t film_strips = 100, starts = 1;
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
    if (options.starts > 1) add_starts();
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
    // What cannot be compared with or written is noticed before the tracker runs, which may take hours.
    const std::vector<std::string> names = tracker_names();
    std::vector<Scored> all(1);
    for (const std::string& folder : options_.compare) all.push_back(read(folder, names[all.size()]));
    for (const std::string& folder : {options_.save, options_.report})
      if (!folder.empty()) detrack::detail::make_folder(folder);
    all[0] = options_.results.empty() ? run(names[0]) : read(options_.results, names[0]);
    if (interrupted()) {
      std::fprintf(stderr, "stopped%s\n", options_.save.empty() ? "" : "; the same command goes on where this one was");
      return kInterrupted;
    }
    for (const Scored& scored : all)
      std::printf("%s%s\n%s", all.size() > 1 ? (scored.evaluation.tracker + "\n").c_str() : "",
                  table(scored.evaluation).c_str(), confidence(scored.evaluation).c_str());
    if (all.size() > 1) std::printf("%s\n", comparison(all).c_str());
    std::printf("%s", notes(all[0].evaluation).c_str());
    if (options_.starts > 1) std::printf("  Each sequence is run from up to %zu starts on.\n", options_.starts);
    for (const std::string& folder : {options_.save, options_.report})
      if (!folder.empty()) {
        write_summary(all[0].evaluation, std::filesystem::path(folder) / "summary.json");
        std::printf("%s/summary.json\n", folder.c_str());
      }
    if (!options_.report.empty()) report(all);
    for (const std::string& failure : failures_) std::fprintf(stderr, "evaluate: %s\n", failure.c_str());
    return failures_.empty() ? kOk : kError;
  }

 private:
  void add_starts() {
    std::vector<Sequence> parts;
    for (const Sequence& sequence : dataset_.sequences)
      for (Sequence& part : from_starts(sequence, options_.starts)) parts.push_back(std::move(part));
    dataset_.sequences = std::move(parts);
  }

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
    return score(read_results(folder, dataset_.sequences), name, options_.skip_missing);
  }

  /// What the tracker and those of --compare are called: by --name, the network, or else their folders, with as many of the
  /// folders above as it takes to tell them apart.
  std::vector<std::string> tracker_names() const {
    std::vector<std::string> names, folders = options_.compare;
    if (!options_.name.empty()) {
      names.push_back(options_.name);
    } else if (options_.results.empty()) {
      names.push_back(options_.network.name());
    } else {
      folders.insert(folders.begin(), options_.results);
    }
    const std::string given = names.empty() ? "" : names[0];
    for (const std::string& folder : folders) {
      std::size_t count = 1;
      const auto taken = [&](const std::string& name) {
        return name == given || std::any_of(folders.begin(), folders.end(), [&](const std::string& other) {
                 return &other != &folder && end_of(other, count) == name;
               });
      };
      while (taken(end_of(folder, count)) && end_of(folder, count) != end_of(folder, count + 1)) ++count;
      names.push_back(end_of(folder, count));
    }
    return names;
  }

  /// The last `count` names of a path.
  static std::string end_of(const std::filesystem::path& path, std::size_t count) {
    const auto normal = path.lexically_normal();
    std::vector<std::filesystem::path> parts(normal.begin(), normal.end());
    if (parts.size() > 1 && parts.back().empty()) parts.pop_back();  // it ended in a slash
    std::filesystem::path end;
    for (std::size_t i = parts.size() - std::min(count, parts.size()); i < parts.size(); ++i) end /= parts[i];
    return end.string();
  }

  Scored run(const std::string& name) {
    RunnerOptions runner;
    runner.tracker = options_.network.tracker_options(protocol_ == Protocol::got10k ? VisualMemoryOptions::Mode::always
                                                                                    : VisualMemoryOptions::Mode::gated);
    validate(runner.tracker);
    const auto network = options_.network.load();
    const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    const int threads = runner.tracker.threads > 0 ? runner.tracker.threads : cores;
    const auto most = std::max<std::size_t>(1, dataset_.sequences.size());
    runner.jobs = static_cast<int>(std::min(static_cast<std::size_t>(options_.jobs > 0 ? options_.jobs : threads), most));
    runner.tracker.threads = std::max(1, threads / runner.jobs);
    runner.layout = result_layout();
    runner.quiet = options_.quiet;
    // Made to see that it can be: options that do not fit the network fail once, and before they are on record.
    static_cast<void>(Tracker(network, runner.tracker));
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
    for (const std::string& warning : sequences.warnings())
      std::fprintf(stderr, "warning: one sequence fewer ran at a time, as it got no tracker: %s\n", warning.c_str());
    if (sequences.resumed() > 0)
      std::printf("%zu sequences were complete in %s and were not run again\n", sequences.resumed(), options_.save.c_str());
    if (interrupted()) return {};
    std::printf("%s", sequences.times().text("reading, update").c_str());
    // A sequence that failed is reported and left out; the others are still worth their scores.
    return score(std::move(results), name, options_.skip_missing || !failures_.empty());
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
    if (options_.starts > 1) report.facts.emplace_back("starts", "up to " + std::to_string(options_.starts) + " a sequence");
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
  app.get_option("--memory")->default_str("gated, or always under --protocol got10k");
  app.add_option("--results", options.results,
                 "Folder of result files, <sequence>.txt or the layouts of got-10k/toolkit and pytracking");
  app.add_option("--dataset", options.dataset, "Folder of the dataset")->required();
  app.add_option("--layout", options.layout,
                 "Of the dataset: plain, otb, got10k, lasot, trackingnet, uav123 or davis; found by looking");
  app.add_option("--subset", options.subset,
                 "train, val or test, where the dataset has several; UAV20L or UAV123_10fps; a list of DAVIS");
  app.add_option("--sequences", options.sequences, "These sequences alone, separated by commas")->delimiter(',');
  app.add_option("--starts", options.starts,
                 "Run each sequence from so many frames on, the first one among them, to its end: one run hangs on luck. "
                 "OTB's temporal robustness evaluation has 20")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--protocol", options.protocol, "otb, got10k, lasot or trackingnet")->required();
  app.add_option("--convention", options.convention,
                 "Whose reading of the rules: toolkit (got-10k/toolkit, TrackingNet-devkit), pytracking or ostrack; by "
                 "default the one by which the benchmark's numbers are published");
  app.add_option("--save", options.save,
                 "Folder for the result files (boxes, times, scores), which also lets a stopped run go on");
  app.add_option("--save-layout", options.save_layout,
                 "toolkit (<sequence>.txt), got10k (<sequence>/<sequence>_001.txt) or pytracking (whole pixels, tabs)")
      ->default_str("toolkit, or got10k under --protocol got10k")
      ->check(CLI::IsMember({"toolkit", "got10k", "pytracking"}));
  app.add_option("--report", options.report, "Folder for summary.json and report.html");
  app.add_option("--compare", options.compare, "Folders of other trackers' results, for the tables and plots");
  app.add_option("--name", options.name, "The tracker's name in tables and plots");
  app.add_option("--jobs", options.jobs, "Sequences at a time; 0: one for each thread. For honest times: 1")
      ->capture_default_str()
      ->check(CLI::Range(0, 1'000'000));
  app.add_option("--film-strips", options.film_strips, "Sequences that get pictures in the report, the worst ones first")
      ->capture_default_str()
      ->check(CLI::Range(0, 1'000'000));
  app.add_flag("--skip-missing", options.skip_missing, "Leave sequences without a result file out of the scores");
  app.add_flag("--quiet", options.quiet, "No progress line");
  return program::run(app, argc, argv, [&] { return Evaluator(options)(); });
}
