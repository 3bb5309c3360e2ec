// UAV123, UAV20L and UAV123 at 10 fps: anno/<part>/<sequence>.txt, data_seq/<part>/<folder> with the pictures.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/data/layouts/folder.hpp"

namespace detrack::detail {

/// Sequences that are a part of a folder, by the numbers of their first and last pictures. The folder is the name without
/// what follows the last underscore. All others (car1_s among them) have a folder of their own.
/// [pytracking uavdataset.py; at 10 fps configSeqs.m of the benchmark, https://cemse.kaust.edu.sa/ivul/uav123]
struct Uav123Range {
  std::string_view name;
  std::int64_t first, last;
};
inline constexpr Uav123Range kUav123Ranges[] = {
    {"bird1_1", 1, 253},        {"bird1_2", 775, 1477},     {"bird1_3", 1573, 2437},    {"car1_1", 1, 751},
    {"car1_2", 751, 1627},      {"car1_3", 1627, 2629},     {"car6_1", 1, 487},         {"car6_2", 487, 1807},
    {"car6_3", 1807, 2953},     {"car6_4", 2953, 3925},     {"car6_5", 3925, 4861},     {"car8_1", 1, 1357},
    {"car8_2", 1357, 2575},     {"car16_1", 1, 415},        {"car16_2", 415, 1993},     {"group1_1", 1, 1333},
    {"group1_2", 1333, 2515},   {"group1_3", 2515, 3925},   {"group1_4", 3925, 4873},   {"group2_1", 1, 907},
    {"group2_2", 907, 1771},    {"group2_3", 1771, 2683},   {"group3_1", 1, 1567},      {"group3_2", 1567, 2827},
    {"group3_3", 2827, 4369},   {"group3_4", 4369, 5527},   {"person2_1", 1, 1189},     {"person2_2", 1189, 2623},
    {"person4_1", 1, 1501},     {"person4_2", 1501, 2743},  {"person5_1", 1, 877},      {"person5_2", 877, 2101},
    {"person7_1", 1, 1249},     {"person7_2", 1249, 2065},  {"person8_1", 1, 1075},     {"person8_2", 1075, 1525},
    {"person12_1", 1, 601},     {"person12_2", 601, 1621},  {"person14_1", 1, 847},     {"person14_2", 847, 1813},
    {"person14_3", 1813, 2923}, {"person17_1", 1, 1501},    {"person17_2", 1501, 2347}, {"person19_1", 1, 1243},
    {"person19_2", 1243, 2791}, {"person19_3", 2791, 4357}, {"truck4_1", 1, 577},       {"truck4_2", 577, 1261},
    {"uav1_1", 1, 1555},        {"uav1_2", 1555, 2377},     {"uav1_3", 2473, 3469}};

inline constexpr std::string_view kUav123At10Fps = "UAV123_10fps";

/// At 10 fps every third picture is there, numbered anew.
constexpr std::int64_t uav123_number(std::int64_t number, std::string_view part) {
  return part == kUav123At10Fps ? (number - 1) / 3 + 1 : number;
}

/// The parts of the benchmark below `root`, the usual one first.
inline std::vector<std::string> uav123_parts(const std::filesystem::path& root) {
  std::vector<std::string> parts;
  for (const std::string_view part : {std::string_view("UAV123"), kUav123At10Fps, std::string_view("UAV20L")})
    if (is_folder(root / "anno" / part)) parts.emplace_back(part);
  return parts;
}

/// Cuts the pictures of a folder to a range. Ends before the first one that is missing: those after it would stand beside
/// the boxes of others.
inline void apply_uav123_range(Sequence& sequence, std::int64_t first, std::int64_t last,
                               std::vector<std::string>& warnings) {
  if (sequence.frames.empty()) return;
  const std::string folder = sequence.frames[0].parent_path().string();
  keep_numbers(sequence, first, last);
  std::size_t fitting = 0;
  while (fitting < sequence.frames.size() &&
         picture_number(sequence.frames[fitting]) == first + static_cast<std::int64_t>(fitting))
    ++fitting;
  sequence.frames.resize(fitting);
  if (const std::int64_t next = first + static_cast<std::int64_t>(fitting); next <= last)
    warnings.push_back(concat(folder, ": expected the pictures ", first, " to ", last, " of the sequence ", sequence.name,
                              ", got none of number ", next, ": the sequence ends before it"));
}

/// One part. Sequences are named as the annotations (bird1_1), or as pytracking does (uav_bird1_1).
inline std::vector<Sequence> read_uav123(const std::filesystem::path& root, const std::string& part, bool pytracking,
                                         std::vector<std::string>& warnings) {
  std::vector<Sequence> sequences;
  const auto is_annotation = [](const auto& entry) { return entry.path().extension() == ".txt" && is_file(entry.path()); };
  for (const std::string& file : names_in(root / "anno" / part, is_annotation)) {
    const std::string name = file.substr(0, file.size() - 4);
    Sequence sequence = annotated_sequence(name, root / "anno" / part / file);
    sequence.other_names = {"uav_" + name};
    if (pytracking) std::swap(sequence.name, sequence.other_names[0]);
    // UAV20L are longer parts of the same folders, so that no name in it is one of the ranges.
    const auto range =
        std::find_if(std::begin(kUav123Ranges), std::end(kUav123Ranges), [&](auto& r) { return r.name == name; });
    const bool whole = range == std::end(kUav123Ranges);
    const std::string folder = whole ? name : name.substr(0, name.rfind('_'));
    sequence.frames = pictures_in(root / "data_seq" / (part == "UAV20L" ? "UAV123" : part) / folder);
    if (!whole) apply_uav123_range(sequence, uav123_number(range->first, part), uav123_number(range->last, part), warnings);
    check_lengths(sequence, warnings);
    sequences.push_back(std::move(sequence));
  }
  return sequences;
}

}  // namespace detrack::detail
