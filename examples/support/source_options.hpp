// Options that say where frames come from, and the source they name.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "detrack/image/folder.hpp"
#include "detrack/image/prefetch.hpp"
#include "detrack/video/camera.hpp"
#include "detrack/video/reader.hpp"

namespace detrack::program {

class SourceOptions {
 public:
  void add_to(CLI::App& app) {
    auto* group = app.add_option_group("source", "Where the frames come from: one of");
    group->add_option("--video", video_, "Video file, or numbered pictures such as img_%04d.png");
    group->add_option("--frames", folder_,
                      "Folder of pictures (JPEG, PNG, BMP, PPM), taken in natural order of their names");
    group->add_option("--camera", camera_, "Camera N: /dev/videoN");
    group->require_option(1);
    app.add_option("--start", start_, "Frames to pass over before the first")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_option("--frames-count", count_, "Frames to use, the first included; 0: all")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
  }

  /// The source as the command line names it, for printing a command.
  std::string arguments() const {
    std::string text = !video_.empty()    ? "--video '" + video_ + "'"
                       : !folder_.empty() ? "--frames '" + folder_ + "'"
                                          : "--camera " + std::to_string(camera_);
    if (start_ > 0) text += " --start " + std::to_string(start_);
    return text;
  }

  /// A source that stands before the first frame wanted; decoding runs in a thread of its own.
  /// Errors: io, format, not_available, naming the source.
  std::unique_ptr<FrameSource> open() const {
    std::unique_ptr<FrameSource> source;
    if (!video_.empty())
      source = std::make_unique<VideoReader>(video_);
    else if (!folder_.empty())
      source = std::make_unique<ImageFolder>(folder_);
    else
      source = std::make_unique<Camera>("/dev/video" + std::to_string(camera_));
    source->skip(start_);
    const bool live = video_.empty() && folder_.empty();  // frames that wait in a queue would be the past
    return std::make_unique<PrefetchSource>(std::move(source), live ? 1 : 4);
  }

  /// The first frame of an opened source. Errors: argument (--start is beyond the end); format (there is none); as open().
  Frame first_of(FrameSource& source) const {
    if (auto frame = source.next()) return *std::move(frame);
    if (start_ > 0) fail(ErrorCode::argument, source.name(), ": --start: expected a frame ", start_, ", got the end");
    fail(ErrorCode::format, source.name(), ": expected a frame, got none");
  }

  std::int64_t start() const { return start_; }
  /// Frames to use at most; 0: all there are.
  std::int64_t count() const { return count_; }

 private:
  std::string video_, folder_;
  int camera_ = 0;
  std::int64_t start_ = 0, count_ = 0;
};

}  // namespace detrack::program
