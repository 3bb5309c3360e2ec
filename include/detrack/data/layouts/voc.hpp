// PASCAL VOC, and ImageNet DET and VID: an XML file for each picture.
#pragma once

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/data/layouts/folder.hpp"
#include "detrack/data/layouts/still_folder.hpp"
#include "detrack/data/layouts/voc_xml.hpp"
#include "detrack/data/still_images.hpp"
#include "detrack/image/file_type.hpp"
#include "detrack/io/mapped_file.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack::detail {

/// JPEGImages (VOC) or Data (ImageNet); empty if neither is there.
inline std::filesystem::path voc_picture_folder(const std::filesystem::path& root) {
  for (const char* name : {"JPEGImages", "Data"})
    if (is_folder(root / name)) return root / name;
  return {};
}

/// Annotations by their paths without .xml, as in a list of ImageSets; there, a -1 says that a class is not in the picture.
inline std::vector<std::string> voc_listed(const std::filesystem::path& list) {
  std::vector<std::string> names;
  for (const std::string& line : read_lines(list)) {
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    const std::string name = line.substr(0, end);
    if (!is_inner_path(name)) fail(ErrorCode::format, list.string(), ": expected names of pictures, got ", in_quotes(line));
    const std::size_t second = std::min(line.find_first_not_of(" \t", end), line.size());
    if (line.substr(second) != "-1") names.push_back(name);
  }
  return names;
}

/// All annotations in a folder of Annotations and below.
inline std::vector<std::string> voc_found(const std::filesystem::path& annotations, const std::string& subset,
                                          std::vector<std::string>& warnings) {
  std::vector<std::string> names;
  for_each_folder(annotations / subset, warnings, [&](const std::filesystem::path& folder) {
    const auto is_xml = [](const auto& entry) {
      std::error_code vanished;
      return entry.path().extension() == ".xml" && entry.is_regular_file(vanished);
    };
    for (const std::string& file : names_in(annotations / subset / folder, is_xml))
      names.push_back((subset / folder / std::filesystem::path(file).stem()).string());
  });
  return names;
}

/// Errors: argument (no such subset); io; format.
inline std::vector<std::string> voc_names(const std::filesystem::path& root, const std::string& subset,
                                          std::vector<std::string>& warnings) {
  if (!subset.empty()) {
    for (const auto& list : {root / "ImageSets/Main" / (subset + ".txt"), root / "ImageSets" / (subset + ".txt")})
      if (is_file(list)) return voc_listed(list);
    if (!is_folder(root / "Annotations" / subset))
      fail(ErrorCode::argument, root.string(), ": expected a subset with a list ImageSets/Main/", subset,
           ".txt or a folder Annotations/", subset, ", got none");
  }
  return voc_found(root / "Annotations", subset, warnings);
}

/// The picture of an annotation, relative to the folder of pictures. ImageNet names it without the end.
inline std::optional<std::filesystem::path> voc_picture(const std::filesystem::path& named, FileListing& pictures) {
  if (has_image_extension(named)) return pictures.contains(named) ? std::optional(named) : std::nullopt;
  for (const char* end : {".jpg", ".JPEG", ".jpeg", ".JPG", ".png", ".PNG", ".bmp"}) {
    auto file = named;
    file += end;
    if (pictures.contains(file)) return file;
  }
  return {};
}

/// Objects marked as difficult are kept. Errors: io; format; argument.
inline StillImages read_voc(const std::filesystem::path& root, const std::string& subset) {
  const auto annotations = root / "Annotations", folder = voc_picture_folder(root);
  if (!is_folder(annotations) || folder.empty())
    fail(ErrorCode::format, root.string(), ": expected the folders Annotations and JPEGImages (or Data), got no ",
         is_folder(annotations) ? "JPEGImages" : "Annotations");
  StillImages stills;
  const auto names = voc_names(root, subset, stills.warnings);
  if (names.empty()) fail(ErrorCode::format, annotations.string(), ": expected *.xml files, got none");
  FileListing pictures(folder), files(annotations);
  LeftOut absent, missing, invalid;
  for (const std::string& name : names) {
    if (!files.contains(name + ".xml")) {
      absent.add(name + ".xml");
      continue;
    }
    const auto path = annotations / (name + ".xml");
    const MappedFile file(path);
    VocAnnotation annotation =
        parse_voc({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, path.string());
    if (!annotation.filename.empty() && !is_inner_path(annotation.filename))
      fail(ErrorCode::format, path.string(), ": filename: expected a path that stays in its folder, got ",
           in_quotes(annotation.filename));
    const std::filesystem::path own = name;
    const auto named = annotation.filename.empty() ? own : own.parent_path() / annotation.filename;
    const auto picture = voc_picture(named, pictures);
    if (!picture) {
      missing.add(named.string());
      continue;
    }
    keep_valid(annotation.boxes, picture->string(), invalid);
    stills.images.push_back({folder / *picture, std::move(annotation.boxes)});
  }
  absent.warn(annotations.string(), "annotations that are not there", stills.warnings);
  missing.warn(annotations.string(), kMissingPictures, stills.warnings);
  invalid.warn(annotations.string(), kInvalidBoxes, stills.warnings);
  return stills;
}

}  // namespace detrack::detail
