// The files a tracking run writes frame by frame, so that a run that is cut off leaves what it had.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "detrack/io/json.hpp"
#include "detrack/track/tracker.hpp"
#include "examples/support/box_text.hpp"

namespace detrack::program {

/// A text file that reaches the system with every write. Errors: io, naming it.
class LineFile {
 public:
  LineFile() = default;
  /// Starts it anew, or goes on at its end. What an earlier run left goes with the first write: by then all files of a run
  /// are open.
  explicit LineFile(const std::filesystem::path& path, bool append = false) : path_(path), stale_(!append) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : 0), 0666);
    if (file >= 0) file_.reset(::fdopen(file, append ? "a" : "w"));
    if (!file_) fail_here("cannot create", errno);
    std::setbuf(file_.get(), nullptr);  // nothing waits in a buffer to be written once more after a failure
  }
  explicit operator bool() const { return file_ != nullptr; }
  /// Whether what was written can be replaced: not in a pipe or on a terminal.
  bool can_replace() const { return std::fseek(file_.get(), 0, SEEK_CUR) == 0; }

  /// Writes over the last bytes, which are `replaced`. A write that fails (a full disk) leaves what was there before it.
  void write(std::string_view text, std::string_view replaced = {}) {
    std::FILE* file = file_.get();
    if (std::exchange(stale_, false) && ::ftruncate(::fileno(file), 0) != 0 && errno != EINVAL)  // EINVAL: a pipe, a device
      fail_here("cannot empty", errno);
    std::fseek(file, 0, SEEK_END);
    const long end = std::ftell(file);                                       // below 0: of a pipe
    const long at = std::max(0L, end - static_cast<long>(replaced.size()));  // /dev/null stays empty
    const auto put = [&](std::string_view bytes) {
      return (end < 0 || std::fseek(file, at, SEEK_SET) == 0) &&
             std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
    };
    if (put(text)) return;
    const int reason = errno;
    const bool as_before = end < 0 || (put(replaced) && ::ftruncate(::fileno(file), end) == 0);
    fail_here(as_before ? "cannot write" : "cannot write, its end is damaged", reason);
  }

 private:
  [[noreturn]] void fail_here(const char* what, int reason) const {
    fail(ErrorCode::io, path_.string(), ": ", what, ": ", std::strerror(reason));
  }
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
  bool stale_ = false;  ///< holds what an earlier run wrote
};

/// A JSON document that is complete after every frame.
class JsonFile {
 public:
  JsonFile() = default;
  /// Errors: argument (a pipe or a terminal); io.
  JsonFile(const std::filesystem::path& path, const nlohmann::ordered_json& about) : file_(path) {
    if (!file_.can_replace())
      fail(ErrorCode::argument, path.string(),
           ": expected a file, since the end of a JSON document moves with every frame, got a pipe or a terminal");
    before_ = about.dump(2, ' ', false, kNotUtf8);
    before_.resize(before_.rfind('\n'));  // without the closing brace
    before_ += ",\n  \"frames\": [";
  }
  explicit operator bool() const { return static_cast<bool>(file_); }

  void write(const nlohmann::ordered_json& frame) {
    file_.write(before_ + "\n    " + frame.dump() + kEnd, end_);
    before_ = ",";
    end_ = kEnd;
  }

 private:
  static constexpr const char* kEnd = "\n  ]\n}\n";
  /// File names may be any bytes.
  static constexpr auto kNotUtf8 = nlohmann::ordered_json::error_handler_t::replace;
  LineFile file_;
  std::string before_;    ///< what is written before the next frame: all that precedes the frames, then a comma
  std::string_view end_;  ///< of the document so far
};

/// "boxes.txt" for a single target, "boxes.1.txt", "boxes.2.txt", ... for several.
inline std::filesystem::path numbered(const std::filesystem::path& path, std::size_t target, std::size_t targets) {
  if (targets == 1) return path;
  auto named = path;
  return named.replace_filename(path.stem().string() + "." + std::to_string(target + 1) + path.extension().string());
}

inline nlohmann::ordered_json to_json(const Box& box) {
  return {box.x, box.y, box.w, box.h};
}

inline nlohmann::ordered_json to_json(std::int64_t frame, const TrackResult& result) {
  nlohmann::ordered_json json{{"frame", frame},
                              {"box", to_json(result.box)},
                              {"score", result.score},
                              {"iou", result.iou},
                              {"state", to_string(result.state)},
                              {"template_added", result.template_added},
                              {"timings",
                               {{"crop", result.timings.crop},
                                {"network", result.timings.network},
                                {"memory", result.timings.memory},
                                {"update", result.timings.update}}}};
  for (const Box& box : result.steps) json["steps"].push_back(to_json(box));
  return json;
}

}  // namespace detrack::program
