// OTB-2013 and OTB-100 as they are distributed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/data/layouts/folder.hpp"
#include "detrack/data/starts.hpp"

namespace detrack::detail {

/// Sequences whose annotation covers some of their pictures only, by the numbers of these.
/// [http://cvlab.hanyang.ac.kr/tracker_benchmark, pytracking otbdataset.py]
struct OtbRange {
  std::string_view name;
  int first, last;
};
inline constexpr OtbRange kOtbRanges[] = {{"BlurCar1", 247, 988}, {"BlurCar3", 3, 359}, {"BlurCar4", 18, 397},
                                          {"David", 300, 770},    {"Diving", 1, 215},   {"Football1", 1, 74},
                                          {"Freeman3", 1, 460},   {"Freeman4", 1, 283}};
inline constexpr std::size_t kTiger1Omitted = 5;  ///< first frames that pytracking leaves out

/// Files named groundtruth_rect.txt, or groundtruth_rect.1.txt and so on where there are several targets.
inline std::vector<std::string> otb_annotations(const std::filesystem::path& folder) {
  return names_in(folder, [](const auto& entry) {
    const std::string name = entry.path().filename().string();
    return name.starts_with("groundtruth_rect") && name.ends_with(".txt") && is_file(entry.path());
  });
}

/// Keeps the annotated pictures, where there are more of them than boxes.
inline void apply_otb_range(Sequence& sequence, const std::string& folder) {
  const auto range = std::find_if(std::begin(kOtbRanges), std::end(kOtbRanges), [&](auto& r) { return r.name == folder; });
  if (range == std::end(kOtbRanges) || sequence.frames.size() <= sequence.truth.size()) return;
  keep_numbers(sequence, range->first, range->last);
}

/// The targets of one folder. See read_otb().
inline std::vector<Sequence> otb_sequences(const std::filesystem::path& root, const std::string& folder, bool pytracking,
                                           std::vector<std::string>& warnings) {
  std::vector<std::string> files = otb_annotations(root / folder);
  std::erase_if(files, [&](const std::string& file) {
    if (!read_lines(root / folder / file).empty()) return false;
    warnings.push_back((root / folder / file).string() + ": empty, left out");
    return true;
  });
  std::vector<Sequence> sequences;
  for (const std::string& file : files) {
    Sequence& sequence = sequences.emplace_back(annotated_sequence(folder, root / folder / file));
    constexpr std::size_t begin = std::string_view("groundtruth_rect.").size();
    const std::size_t end = file.size() - std::string_view(".txt").size();
    if (end > begin) {
      const std::string number = file.substr(begin, end - begin);
      sequence.other_names = {folder, folder + "." + number, folder + "_" + number, folder + "-" + number};
      if (pytracking || files.size() > 1) sequence.name = folder + (pytracking ? "_" : ".") + number;
      std::erase(sequence.other_names, sequence.name);
      if (files.size() > 1) std::erase(sequence.other_names, folder);
    }
    sequence.frames = pictures_in(root / folder / "img");
    apply_otb_range(sequence, folder);
    if (pytracking && folder == "Tiger1" && sequence.truth.size() > kTiger1Omitted)
      omit_first_frames(sequence, kTiger1Omitted);
    check_lengths(sequence, warnings);
  }
  return sequences;
}

/// Sequences are named as got-10k/toolkit does (Jogging.1, Jogging.2; Human4, of whose two annotations one is empty), or as
/// pytracking does (Jogging_1, Human4_2), which also starts Tiger1 at its sixth frame. Boxes are 1-based in the files and
/// used as they are, as by both.
inline std::vector<Sequence> read_otb(const std::filesystem::path& root, bool pytracking,
                                      std::vector<std::string>& warnings) {
  std::vector<Sequence> sequences;
  for (const std::string& folder : folders_in(root))
    for (Sequence& sequence : otb_sequences(root, folder, pytracking, warnings)) sequences.push_back(std::move(sequence));
  return sequences;
}

}  // namespace detrack::detail
