// What the readers of all layouts share: folders, a sequence's files, and whether they fit together.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/data/annotation.hpp"
#include "detrack/data/sequence.hpp"
#include "detrack/image/image_files.hpp"
#include "detrack/image/natural_order.hpp"
#include "detrack/io/mapped_file.hpp"

namespace detrack::detail {

inline bool is_folder(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

inline bool is_file(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

/// Names in `folder` for which keep(entry) holds, hidden ones apart, in natural order. Errors: io.
template <class F>
std::vector<std::string> names_in(const std::filesystem::path& folder, F&& keep) {
  std::vector<std::string> names;
  std::error_code reason;
  const std::filesystem::directory_iterator end;
  for (std::filesystem::directory_iterator entry(folder, reason); !reason && entry != end; entry.increment(reason))
    if (std::string name = entry->path().filename().string(); name[0] != '.' && keep(*entry))
      names.push_back(std::move(name));
  if (reason) fail(ErrorCode::io, folder.string(), ": cannot read the folder: ", reason.message());
  std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return natural_less(a, b); });
  return names;
}

inline std::vector<std::string> folders_in(const std::filesystem::path& folder) {
  return names_in(folder, [](const auto& entry) { return is_folder(entry.path()); });
}

/// Lines of a small text file, without their ends; blank ones left out. Errors: io; format (too large).
inline std::vector<std::string> read_lines(const std::filesystem::path& path) {
  const MappedFile file(path);
  std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  if (text.size() > kMaxAnnotationBytes)
    fail(ErrorCode::format, path.string(), ": expected at most ", kMaxAnnotationBytes, " bytes, got ", text.size());
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    if (!line.empty()) lines.emplace_back(line);
  }
  return lines;
}

/// A sequence of that name with the boxes of `annotation`; boxes with a number that is not finite become no_box().
/// Errors: io; format.
inline Sequence annotated_sequence(std::string name, const std::filesystem::path& annotation) {
  Sequence sequence;
  sequence.name = std::move(name);
  sequence.annotation = annotation;
  sequence.truth = read_boxes(annotation);
  if (sequence.truth.empty()) fail(ErrorCode::format, annotation.string(), ": expected at least one box, got none");
  for (Box& box : sequence.truth)
    if (!box.finite()) box = no_box();
  return sequence;
}

/// Flags that must be as many as there are true boxes; none where the file does not exist. Errors: io; format.
inline std::vector<std::uint8_t> flags_of(const Sequence& sequence, const std::filesystem::path& path) {
  if (!is_file(path)) return {};
  auto flags = read_flags(path);
  if (flags.size() != sequence.truth.size())
    fail(ErrorCode::format, path.string(), ": expected ", sequence.truth.size(), " numbers, as many as ",
         sequence.annotation.string(), " has boxes, got ", flags.size());
  return flags;
}

/// The pictures of `folder`, none where it does not exist. Errors: io.
inline std::vector<std::filesystem::path> pictures_in(const std::filesystem::path& folder) {
  return is_folder(folder) ? image_files(folder) : std::vector<std::filesystem::path>{};
}

/// The number that a picture has for a name (000123.jpg), or -1.
inline std::int64_t picture_number(const std::filesystem::path& picture) {
  const std::string stem = picture.stem().string();
  std::int64_t number = 0;
  const auto [end, reason] = std::from_chars(stem.data(), stem.data() + stem.size(), number);
  return reason == std::errc() && end == stem.data() + stem.size() ? number : -1;
}

/// Keeps the pictures from number `first` to number `last`.
inline void keep_numbers(Sequence& sequence, std::int64_t first, std::int64_t last) {
  const auto outside = [&](const std::filesystem::path& picture) {
    const std::int64_t number = picture_number(picture);
    return number < first || number > last;
  };
  const auto begin = std::find_if_not(sequence.frames.begin(), sequence.frames.end(), outside);
  sequence.first_frame = static_cast<std::size_t>(begin - sequence.frames.begin());
  sequence.frames.erase(sequence.frames.begin(), begin);
  std::erase_if(sequence.frames, outside);
}

/// Says what does not fit. A single box is what test sets publish, and no cause for complaint.
inline void check_lengths(const Sequence& sequence, std::vector<std::string>& warnings) {
  const std::size_t boxes = sequence.truth.size(), pictures = sequence.frames.size();
  const auto warn = [&](const auto&... parts) { warnings.push_back(concat(sequence.annotation.string(), ": ", parts...)); };
  if (pictures == 0)
    warn("no pictures: results can be scored, but no tracker run");
  else if (boxes > pictures)
    warn(boxes, " boxes for ", pictures, " pictures: the last frames are missing");
  else if (boxes < pictures && boxes > 1)
    warn(boxes, " boxes for ", pictures, " pictures: the last frames have no truth");
  if (!sequence.truth[0].valid()) warn("no box in the first line: no tracker can start there");
}

}  // namespace detrack::detail
