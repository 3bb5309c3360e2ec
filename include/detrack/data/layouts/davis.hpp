// DAVIS: JPEGImages and Annotations, each with a folder for each sequence, the latter of masks with a colour an object.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/data/layouts/folder.hpp"
#include "detrack/image/image.hpp"
#include "detrack/image/size.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack::detail {

using LoadImage = std::function<Image(const std::filesystem::path&)>;

inline constexpr std::size_t kMaxMaskColours = 255;  ///< of a sequence: what a palette of bytes holds besides the background

/// A colour as one number: its index in the palette of PASCAL VOC, which spreads the bits of an index over the high bits of
/// red, green and blue. DAVIS numbers its objects so; other colours get other numbers.
constexpr std::uint32_t palette_index(std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
  std::uint32_t index = 0;
  for (unsigned bit = 0; bit < 8; ++bit) {
    const auto at = [&](std::uint8_t channel) { return static_cast<std::uint32_t>(channel >> (7 - bit) & 1); };
    index |= (at(red) | at(green) << 1 | at(blue) << 2) << 3 * bit;
  }
  return index;
}
inline constexpr std::uint32_t kBackground = palette_index(0, 0, 0);
inline constexpr std::uint32_t kVoidColour = palette_index(224, 224, 192);  ///< around objects: undecided

/// Rows and columns that a colour covers; right and bottom are the first beyond.
struct MaskExtent {
  std::int64_t left, top, right, bottom;
  Box box() const {
    return {static_cast<double>(left), static_cast<double>(top), static_cast<double>(right - left),
            static_cast<double>(bottom - top)};
  }
};

/// The extent of each colour but the background and the void. Errors: format (more colours than a mask has).
inline std::map<std::uint32_t, MaskExtent> mask_extents(const Image& mask, const std::filesystem::path& path) {
  std::map<std::uint32_t, MaskExtent> extents;
  for (std::int64_t y = 0; y < mask.height(); ++y)
    for (std::int64_t begin = 0, end = 0; begin < mask.width(); begin = end) {
      const std::uint8_t* colour = mask.pixel(y, begin);
      while (end < mask.width() && std::equal(colour, colour + 3, mask.pixel(y, end))) ++end;
      const std::uint32_t index = palette_index(colour[0], colour[1], colour[2]);
      if (index == kBackground || index == kVoidColour) continue;
      const auto [at, is_new] = extents.try_emplace(index, MaskExtent{begin, y, end, y + 1});
      MaskExtent& extent = at->second;
      extent.left = std::min(extent.left, begin);
      extent.right = std::max(extent.right, end);
      extent.bottom = y + 1;
      if (is_new && extents.size() > kMaxMaskColours)
        fail(ErrorCode::format, path.string(), ": expected a mask of at most ", kMaxMaskColours, " colours, got more");
    }
  return extents;
}

/// The folder between Annotations and the sequences: 480p where it is there, else the first; none in some copies.
inline std::string davis_resolution(const std::filesystem::path& annotations) {
  if (is_folder(annotations / "480p")) return "480p";
  for (const std::string& name : folders_in(annotations))
    if (!folders_in(annotations / name).empty()) return name;
  return "";
}

/// ImageSets/<subset>.txt (2017/val is a subset), or that of the latest year. Errors: argument (none).
inline std::filesystem::path davis_list(const std::filesystem::path& root, const std::string& subset) {
  const auto sets = root / "ImageSets";
  if (is_file(sets / (subset + ".txt"))) return sets / (subset + ".txt");
  const auto years = is_folder(sets) ? folders_in(sets) : std::vector<std::string>{};
  for (auto year = years.rbegin(); year != years.rend(); ++year)
    if (is_file(sets / *year / (subset + ".txt"))) return sets / *year / (subset + ".txt");
  fail(ErrorCode::argument, sets.string(), ": subset: expected the name of a list here or in a folder here, got ",
       in_quotes(subset));
}

/// The sequences of a subset, all without one. Lists hold names (2017) or, for each picture, its path and that of its mask
/// (2016). Errors: io; format (a name that is none); argument.
inline std::vector<std::string> davis_names(const std::filesystem::path& root, const std::filesystem::path& annotations,
                                            const std::string& subset, std::vector<std::string>& warnings) {
  if (subset.empty()) return folders_in(annotations);
  const auto list = davis_list(root, subset);
  std::vector<std::string> names;
  std::string before;
  for (const std::string& line : read_lines(list)) {
    const std::filesystem::path entry = line.substr(0, line.find_first_of(" \t"));
    const std::string name = (entry.has_parent_path() ? entry.parent_path().filename() : entry).string();
    if (name.empty() || name == "." || name == "..")
      fail(ErrorCode::format, list.string(), ": expected names of sequences or paths of pictures, got ", in_quotes(line));
    if (std::exchange(before, name) == name) continue;
    if (is_folder(annotations / name))
      names.push_back(name);
    else
      warnings.push_back(list.string() + ": " + in_quotes(name) + ": no such folder in " + annotations.string() +
                         ", left out");
  }
  return names;
}

