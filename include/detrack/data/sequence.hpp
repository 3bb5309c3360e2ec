// A video as datasets hold it: picture files, true boxes, and what is known of the target's visibility.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "detrack/core/box.hpp"
#include "detrack/image/size.hpp"

namespace detrack {

/// A box that says: absent, or not annotated.
inline Box no_box() {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  return {nan, nan, nan, nan};
}

/// Everything about frame i stands at [i]; frame 0 is the one with the box that a tracker is given.
struct Sequence {
  std::string name;                           ///< as result files are named
  std::vector<std::string> other_names;       ///< how other programs name it (Jogging.1, Jogging_1)
  std::vector<std::filesystem::path> frames;  ///< none where the pictures are not there: enough to score results
  /// As annotated, whatever the numbers; no_box() where the annotation has NaN. Shorter than `frames` where only the first
  /// ones are annotated (test sets).
  std::vector<Box> truth;

  // What the layout has, one entry for each of `truth`; empty where it has no such thing.
  std::vector<std::uint8_t> absent;          ///< GOT-10k absence.label: not 0, the target cannot be seen
  std::vector<std::uint8_t> cover;           ///< GOT-10k cover.label: visible part of the target in eighths, 0 to 8
  std::vector<std::uint8_t> cut_by_image;    ///< GOT-10k cut_by_image.label: not 0, the frame's edge cuts the target
  std::vector<std::uint8_t> full_occlusion;  ///< LaSOT full_occlusion.txt: not 0, something hides all of it
  std::vector<std::uint8_t> out_of_view;     ///< LaSOT out_of_view.txt: not 0, it has left the frame

  std::optional<ImageSize> frame_size;  ///< where the layout tells it without a picture being opened
  std::size_t first_frame = 0;          ///< how many pictures of the folder come before frames[0]
  std::filesystem::path annotation;     ///< the file of `truth`, for messages

  /// True box of frame i; no_box() beyond the annotation.
  Box truth_at(std::size_t i) const { return i < truth.size() ? truth[i] : no_box(); }

  /// No flag says that the target cannot be seen in frame i.
  bool visible(std::size_t i) const {
    const auto flag = [i](const std::vector<std::uint8_t>& flags, std::uint8_t otherwise) {
      return i < flags.size() ? flags[i] : otherwise;
    };
    return flag(absent, 0) == 0 && flag(cover, 8) > 0 && flag(full_occlusion, 0) == 0 && flag(out_of_view, 0) == 0;
  }

  /// Visible, with a true box of positive area: what a tracker can be started on and trained on.
  bool usable(std::size_t i) const { return truth_at(i).valid() && visible(i); }
};

}  // namespace detrack
