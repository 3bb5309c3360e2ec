// Follows targets through a video: boxes, scores and times into files, pictures of it on demand.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "detrack/image/pixel_grid.hpp"
#include "detrack/track/track_frames.hpp"
#include "examples/support/network_options.hpp"
#include "examples/support/output_files.hpp"
#include "examples/support/program.hpp"
#include "examples/support/progress.hpp"
#include "examples/support/renderer.hpp"
#include "examples/support/same_file.hpp"
#include "examples/support/source_options.hpp"
#include "examples/support/timing.hpp"

namespace {

using namespace detrack;
using namespace detrack::program;
using Clock = std::chrono::steady_clock;

struct Options {
  NetworkOptions network;
  SourceOptions source;
  std::vector<std::string> boxes;
  std::string out, times, json, render, contact_sheet, select;
  std::size_t tiles = 12;
  bool show_denoising = false, quiet = false;
};

/// A file or folder that is written, the option that names it, and what it holds.
struct Output {
  const char *option, *what;
  std::filesystem::path path;
};

std::vector<Output> outputs_of(const Options& options) {
  std::vector<Output> outputs;
  const auto add = [&](const char* option, const char* what, const std::string& path, std::size_t targets) {
    for (std::size_t i = 0; i < targets && !path.empty(); ++i) outputs.push_back({option, what, numbered(path, i, targets)});
  };
  add("--out", "boxes", options.out, options.boxes.size());
  add("--times", "times", options.times, options.boxes.size());
  add("--json", "results", options.json, options.boxes.size());
  add("--render", "pictures", options.render, 1);
  add("--contact-sheet", "contact sheet", options.contact_sheet, 1);
  return outputs;
}

/// Before anything is opened: no output may replace what is read, or another output. Errors: argument.
void check_outputs(const std::vector<Output>& outputs, const SourceOptions& source,
                   const std::vector<std::string>& weights) {
  for (auto at = outputs.begin(); at != outputs.end(); ++at) {
    const auto reject = [&](const std::string& other) {
      fail(ErrorCode::argument, at->option, ": expected another place than that of ", other, ", got ", at->path.string());
    };
    if (source.reads(at->path) || source.reads(at->path / "000000.jpg"))  // --render may be a folder of pictures
      reject("the frames that are read");
    for (const std::string& path : weights)
      if (same_file(at->path, path)) reject("--weights");
    for (auto earlier = outputs.begin(); earlier != at; ++earlier)
      if (same_file(at->path, earlier->path)) reject(earlier->option);
  }
}

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// The first frame with a grid on it, from which a person reads the box.
int select_box(const Options& options) {
  const auto source = options.source.open();
  if (interrupted()) return kInterrupted;
  save_image(options.select, pixel_grid(options.source.first_of(*source).image));
  std::printf(
      "%s: frame %lld with a grid, labelled in pixels. Read off the target's left, top, width and height, then run\n"
      "  track %s --weights WEIGHTS --box x,y,w,h --out boxes.txt --render out.mp4\n",
      options.select.c_str(), static_cast<long long>(options.source.start()), options.source.arguments().c_str());
  return kOk;
}

/// What is written of each target.
struct Outputs {
  LineFile boxes, times;
  JsonFile json;

  void write(std::int64_t frame, const TrackResult& result) {
    if (boxes) boxes.write(box_text(result.box) + "\n");
    if (times) {
      char text[32];
      std::snprintf(text, sizeof text, "%.8f\n", result.timings.update);
      times.write(text);
    }
    if (json) json.write(to_json(frame, result));
  }
};

class Run {
 public:
  explicit Run(const Options& options) : options_(options), progress_(options.quiet) {
    for (const std::string& text : options.boxes) boxes_.push_back(parse_box(text));
    network_ = options.network.load();
    TrackerOptions tracker = options.network.tracker_options(VisualMemoryOptions::Mode::gated);
    tracker.denoising_steps = options.show_denoising;
    targets_.emplace(network_, tracker);
    source_ = options.source.open();
  }

