// Whether two names mean one file.
#pragma once

#include <filesystem>
#include <system_error>

namespace detrack::program {

/// Or one folder; neither need exist yet. A device such as /dev/null may be named twice.
inline bool same_file(const std::filesystem::path& a, const std::filesystem::path& b) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::is_character_file(a, error)) return false;
  if (fs::equivalent(a, b, error)) return true;
  const auto full = [](const fs::path& path) {
    std::error_code unknown;
    const auto resolved = fs::weakly_canonical(fs::absolute(path), unknown);
    return unknown ? fs::absolute(path) : resolved;
  };
  return full(a) == full(b);
}

}  // namespace detrack::program
