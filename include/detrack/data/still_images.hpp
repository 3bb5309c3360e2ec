// Still pictures with boxes around objects.
#pragma once

#include <filesystem>
#include <vector>

#include "detrack/image/box.hpp"

namespace detrack {

struct StillImage {
  std::filesystem::path file;
  std::vector<Box> boxes;
};

}  // namespace detrack
