// Where a target is in a clip's frame as the clip changes it, and how a crop of that frame is made.
#pragma once

#include <cstddef>
#include <cstdint>

#include "detrack/core/box.hpp"
#include "detrack/core/crop_region.hpp"
#include "detrack/image/size.hpp"
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
  /// `picture`: of frame t's, as all of the clip's are. The clip must outlive this.
  ClipFrame(const Clip& clip, std::size_t t, ImageSize picture)
      : clip_(clip), t_(t), picture_(picture), fixed_(in_picture(0)), margin_(clip.camera.empty() ? 0 : 10000) {}

  std::int64_t width() const { return picture_.width + 2 * margin_; }
  std::int64_t height() const { return picture_.height + 2 * margin_; }

  Box target() const {
    const double x = fixed_.centre_x(), y = fixed_.centre_y(), margin = static_cast<double>(margin_);
    Box box = distorted(in_picture(t_), x, y, clip_.distortion);
    if (!clip_.camera.empty()) box = seen_by(clip_.camera[t_], box, x, y);
    return {box.x + margin, box.y + margin, box.w, box.h};
  }

  /// `region`: a square of the frame. `picture`: as the file has it, in whatever memory. Errors: argument (a region that is
  /// not finite).
  CropPlan plan(const CropRegion& region, const RgbPicture& picture) const {
    const double x = fixed_.centre_x(), y = fixed_.centre_y(), margin = static_cast<double>(margin_);
    CropPlan plan;
    plan.picture = picture;
    plan.region = {region.centre_x - margin, region.centre_y - margin, region.side};
    if (!clip_.camera.empty()) plan.region = detrack::in_picture(plan.region, x, y, clip_.camera[t_]);
    plan.region = detrack::in_picture(plan.region, x, y, clip_.distortion);
    plan.distorted = !clip_.distortion.none();
    if (plan.distorted) plan.to_picture = clip_.distortion.inverse();
    plan.photometric = clip_.photometric;
    plan.photometric.noise_seed += t_;  // a camera's noise is another one in each frame
    if (clip_.flip) show_mirrored(plan);
    plan.check();
    return plan;
  }

 private:
  /// The target of frame t in its picture.
  Box in_picture(std::size_t t) const {
    Box box = clip_.boxes[t];
    if (clip_.flip) box.x = static_cast<double>(picture_.width) - box.right();
    return box;
  }

  /// A plan of the mirrored picture becomes one of the picture, whose crop is mirrored.
  void show_mirrored(CropPlan& plan) const {
    plan.region.centre_x = static_cast<double>(picture_.width) - plan.region.centre_x;
    plan.to_picture[1] = -plan.to_picture[1];
    plan.to_picture[2] = -plan.to_picture[2];
    plan.flip = true;
  }

  const Clip& clip_;
  std::size_t t_;
  ImageSize picture_;
  Box fixed_;
  std::int64_t margin_;
};

}  // namespace detrack
