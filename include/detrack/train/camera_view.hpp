// A camera that moves while a clip lasts: what it makes of pictures' boxes and squares, and how its way is drawn.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "detrack/core/box.hpp"
#include "detrack/core/crop_region.hpp"
#include "detrack/core/rng.hpp"

namespace detrack {

/// A picture's point p is seen at c + zoom (p - c - (x, y)), c being a fixed point; pictures go on for ever.
struct CameraView {
  double x = 0, y = 0, zoom = 1;

  bool operator==(const CameraView&) const = default;
};

/// `x`, `y`: the fixed point.
inline Box seen_by(const CameraView& camera, const Box& box, double x, double y) {
  return {x + camera.zoom * (box.x - x - camera.x), y + camera.zoom * (box.y - y - camera.y), camera.zoom * box.w,
          camera.zoom * box.h};
}

/// A square that is seen, in the picture. `x`, `y`: the fixed point.
inline CropRegion in_picture(const CropRegion& region, double x, double y, const CameraView& camera) {
  return {x + camera.x + (region.centre_x - x) / camera.zoom, y + camera.y + (region.centre_y - y) / camera.zoom,
          region.side / camera.zoom};
}

/// A way without jerks, from a view of the picture as it is. From a frame to the next the camera moves by about `pace` of
/// `size` pixels, and zooms by a quarter of that; speeds last for some five frames.
inline std::vector<CameraView> draw_camera(Philox& rng, std::size_t frames, double size, double pace) {
  constexpr double kLasts = 0.8, kFresh = 0.6;  // squares sum up to 1: speeds keep their deviation
  std::vector<CameraView> way(frames);
  double right = pace * rng.normal(), down = pace * rng.normal(), closer = pace / 4 * rng.normal();
  for (std::size_t t = 1; t < frames; ++t) {
    const CameraView& last = way[t - 1];
    way[t] = {last.x + right * size, last.y + down * size, last.zoom * std::exp(closer)};
    right = kLasts * right + kFresh * pace * rng.normal();
    down = kLasts * down + kFresh * pace * rng.normal();
    closer = kLasts * closer + kFresh * pace / 4 * rng.normal() - 0.05 * std::log(way[t].zoom);  // and back
  }
  return way;
}

}  // namespace detrack
