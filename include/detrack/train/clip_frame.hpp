// Where a target is in a clip's frame as the clip changes it, and how a crop of that frame is made.
#pragma once

#include <cstddef>
#include <cstdint>

#include "detrack/core/box.hpp"
#include "detrack/core/crop_region.hpp"
#include "detrack/image/image.hpp"
#include "detrack/ops/crop_plan.hpp"
#include "detrack/train/camera_view.hpp"
#include "detrack/train/clip.hpp"
#include "detrack/train/distortion.hpp"

namespace detrack {

/// Frame t of a clip: its picture mirrored where the clip is, then distorted, then seen by the camera, both about the
/// target's centre in the clip's first frame. What a camera that moves sees lies in a frame that is larger on each side, so
/// that a target stays in it.
class ClipFrame {
 public:
  /// `picture`: mirrored already. All must outlive this.
  ClipFrame(const Clip& clip, std::size_t t, const Image& picture)
      : clip_(clip), t_(t), picture_(picture), fixed_(in_picture(0)), margin_(clip.camera.empty() ? 0 : 10000) {}

  std::int64_t width() const { return picture_.width() + 2 * margin_; }
  std::int64_t height() const { return picture_.height() + 2 * margin_; }

  Box target() const {
    const double x = fixed_.centre_x(), y = fixed_.centre_y(), margin = static_cast<double>(margin_);
    Box box = distorted(in_picture(t_), x, y, clip_.distortion);
    if (!clip_.camera.empty()) box = seen_by(clip_.camera[t_], box, x, y);
    return {box.x + margin, box.y + margin, box.w, box.h};
  }

  /// `region`: a square of the frame.
  CropPlan plan(const CropRegion& region) const {
    const double x = fixed_.centre_x(), y = fixed_.centre_y(), margin = static_cast<double>(margin_);
    CropPlan plan;
    plan.picture = {picture_.data(), picture_.height(), picture_.width()};
    plan.region = {region.centre_x - margin, region.centre_y - margin, region.side};
    if (!clip_.camera.empty()) plan.region = detrack::in_picture(plan.region, x, y, clip_.camera[t_]);
    plan.region = detrack::in_picture(plan.region, x, y, clip_.distortion);
    plan.distorted = !clip_.distortion.none();
    if (plan.distorted) plan.to_picture = clip_.distortion.inverse();
    plan.photometric = clip_.photometric;
    plan.photometric.noise_seed += t_;  // a camera's noise is another one in each frame
    return plan;
  }

 private:
  /// The target of frame t in its picture.
  Box in_picture(std::size_t t) const {
    Box box = clip_.boxes[t];
    if (clip_.flip) box.x = static_cast<double>(picture_.width()) - box.right();
    return box;
  }

  const Clip& clip_;
  std::size_t t_;
  const Image& picture_;
  Box fixed_;
  std::int64_t margin_;
};

}  // namespace detrack
