// A table of boxes beside its pictures: boxes.tsv, one box a line.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/data/annotation.hpp"
#include "detrack/data/layouts/still_folder.hpp"
#include "detrack/data/still_images.hpp"
#include "detrack/io/mapped_file.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack::detail {

inline constexpr const char* kTableFile = "boxes.tsv";
inline constexpr std::string_view kTableHeader = "image\tx\ty\tw\th";

/// Takes the text before the next tab off the front of `line`.
inline std::string_view take_field(std::string_view& line) {
  const std::size_t end = std::min(line.find('\t'), line.size());
  const std::string_view field = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return field;
}

/// A table in memory: the boxes of each picture, 0-based, in the order in which pictures first occur. Columns after the
/// fifth (class) are not looked at. Errors: format, naming the line.
inline std::vector<StillImage> parse_table_of_boxes(std::string_view text, const std::string& label) {
  if (text.size() > kMaxAnnotationBytes)
    fail(ErrorCode::format, label, ": expected at most ", kMaxAnnotationBytes, " bytes, got ", text.size());
  std::vector<StillImage> images;
  std::map<std::string, std::size_t, std::less<>> index;
  for (std::size_t number = 1; number == 1 || !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (number > 1 && line.empty() && text.find_first_not_of("\r\n") == std::string_view::npos) break;
    if (number == 1) {
      if (line != kTableHeader && !(line.starts_with(kTableHeader) && line[kTableHeader.size()] == '\t'))
        fail(ErrorCode::format, label,
             ": line 1: expected the columns image, x, y, w, h and perhaps others, with tabs "
             "between them, got ",
             in_quotes(line));
      continue;
    }
    const auto columns = static_cast<std::size_t>(std::count(line.begin(), line.end(), '\t')) + 1;
    if (columns < 5)
      fail(ErrorCode::format, label, ": line ", number, ": expected at least 5 columns with tabs between them, got ",
           columns);
    const std::string_view name = take_field(line);
    if (!is_inner_path(name))
      fail(ErrorCode::format, label, ": line ", number, ": expected a picture beside the table or below, got ",
           in_quotes(name));
    double box[4];
    for (double& value : box) {
      const std::string_view field = take_field(line);
      std::string_view rest = field;
      if (!take_number(rest, value) || !rest.empty())
        fail(ErrorCode::format, label, ": line ", number, ": expected a number, got ", in_quotes(field));
    }
    auto at = index.find(name);
    if (at == index.end()) {
      at = index.emplace(name, images.size()).first;
      images.push_back({std::filesystem::path(name), {}});
    }
    images[at->second].boxes.push_back({box[0], box[1], box[2], box[3]});
  }
  if (images.empty()) fail(ErrorCode::format, label, ": expected boxes, got none");
  return images;
}

/// `annotation` is empty for the boxes.tsv of `root`. Errors: io; format.
inline StillImages read_table_of_boxes(const std::filesystem::path& root, const std::filesystem::path& annotation) {
  const auto path = annotation.empty() ? root / kTableFile : annotation;
  const MappedFile file(path);
  StillImages stills;
  FileListing pictures(root);
  LeftOut missing, invalid;
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  for (StillImage& image : parse_table_of_boxes(text, path.string())) {
    const std::string name = image.file.string();
    if (!pictures.contains(image.file)) {
      missing.add(name);
      continue;
    }
    keep_valid(image.boxes, name, invalid);
    image.file = root / image.file;
    stills.images.push_back(std::move(image));
  }
  missing.warn(path.string(), kMissingPictures, stills.warnings);
  invalid.warn(path.string(), kInvalidBoxes, stills.warnings);
  return stills;
}

}  // namespace detrack::detail
