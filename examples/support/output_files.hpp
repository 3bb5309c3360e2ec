// The files a tracking run writes frame by frame, so that a run that is cut off leaves what it had.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>

#include "detrack/io/json.hpp"
#include "detrack/track/tracker.hpp"
#include "examples/support/box_text.hpp"

namespace detrack::program {

/// A text file that reaches the disk after every write. Errors: io, naming it.
class LineFile {
 public:
  LineFile() = default;
  /// Starts it anew, or goes on at its end.
  explicit LineFile(const std::filesystem::path& path, bool append = false)
      : path_(path), file_(std::fopen(path.c_str(), append ? "a" : "w")) {
    if (!file_) fail_here("cannot create");
  }
  explicit operator bool() const { return file_ != nullptr; }

  void write(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() || std::fflush(file_.get()) != 0)
      fail_here("cannot write");
  }
  /// Moves back over the last `bytes`, so that the next write replaces them.
  void back(long bytes) {
    if (std::fseek(file_.get(), -bytes, SEEK_END) != 0) fail_here("cannot write");
  }

 private:
  [[noreturn]] void fail_here(const char* what) const {
    fail(ErrorCode::io, path_.string(), ": ", what, ": ", std::strerror(errno));
  }
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

/// A JSON document that is complete after every frame.
class JsonFile {
 public:
  JsonFile() = default;
  JsonFile(const std::filesystem::path& path, nlohmann::ordered_json about) : file_(path) {
    std::string head = about.dump(2);
    head.resize(head.rfind('\n'));  // without the closing brace
    file_.write(head + ",\n  \"frames\": [" + kEnd);
  }
  explicit operator bool() const { return static_cast<bool>(file_); }

  void write(const nlohmann::ordered_json& frame) {
    file_.back(static_cast<long>(std::strlen(kEnd)));
    file_.write((first_ ? "\n    " : ",\n    ") + frame.dump() + kEnd);
    first_ = false;
  }

 private:
  static constexpr const char* kEnd = "\n  ]\n}\n";
  LineFile file_;
  bool first_ = true;
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
