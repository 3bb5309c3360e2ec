// Options that say where frames come from, and the source they name.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "detrack/image/folder.hpp"
#include "detrack/image/prefetch.hpp"
#include "detrack/video/camera.hpp"
#include "detrack/video/reader.hpp"
#include "examples/support/program.hpp"
#include "examples/support/same_file.hpp"

namespace detrack::program {

class SourceOptions {
 public:
  void add_to(CLI::App& app) {
    auto* group = app.add_option_group("source", "Where the frames come from: one of");
    group->add_option("--video", video_, "Video file, or numbered pictures such as img_%04d.png")->check(not_empty());
    group->add_option("--frames", folder_, "Folder of pictures (JPEG, PNG, BMP, PPM), taken in natural order of their names")
        ->check(not_empty());
    group->add_option("--camera", camera_, "Camera N: /dev/videoN");
    group->require_option(1);
    app.add_option("--start", start_, "Frames to pass over before the first")->check(zero_or_more())->capture_default_str();
    app.add_option("--frames-count", count_, "Frames to use, the first included; 0: all")
        ->check(zero_or_more())
        ->capture_default_str();
  }

  /// The source as a shell's command line names it, for printing a command.
  std::string arguments() const {
    const auto quoted = [](const std::string& name) {
      std::string text = "'";
      for (const char c : name) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
      return text + "'";
    };
    std::string text = !video_.empty()    ? "--video " + quoted(video_)
                       : !folder_.empty() ? "--frames " + quoted(folder_)
                                          : "--camera " + std::to_string(camera_);
    if (start_ > 0) text += " --start " + std::to_string(start_);
    return text;
  }

  /// Whether the source reads this file, or would read it the next time.
  bool reads(const std::filesystem::path& file) const {
    const auto in_folder_of = [&](const std::filesystem::path& other) {
      return same_file(absolute(file).parent_path(), absolute(other).parent_path());
    };
    if (!folder_.empty()) return has_image_extension(file) && in_folder_of(std::filesystem::path(folder_) / "*");
    if (video_.empty()) return false;
    if (same_file(file, video_)) return true;
    // Numbered pictures: what the pattern has before and after its %04d, and digits in between.
    const std::string pattern = std::filesystem::path(video_).filename().string(), name = file.filename().string();
    const std::size_t at = pattern.find('%'), last = pattern.find('d', at);
    if (at == std::string::npos || last == std::string::npos || !in_folder_of(video_)) return false;
    const std::string after = pattern.substr(last + 1);
    return name.size() > at + after.size() && name.starts_with(pattern.substr(0, at)) && name.ends_with(after) &&
           std::all_of(name.begin() + static_cast<std::ptrdiff_t>(at),
                       name.end() - static_cast<std::ptrdiff_t>(after.size()), [](char c) { return c >= '0' && c <= '9'; });
  }

  /// A source that stands before the first frame wanted, or earlier if interrupted(); decoding runs in a thread of its own.
  /// Errors: io, format, not_available, naming the source.
  std::unique_ptr<FrameSource> open() const {
    std::unique_ptr<FrameSource> source;
    if (!video_.empty())
      source = std::make_unique<VideoReader>(video_);
    else if (!folder_.empty())
      source = std::make_unique<ImageFolder>(folder_);
    else
      source = std::make_unique<Camera>("/dev/video" + std::to_string(camera_));
    constexpr std::int64_t kAtOnce = 16;  // passing over takes as long as decoding: Ctrl-C must not wait for all of it
    for (std::int64_t left = start_; left > 0 && !interrupted(); left -= kAtOnce)
      if (source->skip(std::min(left, kAtOnce)) < std::min(left, kAtOnce)) break;
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
