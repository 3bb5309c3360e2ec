// GOT-10k: list.txt, and a folder for each sequence with pictures, boxes, labels and meta_info.ini.
#pragma once

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/data/layouts/folder.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack::detail {

/// The frame size in a line `resolution: (1920, 1080)` of meta_info.ini. Errors: io; format.
inline std::optional<FrameSize> got10k_resolution(const std::filesystem::path& path) {
  if (!is_file(path)) return {};
  for (const std::string& line : read_lines(path)) {
    if (!line.starts_with("resolution:")) continue;
    FrameSize size;
    const char *at = line.data() + line.find(':') + 1, *end = line.data() + line.size();
    const auto take = [&](std::int64_t& number) {
      while (at != end && (*at == ' ' || *at == '(' || *at == ',')) ++at;
      const auto [rest, reason] = std::from_chars(at, end, number);
      at = rest;
      return reason == std::errc() && number > 0;
    };
    if (!take(size.width) || !take(size.height))
      fail(ErrorCode::format, path.string(), ": resolution: expected two numbers above 0, got ", in_quotes(line));
    return size;
  }
  return {};
}

/// Names in list.txt; without it, all folders with a groundtruth.txt. Errors: io; format (a name that is a path).
inline std::vector<std::string> got10k_names(const std::filesystem::path& root, std::vector<std::string>& warnings) {
  const auto list = root / "list.txt";
  std::vector<std::string> names;
  for (std::string& name : is_file(list) ? read_lines(list) : folders_in(root)) {
    if (name.find('/') != std::string::npos || name == "." || name == "..")
      fail(ErrorCode::format, list.string(), ": expected names of folders, got ", in_quotes(name));
    if (is_file(root / name / "groundtruth.txt"))
      names.push_back(std::move(name));
    else if (is_file(list))
      warnings.push_back(list.string() + ": " + in_quotes(name) + ": no groundtruth.txt in such a folder, left out");
  }
  return names;
}

inline std::vector<Sequence> read_got10k(const std::filesystem::path& root, std::vector<std::string>& warnings) {
  std::vector<Sequence> sequences;
  for (const std::string& name : got10k_names(root, warnings)) {
    const auto folder = root / name;
    Sequence sequence = annotated_sequence(name, folder / "groundtruth.txt");
    sequence.frames = image_files(folder);
    sequence.absent = flags_of(sequence, folder / "absence.label");
    sequence.cover = flags_of(sequence, folder / "cover.label");
    sequence.cut_by_image = flags_of(sequence, folder / "cut_by_image.label");
    sequence.frame_size = got10k_resolution(folder / "meta_info.ini");
    check_lengths(sequence, warnings);
    sequences.push_back(std::move(sequence));
  }
  return sequences;
}

}  // namespace detrack::detail
