// Whether a folder is a pack of data.
#pragma once

#include <filesystem>

#include "detrack/data/layouts/folder.hpp"

namespace detrack {

inline constexpr const char* kPackIndex = "pack.json";

inline bool is_pack(const std::filesystem::path& folder) {
  return detail::is_file(folder / kPackIndex);
}

}  // namespace detrack
