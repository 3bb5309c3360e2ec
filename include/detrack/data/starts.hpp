// Sequences that begin later than they do.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "detrack/data/sequence.hpp"

namespace detrack {

/// Starts a sequence `count` frames later.
inline void omit_first_frames(Sequence& sequence, std::size_t count) {
  const auto drop = [&](auto& entries) {
    entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(std::min(count, entries.size())));
  };
  drop(sequence.frames);
  drop(sequence.truth);
  for (auto* flags :
       {&sequence.absent, &sequence.cover, &sequence.cut_by_image, &sequence.full_occlusion, &sequence.out_of_view})
    drop(*flags);
  sequence.first_frame += count;
}

/// Temporal robustness evaluation (Wu, Lim, Yang: Online Object Tracking, CVPR 2013): a sequence from `count` starts on, its
/// own among them, at equal distances, each to its end. A start is moved on to a frame in which the target can be seen; one
/// that another lies on already, or that no frame follows, is left out. Further ones are named <sequence>@<frames left out>.
inline std::vector<Sequence> from_starts(const Sequence& sequence, std::size_t count) {
  std::vector<Sequence> parts{sequence};
  const std::size_t frames = sequence.frames.empty() ? sequence.truth.size() : sequence.frames.size();
  std::size_t last = 0;
  for (std::size_t k = 1; k < count; ++k) {
    std::size_t at = k * frames / count;
    if (at <= last) continue;
    while (at < frames && !sequence.usable(at)) ++at;
    if (at + 1 >= frames) break;
    last = at;
    Sequence part = sequence;
    omit_first_frames(part, at);
    part.name += '@' + std::to_string(at);
    part.other_names.clear();
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace detrack
