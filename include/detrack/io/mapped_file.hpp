// A file mapped into memory, read-only.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "detrack/core/error.hpp"

namespace detrack {

namespace detail {

/// Throws Error(io): "<path>: <what>: <the system's reason>".
[[noreturn]] inline void fail_io(const std::filesystem::path& path, const char* what, int reason) {
  fail(ErrorCode::io, path.string(), ": ", what, ": ", std::generic_category().message(reason));
}

/// Closes a file descriptor at the end of a scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  int get() const { return fd_; }
  /// 0, or the reason why the system could not close it (a write that failed late).
  int close() {
    const int fd = std::exchange(fd_, -1);
    return fd >= 0 && ::close(fd) != 0 ? errno : 0;
  }

 private:
  int fd_;
};

}  // namespace detail

/// The bytes of a regular file, paged in as they are touched. Moves, never copies.
/// The file must not shrink while it is mapped: the system answers reads beyond a file's end with SIGBUS, which no
/// library can turn into an error. Replace files by renaming, as our own writers do.
class MappedFile {
 public:
  MappedFile() = default;
  /// Errors: io (cannot be opened, not a regular file, cannot be mapped), with the reason.
  explicit MappedFile(const std::filesystem::path& path) {
    // O_NONBLOCK: opening a named pipe must not wait for a writer; regular files do not mind.
    const detail::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0) detail::fail_io(path, "cannot open", errno);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) detail::fail_io(path, "cannot read its size", errno);
    if (!S_ISREG(status.st_mode))
      fail(ErrorCode::io, path.string(), ": expected a regular file, got ",
           S_ISDIR(status.st_mode) ? "a directory" : "something else");
    if (status.st_size == 0) return;  // mmap refuses a length of zero; an empty span says the same
    if (static_cast<std::uintmax_t>(status.st_size) > std::numeric_limits<std::ptrdiff_t>::max())
      detail::fail_io(path, "cannot map", EFBIG);
    const auto size = static_cast<std::size_t>(status.st_size);
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (memory == MAP_FAILED) detail::fail_io(path, "cannot map", errno);
    bytes_ = {static_cast<const std::byte*>(memory), size};
  }
  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    MappedFile taken(std::move(other));
    std::swap(bytes_, taken.bytes_);
    return *this;
  }
  ~MappedFile() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }

  std::span<const std::byte> bytes() const { return bytes_; }

  /// Tells the system that the file will be read front to back.
  void expect_sequential_reads() const noexcept {
    if (!bytes_.empty()) ::madvise(const_cast<std::byte*>(bytes_.data()), bytes_.size(), MADV_SEQUENTIAL);
  }

  /// Lets go of the memory behind `part`: the whole pages in it leave this process, and come back when touched again.
  void release(std::span<const std::byte> part) const noexcept {
    if (part.empty() || part.data() < bytes_.data() || part.data() + part.size() > bytes_.data() + bytes_.size()) return;
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const auto offset = static_cast<std::size_t>(part.data() - bytes_.data());
    const std::size_t begin = (offset + page - 1) / page * page;
    const std::size_t end = (offset + part.size()) / page * page;
    if (begin < end) ::madvise(const_cast<std::byte*>(bytes_.data()) + begin, end - begin, MADV_DONTNEED);
  }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace detrack