  int operator()() {
    begin_ = Clock::now();
    try {
      first_frame();
      if (frames_ == 0) return kInterrupted;
      if (more()) {
        track_frames(*targets_, *source_, [&](const TrackProgress& at) {
          take(at.frame, at.results);
          times_.add(at.results[0].timings.network, at.results[0].timings.update);
          return more();
        });
        if (more() && source_->ended_early()) fail_early();
      }
    } catch (...) {
      try {
        close();  // the results so far are worth keeping
      } catch (const std::exception& error) {
        std::fprintf(stderr, "track: %s\n", error.what());
      }
      throw;
    }
    const double seconds = seconds_since(begin_);
    close();
    report(seconds);
    return interrupted() ? kInterrupted : kOk;
  }

 private:
  /// Leaves frames_ at 0 if interrupted() before any file is opened.
  void first_frame() {
    const Frame frame = options_.source.first_of(*source_);
    std::vector<TrackResult> results;
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
      const auto begin = Clock::now();
      targets_->init(i, frame.image, boxes_[i]);
      results.push_back({.box = boxes_[i], .score = 1, .iou = 1});
      results.back().timings.update = seconds_since(begin);
    }
    if (interrupted()) return;
    // Only now, and emptied when all are open: what is refused must not cost the files of an earlier run.
    if (!options_.render.empty() || !options_.contact_sheet.empty()) open_renderer(frame.image);
    const auto open = [&](const std::string& path, std::size_t i) { return numbered(path, i, boxes_.size()); };
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
      Outputs& files = outputs_.emplace_back();
      if (!options_.out.empty()) files.boxes = LineFile(open(options_.out, i));
      if (!options_.times.empty()) files.times = LineFile(open(options_.times, i));
      if (!options_.json.empty())
        files.json = JsonFile(open(options_.json, i), {{"source", source_->name()},
                                                       {"network", options_.network.name()},
                                                       {"runs_on", targets_->describe()},
                                                       {"first_box", program::to_json(boxes_[i])}});
    }
    take(frame, results);
  }

  void open_renderer(const ImageView& frame) {
    renderer_ = std::make_unique<Renderer>(
        RenderOptions{.video = options_.render,
                      .contact_sheet = options_.contact_sheet,
                      .tiles = options_.tiles,
                      .frame_rate = source_->frame_rate() > 0 ? source_->frame_rate() : 25,
                      .title = std::filesystem::path(source_->name()).filename().string() + ", " + options_.network.name()},
        frame.width(), frame.height());
  }

  bool more() const { return !interrupted() && (options_.source.count() == 0 || frames_ < options_.source.count()); }

  [[noreturn]] void fail_early() const {
    const std::int64_t frames = options_.source.start() + frames_;
    const auto listed = source_->frame_count();
    fail(ErrorCode::format, source_->name(), ": ends after frame ", frames - 1, ": its index lists ",
         listed ? std::to_string(*listed) + " frames" : "more", ", the file is cut off");
  }

  void take(const Frame& frame, std::span<const TrackResult> results) {
    for (std::size_t i = 0; i < results.size(); ++i) outputs_[i].write(frame.index, results[i]);
    if (renderer_) renderer_->add(frame, results);
    ++frames_;
    if (progress_.due()) progress_.show(line(frame, results));
  }

  std::string line(const Frame& frame, std::span<const TrackResult> results) const {
    const double rate = static_cast<double>(frames_) / seconds_since(begin_);
    std::int64_t end = source_->frame_count().value_or(0);
    if (options_.source.count() > 0)
      end = std::min(end > 0 ? end : INT64_MAX, options_.source.start() + options_.source.count());
    char text[200];
    std::snprintf(text, sizeof text, "frame %lld%s  %.1f FPS  score", static_cast<long long>(frame.index),
                  end > 0 ? ("/" + std::to_string(end - 1)).c_str() : "", rate);
    std::string all = text;
    for (const TrackResult& result : results) {
      std::snprintf(text, sizeof text, " %.2f%s", result.score,
                    result.state == TargetState::tracking ? "" : (" " + std::string(to_string(result.state))).c_str());
      all += text;
    }
    if (end > frame.index + 1) all += "  " + clock_text(static_cast<double>(end - 1 - frame.index) / rate) + " left";
    return all;
  }

  void close() {
    progress_.end();
    if (!renderer_) return;
    renderer_->finish();
    renderer_.reset();
  }

  void report(double seconds) {
    std::printf("%lld frames of %s in %.2f s, with %s%s\n", static_cast<long long>(frames_), source_->name().c_str(),
                seconds, targets_->describe().c_str(), interrupted() ? " (stopped)" : "");
    times_.add_whole(frames_, seconds);
    std::printf("%s", times_.text("decoding, update, output").c_str());
    for (const Output& output : outputs_of(options_)) std::printf("  %s: %s\n", output.what, output.path.c_str());
  }

  const Options& options_;
  Progress progress_;
  std::vector<Box> boxes_;
  std::shared_ptr<const Network> network_;
  std::optional<MultiTracker> targets_;
  std::unique_ptr<FrameSource> source_;
  std::unique_ptr<Renderer> renderer_;
  std::vector<Outputs> outputs_;
  TrackingTimes times_;
  std::int64_t frames_ = 0;
  Clock::time_point begin_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Follows one or several targets through a video, given their boxes in its first frame.\n"
      "\n"
      "  track --video clip.mp4 --select                      writes select.png: read the target's box off its grid\n"
      "  track --weights W --video clip.mp4 --box 120,80,40,60 --out boxes.txt --render out.mp4\n"
      "\n"
      "Boxes are x,y,w,h in pixels from the frame's top left corner. Exit status: 0; 2 if arguments or files cannot be "
      "used\n"
      "(what was tracked until then stays in the files); 130 after Ctrl-C.\n",
      "track");
  Options options;
  options.network.add_to(app);
  app.get_option("--memory")->default_str("gated");
  options.source.add_to(app);
  app.add_option("--box", options.boxes, "x,y,w,h of a target in the first frame; once for each target");
  app.add_option("--select", options.select,
                 "Do not track: write the first frame with a labelled pixel grid to this PNG, to read a box off it")
      ->expected(0, 1)
      ->default_str("select.png");
  app.add_option("--out", options.out,
                 "Boxes, a line x,y,w,h for each frame; boxes.1.txt, ... where there are several targets")
      ->check(not_empty());
  app.add_option("--times", options.times, "Seconds of update, a line for each frame (of init for the first)")
      ->check(not_empty());
  app.add_option("--json", options.json, "Box, score, IoU, state and timings of each frame")->check(not_empty());
  app.add_option("--render", options.render, "Frames with the boxes: a video (out.mp4), or a folder of pictures")
      ->check(not_empty());
  app.add_option("--contact-sheet", options.contact_sheet, "One picture (PNG or JPEG) of frames from the whole run")
      ->check(not_empty());
  app.add_option("--tiles", options.tiles, "Frames on the contact sheet")->check(CLI::Range(2, 400))->capture_default_str();
  app.add_flag("--show-denoising", options.show_denoising,
               "Draw the box read out after each block, dark to light, under the final one");
  app.add_flag("--quiet", options.quiet, "No progress line");
  return run(app, argc, argv, [&] {
    const auto& weights = app.get_option("--weights")->results();
    if (app.count("--select") > 0) {
      check_outputs({{"--select", "grid", options.select}}, options.source, weights);
      return select_box(options);
    }
    if (options.boxes.empty()) fail(ErrorCode::argument, "--box: expected x,y,w,h (--select helps to find it), got none");
    check_outputs(outputs_of(options), options.source, weights);
    return Run(options)();
  });
}
