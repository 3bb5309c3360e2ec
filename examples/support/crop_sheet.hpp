// A sheet of search crops of held sequences, with what the network made of them.
#pragma once

#include <algorithm>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "detrack/data/sequence.hpp"
#include "detrack/image/contact_sheet.hpp"
#include "detrack/image/stb.hpp"
#include "detrack/track/tracker.hpp"
#include "examples/support/overlay.hpp"

namespace detrack::program {

inline constexpr const char* kCropSheetLegend =
    "One frame of each sequence, searched from the true box some frames before: the start in grey, the box after each "
    "block from dark red to light yellow, the refined box in blue, the truth in white.";

namespace detail {

/// The part of a frame that a crop sees, black beyond its edges, as a picture of `side` pixels.
inline Image cut(const Image& frame, const CropRegion& region, std::int64_t side) {
  const auto size = static_cast<std::int64_t>(region.side);
  Image part(size, size);
  draw_image(part, frame, -static_cast<std::int64_t>(std::lround(region.left())),
             -static_cast<std::int64_t>(std::lround(region.top())));
  return resize(part, side, side);
}

}  // namespace detail

/// A tile for each of the first `count` sequences that have two frames with a true box. Pictures that cannot be read are
/// left out.
inline Image crop_sheet(std::shared_ptr<const Network> network, std::span<const Sequence> sequences, std::size_t count) {
  constexpr std::int64_t kSide = 256;
  TrackerOptions options;
  options.denoising_steps = true;
  options.threads = 1;
  options.confidence.hold_after = 0;  // pictures of what the network says
  Tracker tracker(network, options);
  ContactSheet sheet("Validation crops", {kSide, kSide}, 5, 1);
  for (const Sequence& sequence : sequences) {
    if (sheet.size() == count) break;
    const std::size_t middle = sequence.frames.size() / 2, then = std::min(middle + 5, sequence.frames.size() - 1);
    if (sequence.frames.empty() || !sequence.usable(middle) || !sequence.usable(then)) continue;
    try {
      const Box start = sequence.truth_at(middle), truth = sequence.truth_at(then);
      tracker.init(load_image(sequence.frames[middle]), start);
      const Image frame = load_image(sequence.frames[then]);
      const TrackResult result = tracker.update(frame);
      const CropRegion region = crop_around(start, network->config().search_factor);
      if (region.side > 4096) continue;
      Image tile = detail::cut(frame, region, kSide);
      const double scale = static_cast<double>(kSide) / region.side;
      const auto draw = [&](const Box& box, Colour colour, int thickness) {
        draw_rectangle(tile, {(box.x - region.left()) * scale, (box.y - region.top()) * scale, box.w * scale, box.h * scale},
                       colour, thickness);
      };
      for (std::size_t j = 0; j < result.steps.size(); ++j) draw(result.steps[j], step_colour(j, result.steps.size()), 1);
      draw(start, {150, 150, 150}, 1);
      draw(truth, {255, 255, 255}, 2);
      draw(result.box, target_colour(0), 2);
      char text[64];
      std::snprintf(text, sizeof text, "IoU %.2f  ", iou(result.box, truth));
      sheet.add(tile, text + sequence.name);
    } catch (const Error&) {
      continue;  // validation itself names it
    }
  }
  return sheet.draw();
}

}  // namespace detrack::program
