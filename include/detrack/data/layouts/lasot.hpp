// LaSOT and its extension: <class>/<sequence> or <sequence>, with pictures in img and two files of visibility flags.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "detrack/data/layouts/folder.hpp"

namespace detrack::detail {

inline Sequence lasot_sequence(const std::filesystem::path& folder, const std::string& name,
                               std::vector<std::string>& warnings) {
  Sequence sequence = annotated_sequence(name, folder / "groundtruth.txt");
  sequence.frames = pictures_in(folder / "img");
  sequence.full_occlusion = flags_of(sequence, folder / "full_occlusion.txt");
  sequence.out_of_view = flags_of(sequence, folder / "out_of_view.txt");
  for (const char* file : {"full_occlusion.txt", "out_of_view.txt"})
    if (!is_file(folder / file)) warnings.push_back((folder / file).string() + ": missing, taken as 0 in all frames");
  check_lengths(sequence, warnings);
  return sequence;
}

inline std::vector<Sequence> read_lasot(const std::filesystem::path& root, std::vector<std::string>& warnings) {
  std::vector<Sequence> sequences;
  for (const std::string& outer : folders_in(root)) {
    if (is_file(root / outer / "groundtruth.txt")) {
      sequences.push_back(lasot_sequence(root / outer, outer, warnings));
      continue;
    }
    for (const std::string& inner : folders_in(root / outer))
      if (is_file(root / outer / inner / "groundtruth.txt"))
        sequences.push_back(lasot_sequence(root / outer / inner, inner, warnings));
  }
  return sequences;
}

}  // namespace detrack::detail
