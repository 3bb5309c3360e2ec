// Writing a file so that a full disk leaves nothing half-written.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>

#include "detrack/core/error.hpp"

namespace detrack::detail {

/// Writes to a new file beside `path`, then renames it to `path`. If that fails, what was at `path` stays and the new file
/// is removed. Errors: io.
inline void replace_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  const auto fail_io = [&](const char* what, int reason) {
    fail(ErrorCode::io, path.string(), ": cannot ", what, ": ", std::generic_category().message(reason));
  };
  static std::atomic<unsigned> counter{0};
  std::filesystem::path beside;
  std::FILE* file = nullptr;
  while (!file) {  // "x": nobody else's file, be it of another thread or program
    beside = path;
    beside += ".tmp-" + std::to_string(counter++);
    file = std::fopen(beside.c_str(), "wbx");
    if (!file && errno != EEXIST) fail_io("create", errno);
  }
  errno = 0;
  bool good = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  int reason = errno;
  if (std::fclose(file) != 0 && good) good = false, reason = errno;
  if (good && std::rename(beside.c_str(), path.c_str()) != 0) good = false, reason = errno;
  if (good) return;
  std::remove(beside.c_str());
  fail_io("write", reason);
}

}  // namespace detrack::detail
