// The images of a folder, in order.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/image/file_type.hpp"
#include "detrack/image/natural_order.hpp"

namespace detrack {

/// The files of the folder itself that has_image_extension() knows, in natural_less() order of their names; hidden ones
/// (such as the ._001.jpg of macOS) left out. Errors: io (no such folder, or not to be read).
inline std::vector<std::filesystem::path> image_files(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const fs::path& path = at->path();
    std::error_code vanished;
    if (has_image_extension(path) && path.filename().c_str()[0] != '.' && at->is_regular_file(vanished))
      files.push_back(path);
  }
  if (error) fail(ErrorCode::io, folder.string(), ": cannot read the folder: ", error.message());
  std::sort(files.begin(), files.end(),
            [](const fs::path& a, const fs::path& b) { return natural_less(a.filename().native(), b.filename().native()); });
  return files;
}

}  // namespace detrack
