// Where predicted boxes land: in the frame, clipped, and from there back into the crop.
#pragma once

#include "detrack/core/crop_region.hpp"
#include "detrack/ops/op.hpp"

namespace detrack {

/// Math:   placed[b] = to_crop(place_in_frame(box[b], ...), region of b): what a tracker makes of its network's box before
/// it
///         asks how good that is, so that the question need not wait for the host.
/// Shapes: box (B, 4), crop units; placement (B, 9): the crop region's centre_x, centre_y and side, the frame's width and
///         height, and x, y, w and h of the target's last box, all pixels; placed (B, 4), crop units, in double as on the
///         host.
template <class T>
struct PlaceBoxes {
  static constexpr const char* kName = "place_boxes";
  View<const stat_t<T>> box{};
  View<const double> placement{};
  View<double> placed{};

  template <class F>
  void views(F&& f) const {
    f("box", box), f("placement", placement), f("placed", placed);
  }
  void check() const {
    ops::expect_rank(kName, "box", box.shape(), 2);
    const std::int64_t B = box.extent(0);
    ops::expect_view(kName, "box", box, {B, 4});
    ops::expect_view(kName, "placement", placement, {B, 9});
    ops::expect_view(kName, "placed", placed, {B, 4});
  }
  double flops() const { return 40.0 * static_cast<double>(box.extent(0)); }
};

}  // namespace detrack