/// What the masks of a sequence hold: a box for each object and frame, no_box() where it cannot be seen.
struct DavisObjects {
  std::map<std::uint32_t, std::vector<Box>> boxes;  ///< by colour
  std::size_t frames = 0;                           ///< up to the last mask
  ImageSize size;
};

/// `pictures` are what the masks belong to, by their names; without any, the masks count by themselves.
inline DavisObjects read_masks(const std::filesystem::path& folder, const std::vector<std::filesystem::path>& pictures,
                               const LoadImage& load_image, std::vector<std::string>& warnings) {
  DavisObjects objects;
  std::map<std::string, std::size_t> frame_of;
  for (std::size_t i = 0; i < pictures.size(); ++i) frame_of.emplace(pictures[i].stem().string(), i);
  for (const auto& path : image_files(folder)) {
    std::size_t frame = objects.frames;
    if (!pictures.empty()) {
      const auto at = frame_of.find(path.stem().string());
      if (at == frame_of.end()) {
        warnings.push_back(path.string() + ": no picture of that name, left out");
        continue;
      }
      frame = at->second;
    }
    const Image mask = load_image(path);
    const ImageSize size{mask.width(), mask.height()};
    if (objects.frames == 0) objects.size = size;
    if (size != objects.size)
      fail(ErrorCode::format, path.string(), ": expected a mask of ", objects.size.width, "x", objects.size.height,
           " pixels, as the others of its sequence, got ", size.width, "x", size.height);
    objects.frames = std::max(objects.frames, frame + 1);
    for (const auto& [colour, extent] : mask_extents(mask, path)) {
      auto& boxes = objects.boxes[colour];
      boxes.resize(std::max(boxes.size(), frame + 1), no_box());
      boxes[frame] = extent.box();
    }
    if (objects.boxes.size() > kMaxMaskColours)
      fail(ErrorCode::format, folder.string(), ": expected masks of at most ", kMaxMaskColours, " colours, got more");
  }
  for (auto& [colour, boxes] : objects.boxes) boxes.resize(objects.frames, no_box());
  return objects;
}

/// One sequence for each object, from the first frame that shows it; in the order of these frames, then of colours.
inline std::vector<Sequence> davis_sequences(const std::string& name, const std::filesystem::path& masks,
                                             const std::vector<std::filesystem::path>& pictures, const LoadImage& load_image,
                                             std::vector<std::string>& warnings) {
  DavisObjects objects = read_masks(masks, pictures, load_image, warnings);
  if (objects.boxes.empty()) warnings.push_back(masks.string() + ": no object in any mask, left out");
  std::vector<Sequence> sequences;
  for (auto& [colour, boxes] : objects.boxes) {
    Sequence& sequence = sequences.emplace_back();
    const auto first = std::find_if(boxes.begin(), boxes.end(), [](const Box& box) { return box.valid(); });
    sequence.first_frame = static_cast<std::size_t>(first - boxes.begin());
    sequence.truth.assign(first, boxes.end());
    const auto skipped = std::min(sequence.first_frame, pictures.size());
    sequence.frames.assign(pictures.begin() + static_cast<std::ptrdiff_t>(skipped), pictures.end());
    sequence.annotation = masks;
    sequence.frame_size = objects.size;
  }
  std::stable_sort(sequences.begin(), sequences.end(),
                   [](const Sequence& a, const Sequence& b) { return a.first_frame < b.first_frame; });
  for (std::size_t i = 0; i < sequences.size(); ++i)
    sequences[i].name = sequences.size() == 1 ? name : name + "_" + std::to_string(i + 1);
  if (!sequences.empty()) check_lengths(sequences[0], warnings);  // the same for all of them
  return sequences;
}

inline bool is_davis(const std::filesystem::path& root) {
  // PASCAL VOC has the same two folders, but files in the latter.
  return is_folder(root / "JPEGImages") && is_folder(root / "Annotations") && !folders_in(root / "Annotations").empty();
}

/// Errors: io; format; argument (no `load_image`; no such subset); what load_image() throws.
inline std::vector<Sequence> read_davis(const std::filesystem::path& root, const std::string& subset,
                                        const LoadImage& load_image, std::vector<std::string>& warnings) {
  if (!load_image)
    fail(ErrorCode::argument, root.string(),
         ": load_image: expected a function that reads the masks of DAVIS, got none: pass detrack::load_image from "
         "<detrack/image/stb.hpp>");
  if (!is_folder(root / "Annotations")) return {};
  const std::string resolution = davis_resolution(root / "Annotations");
  const auto masks = root / "Annotations" / resolution, pictures = root / "JPEGImages" / resolution;
  std::vector<Sequence> all;
  for (const std::string& name : davis_names(root, masks, subset, warnings)) {
    auto some = davis_sequences(name, masks / name, pictures_in(pictures / name), load_image, warnings);
    std::move(some.begin(), some.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace detrack::detail
