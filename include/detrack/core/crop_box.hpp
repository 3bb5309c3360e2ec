// Boxes in units of a square crop.
#pragma once

#include <array>

namespace detrack {

/// x1, y1, x2, y2 in crop units: 0 and 1 are the crop's edges.
using CropBox = std::array<double, 4>;

}  // namespace detrack
