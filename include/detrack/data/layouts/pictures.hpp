// Pictures without annotations, in folders of folders.
#pragma once

#include <filesystem>
#include <utility>

#include "detrack/data/layouts/folder.hpp"
#include "detrack/data/layouts/still_folder.hpp"
#include "detrack/data/layouts/table.hpp"
#include "detrack/data/still_images.hpp"
#include "detrack/image/image_files.hpp"

namespace detrack::detail {

/// All pictures below `root`, a folder's own before those of its folders. Warns of tables of boxes, which it does not read:
/// somebody may have meant one of these folders. Errors: io.
inline StillImages read_pictures(const std::filesystem::path& root) {
  StillImages stills;
  for_each_folder(root, stills.warnings, [&](const std::filesystem::path& folder) {
    if (is_file(root / folder / kTableFile))
      stills.warnings.push_back((root / folder / kTableFile).string() + ": not read: open its folder to get its boxes");
    for (auto& file : image_files(root / folder)) stills.images.push_back({std::move(file), {}});
  });
  return stills;
}

}  // namespace detrack::detail
