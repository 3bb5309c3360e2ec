// The folder of a training run: its files, and whose it is.
#pragma once

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "detrack/core/error.hpp"
#include "detrack/io/atomic_file.hpp"
#include "detrack/io/make_folder.hpp"
#include "detrack/io/mapped_file.hpp"
#include "examples/support/read_text.hpp"

namespace detrack::program {

class RunFolder {
 public:
  static constexpr const char *kCheckpoint = "last.ckpt", *kWeights = "weights.safetensors", *kBest = "best.safetensors",
                              *kBestCheckpoint = "best.ckpt", *kConfig = "config.json", *kMetrics = "metrics.jsonl",
                              *kReport = "report.html", *kLock = ".lock";

  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path operator/(const char* name) const { return path_ / name; }
  std::string text() const { return path_.string(); }

  /// Makes it this process's until it ends, however it does. `config` is what config.json will say. Nobody else's files are
  /// touched, and a mistyped --resume makes no folder. Errors: argument; io.
  void claim(bool resume, const std::string& config) {
    if (resume && !has(kCheckpoint)) fail(ErrorCode::argument, "--resume: there is no checkpoint in ", text());
    detrack::detail::make_folder(path_);
    lock();
    if (resume) return remove_leftovers();
    if (has(kCheckpoint))
      fail(ErrorCode::argument, "--out: ", text(),
           " holds a run already; go on with it by --resume, or choose another folder");
    for (const char* name : kCostly) refuse(name);
    if (read_text(path_ / kConfig) == config) return;  // this run, killed before its first checkpoint
    for (const char* name : kNotes) refuse(name);
  }

 private:
  // What a run leaves: what it was made for, and what says how it was made.
  static constexpr const char* kCostly[] = {kCheckpoint, kWeights, kBest, kBestCheckpoint};
  static constexpr const char* kNotes[] = {kConfig, kMetrics, kReport};

  bool has(const char* name) const {
    std::error_code ignored;
    return std::filesystem::exists(path_ / name, ignored);
  }

  /// Errors: argument, where the folder has that file.
  void refuse(const char* name) const {
    if (has(name))
      fail(ErrorCode::argument, "--out: ", text(), ": expected a folder without files of another run, got one with ", name,
           "; choose another folder");
  }

  void lock() {
    const std::filesystem::path file = path_ / kLock;
    lock_.emplace(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (lock_->get() < 0) detrack::detail::fail_io(file, "cannot create", errno);
    if (::flock(lock_->get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)  // some file systems have no locks
      fail(ErrorCode::argument, "--out: ", text(), ": expected a folder that nobody trains in, got one in use");
  }

  /// Removes what a killed run was writing (AtomicFile); what cannot be removed does no harm.
  void remove_leftovers() const {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(path_, ignored)) {
      const std::string file = entry.path().filename().string();
      const auto begins_it = [&](const char* name) { return file.starts_with(std::string(name) + ".tmp-"); };
      const bool ours = std::ranges::any_of(kCostly, begins_it) || std::ranges::any_of(kNotes, begins_it);
      if (ours && std::filesystem::is_regular_file(entry.symlink_status(ignored)))
        std::filesystem::remove(entry.path(), ignored);
    }
  }

  std::filesystem::path path_;
  std::optional<detrack::detail::Descriptor> lock_;
};

}  // namespace detrack::program
