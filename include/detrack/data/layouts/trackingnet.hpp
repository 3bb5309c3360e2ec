// TrackingNet: TEST and TRAIN_0 to TRAIN_11, each with anno/<sequence>.txt and frames/<sequence>/<number>.jpg.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "detrack/data/layouts/folder.hpp"

namespace detrack::detail {

/// One part: `root` has anno and, if pictures are there, frames.
inline std::vector<Sequence> read_trackingnet(const std::filesystem::path& root, std::vector<std::string>& warnings) {
  std::vector<Sequence> sequences;
  const auto is_annotation = [](const auto& entry) { return entry.path().extension() == ".txt" && is_file(entry.path()); };
  for (const std::string& file : names_in(root / "anno", is_annotation)) {
    const std::string name = file.substr(0, file.size() - 4);
    Sequence sequence = annotated_sequence(name, root / "anno" / file);
    sequence.frames = pictures_in(root / "frames" / name);
    check_lengths(sequence, warnings);
    sequences.push_back(std::move(sequence));
  }
  return sequences;
}

}  // namespace detrack::detail
