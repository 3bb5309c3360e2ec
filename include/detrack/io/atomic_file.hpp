// Replacing a file all or nothing.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "detrack/core/error.hpp"
#include "detrack/io/mapped_file.hpp"

namespace detrack {

/// Writes to a new file beside `path` and renames it over `path` in commit(). Until then, and whenever anything fails
/// (a full disk, an exception in between), what was at `path` stays as it was and the new file is removed.
/// A symbolic link at `path` is replaced, not followed.
class AtomicFile {
 public:
  /// Errors: io (the folder does not exist or may not be written, `path` is not a regular file).
  explicit AtomicFile(std::filesystem::path path) : path_(std::move(path)), file_(create()) {}
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    if (!committed_) ::unlink(temporary_.c_str());
  }

  /// Appends. Errors: io.
  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) detail::fail_io(path_, "cannot write", errno);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }

  /// Where the new contents are until commit(), for writers that open files by their names.
  const std::filesystem::path& temporary() const { return temporary_; }

  /// Makes the new contents durable and puts them in place. Errors: io.
  void commit() {
    if (::fsync(file_.get()) != 0) detail::fail_io(path_, "cannot write", errno);
    if (const int reason = file_.close()) detail::fail_io(path_, "cannot write", reason);
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) detail::fail_io(path_, "cannot replace", errno);
    committed_ = true;
    // The rename itself survives a power cut once its folder is on disk. Some file systems cannot do this: no error.
    const auto parent = path_.parent_path();
    const detail::Descriptor folder(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() >= 0) ::fsync(folder.get());
  }

 private:
  /// The descriptor of a new file that no other thread or process writes to.
  int create() {
    struct stat status {};
    if (::lstat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode))
      fail(ErrorCode::io, path_.string(), ": expected a regular file or none, got ",
           S_ISDIR(status.st_mode) ? "a directory" : "something else");
    static std::atomic<unsigned> counter{0};
    for (;;) {
      temporary_ = path_;
      temporary_ += ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
      const int fd = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (fd >= 0) return fd;
      if (errno != EEXIST) detail::fail_io(path_, "cannot create", errno);
    }
  }

  std::filesystem::path path_, temporary_;
  detail::Descriptor file_;
  bool committed_ = false;
};

/// Replaces the file at `path` by `text`, all or nothing. Errors: those of AtomicFile.
inline void write_atomically(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace detrack
