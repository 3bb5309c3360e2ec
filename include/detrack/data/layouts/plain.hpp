// The plain layout: a folder for each sequence with groundtruth.txt and pictures.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "detrack/data/layouts/folder.hpp"

namespace detrack::detail {

inline Sequence plain_sequence(const std::filesystem::path& folder, std::string name, std::vector<std::string>& warnings) {
  Sequence sequence = annotated_sequence(std::move(name), folder / "groundtruth.txt");
  sequence.frames = is_folder(folder / "img") ? image_files(folder / "img") : image_files(folder);
  check_lengths(sequence, warnings);
  return sequence;
}

/// All folders of `root` that have a groundtruth.txt; `root` itself if it has one.
inline std::vector<Sequence> read_plain(const std::filesystem::path& root, std::vector<std::string>& warnings) {
  const auto full = std::filesystem::absolute(root / "").lexically_normal().parent_path();
  if (is_file(root / "groundtruth.txt")) return {plain_sequence(root, full.filename().string(), warnings)};
  std::vector<Sequence> sequences;
  for (const std::string& name : folders_in(root))
    if (is_file(root / name / "groundtruth.txt")) sequences.push_back(plain_sequence(root / name, name, warnings));
  return sequences;
}

}  // namespace detrack::detail
