// Folders to write into.
#pragma once

#include <filesystem>
#include <system_error>

#include "detrack/core/error.hpp"

namespace detrack::detail {

/// With those above it, where they are not there. Errors: io.
inline void make_folder(const std::filesystem::path& folder) {
  std::error_code reason;
  std::filesystem::create_directories(folder, reason);
  if (reason) fail(ErrorCode::io, folder.string(), ": cannot create the folder: ", reason.message());
}

}  // namespace detrack::detail
