// The index of a pack, pack.json: which pictures its shards hold, and what is to be learnt from them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/data/is_pack.hpp"
#include "detrack/data/picture_names.hpp"
#include "detrack/data/sequence.hpp"
#include "detrack/data/still_images.hpp"
#include "detrack/image/image.hpp"
#include "detrack/io/json.hpp"
#include "detrack/io/json_fields.hpp"
#include "detrack/io/mapped_file.hpp"
#include "detrack/io/quoted.hpp"

// A pack is a folder with
//   pack.json               the index, written last: a folder without it is an unfinished pack
//   pack-000.safetensors,   shards: for each picture a tensor (U8, rank 1) of the bytes of its file; the tensor's name is
//   pack-001.safetensors    the number of the picture, ten digits, counted from the first shard on.
// A picture keeps the name that it had in its data set's folder, so its path in a pack differs in its beginning alone: what
// hangs on names (which frames lie in one folder) and every message stay what they were.

namespace detrack {

inline constexpr std::uint64_t kPackVersion = 1;
/// Larger indices are refused: two million frames take less than half of it.
inline constexpr std::size_t kMaxPackIndexBytes = std::size_t{512} << 20;
/// Longer names are refused: each frame and image keeps a path with its picture's name.
inline constexpr std::size_t kMaxPictureNameBytes = 4096;

struct PackShard {
  std::uint64_t bytes = 0;   ///< of the file
  std::uint32_t crc32 = 0;   ///< of all of them
  std::size_t pictures = 0;  ///< at least 1
};

struct PackIndex {
  std::string subset;     ///< of the data set, where one was chosen
  PictureNames pictures;  ///< by their numbers; those of shard 0 come first
  std::vector<PackShard> shards;
  std::vector<Sequence> sequences;  ///< frames and images are <folder>/<name of the picture>
  std::vector<StillImage> images;   ///< without a box: any part may be a target
};

namespace detail {

inline constexpr std::string_view kPackFormat = "detrack.pack";

inline std::string with_zeros(std::size_t number, std::size_t digits) {
  const std::string text = std::to_string(number);
  return std::string(digits > text.size() ? digits - text.size() : 0, '0') + text;
}
/// The file of a shard.
inline std::string shard_name(std::size_t shard) {
  return "pack-" + with_zeros(shard, 3) + ".safetensors";
}
/// The tensor of a picture: names in their order are numbers in theirs.
inline std::string picture_tensor_name(std::size_t picture) {
  return with_zeros(picture, 10);
}

/// The flags of a sequence, by the names that the index has for them.
template <class S, class F>
void for_each_flags(S& sequence, F&& f) {
  f("absent", sequence.absent);
  f("cover", sequence.cover);
  f("cut_by_image", sequence.cut_by_image);
  f("full_occlusion", sequence.full_occlusion);
  f("out_of_view", sequence.out_of_view);
}

/// Takes an index apart. Every complaint names the file and the place in it.
class PackIndexReader {
 public:
  PackIndexReader(std::filesystem::path folder, std::string label) : folder_(std::move(folder)), label_(std::move(label)) {}

  /// Errors: format.
  PackIndex operator()(std::string_view text) {
    using nlohmann::json;
    json all;
    try {
      all = json::parse(text.begin(), text.end());
    } catch (const json::exception& error) {
      fail(ErrorCode::format, label_, ": expected the index of a pack in JSON: ", escaped(error.what(), 200));
    }
    if (text_of(member(all, "format", "(whole)"), "format") != kPackFormat)
      wrong("format", concat("the string ", kPackFormat), all["format"]);
    const json& version = member(all, "version", "(whole)");
    if (version != kPackVersion) wrong("version", concat("version ", kPackVersion), version);
    index_.subset = text_of(member(all, "subset", "(whole)"), "subset");
    read_pictures(list(all, "pictures", "(whole)"));
    read_shards(list(all, "shards", "(whole)"));
    std::set<std::string> names;
    for (const json& one : list(all, "sequences", "(whole)")) {
      const std::string where = concat("sequences[", index_.sequences.size(), "]");
      index_.sequences.push_back(sequence_of(one, where));
      if (!names.insert(index_.sequences.back().name).second)
        wrong(where + ": name", "each sequence once", member(one, "name", where));
    }
    for (const json& one : list(all, "images", "(whole)"))
      index_.images.push_back(image_of(one, concat("images[", index_.images.size(), "]")));
    return std::move(index_);
  }

 private:
  using Json = nlohmann::json;

  [[noreturn]] void wrong(const std::string& where, const std::string& expected, const Json& got) const {
    fail(ErrorCode::format, label_, ": ", where, ": expected ", expected, ", got ", shown(got));
  }
  const Json& member(const Json& object, const char* name, const std::string& where) const {
    if (!object.is_object()) wrong(where, "an object", object);
    const auto at = object.find(name);
    if (at == object.end()) fail(ErrorCode::format, label_, ": ", where, ": expected a field ", name, ", got none");
    return *at;
  }
  const Json& list(const Json& object, const char* name, const std::string& where) const {
    const Json& found = member(object, name, where);
    if (!found.is_array()) wrong(where + ": " + name, "a list", found);
    return found;
  }
  std::string text_of(const Json& value, const std::string& where) const {
    if (!value.is_string()) wrong(where, "a string", value);
    return value.get<std::string>();
  }
  std::uint64_t whole(const Json& value, const std::string& where, std::uint64_t least, std::uint64_t most) const {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() < least || value.get<std::uint64_t>() > most)
      wrong(where, concat("a whole number in [", least, ", ", most, "]"), value);
    return value.get<std::uint64_t>();
  }

  void read_pictures(const Json& names) {
    for (const Json& one : names) {
      const std::string where = concat("pictures[", index_.pictures.size(), "]");
      std::string name = text_of(one, where);
      if (name.size() > kMaxPictureNameBytes) wrong(where, concat("at most ", kMaxPictureNameBytes, " bytes"), one);
      if (!is_inner_path(name)) wrong(where, "a path within the pack", one);
      if (!index_.pictures.add(std::move(name)).second) wrong(where, "each name once", one);
    }
  }

  void read_shards(const Json& shards) {
    std::size_t pictures = 0;
    for (const Json& one : shards) {
      const std::size_t number = index_.shards.size();
      const std::string where = concat("shards[", number, "]");
      // The name says nothing new, but it is what people look for, and nothing else may be opened.
      if (text_of(member(one, "file", where), where + ": file") != shard_name(number))
        wrong(where + ": file", shard_name(number), one["file"]);
      PackShard& shard = index_.shards.emplace_back();
      shard.bytes = whole(member(one, "bytes", where), where + ": bytes", 1, std::numeric_limits<std::int64_t>::max());
      shard.crc32 = static_cast<std::uint32_t>(
          whole(member(one, "crc32", where), where + ": crc32", 0, std::numeric_limits<std::uint32_t>::max()));
      shard.pictures = static_cast<std::size_t>(
          whole(member(one, "pictures", where), where + ": pictures", 1, index_.pictures.size() - pictures));
      pictures += shard.pictures;
    }
    if (pictures != index_.pictures.size())
      fail(ErrorCode::format, label_, ": shards: expected ", index_.pictures.size(), " pictures in them, got ", pictures);
  }

  std::filesystem::path picture(const Json& number, const std::string& where) const {
    if (index_.pictures.size() == 0) wrong(where, "no picture, as the pack has none", number);
    return folder_ / index_.pictures[static_cast<std::size_t>(whole(number, where, 0, index_.pictures.size() - 1))];
  }
  /// null is a box that is absent.
  Box box_of(const Json& value, const std::string& where) const {
    if (value.is_null()) return no_box();
    if (!value.is_array() || value.size() != 4) wrong(where, "x, y, w, h or null", value);
    for (const Json& one : value)
      if (!one.is_number()) wrong(where, "x, y, w, h or null", value);
    return {value[0].get<double>(), value[1].get<double>(), value[2].get<double>(), value[3].get<double>()};
  }

  Sequence sequence_of(const Json& json, const std::string& where) const {
    Sequence sequence;
    sequence.name = text_of(member(json, "name", where), where + ": name");
    for (const Json& one : list(json, "other_names", where))
      sequence.other_names.push_back(text_of(one, where + ": other_names"));
    for (const Json& one : list(json, "frames", where)) sequence.frames.push_back(picture(one, where + ": frames"));
    for (const Json& one : list(json, "truth", where)) sequence.truth.push_back(box_of(one, where + ": truth"));
    for_each_flags(sequence, [&](const char* name, std::vector<std::uint8_t>& flags) {
      if (!json.contains(name)) return;
      for (const Json& one : list(json, name, where))
        flags.push_back(static_cast<std::uint8_t>(whole(one, where + ": " + name, 0, 255)));
      if (flags.size() != sequence.truth.size())
        fail(ErrorCode::format, label_, ": ", where, ": ", name, ": expected ", sequence.truth.size(),
             " numbers, as many as boxes, got ", flags.size());
    });
    if (json.contains("frame_size")) {
      const Json& size = json["frame_size"];
      if (!size.is_array() || size.size() != 2) wrong(where + ": frame_size", "width and height", size);
      const auto side = [&](std::size_t i) {
        return static_cast<std::int64_t>(whole(size[i], where + ": frame_size", 1, ImageView::kMaxSide));
      };
      sequence.frame_size = ImageSize{side(0), side(1)};
    }
    sequence.first_frame = static_cast<std::size_t>(
        whole(member(json, "first_frame", where), where + ": first_frame", 0, std::numeric_limits<std::uint32_t>::max()));
    sequence.annotation = label_;
    return sequence;
  }

  StillImage image_of(const Json& json, const std::string& where) const {
    StillImage image{picture(member(json, "picture", where), where + ": picture"), {}};
    for (const Json& one : list(json, "boxes", where)) {
      image.boxes.push_back(box_of(one, where + ": boxes"));
      if (!image.boxes.back().valid()) wrong(where + ": boxes", "boxes of positive area", one);
    }
    return image;
  }

  std::filesystem::path folder_;
  std::string label_;
  PackIndex index_;
};

}  // namespace detail

/// The index of the pack at `folder`; opens no shard. Errors: io; format, naming the file and the place in it.
inline PackIndex read_pack_index(const std::filesystem::path& folder) {
  const auto path = folder / kPackIndex;
  const MappedFile file(path);
  if (file.bytes().size() > kMaxPackIndexBytes)
    fail(ErrorCode::format, path.string(), ": expected at most ", kMaxPackIndexBytes, " bytes, got ", file.bytes().size());
  return detail::PackIndexReader(folder,
                                 path.string())({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()});
}

/// `index` as JSON. `number_of(path)` is the number of a frame or image. Errors: argument (names that are not UTF-8).
template <class F>
std::string pack_index_text(const PackIndex& index, F&& number_of) {
  using Json = nlohmann::ordered_json;
  const auto box = [](const Box& b) { return b.finite() ? Json{b.x, b.y, b.w, b.h} : Json(); };
  const auto boxes = [&](const std::vector<Box>& all) {
    Json values = Json::array();
    for (const Box& b : all) values.push_back(box(b));
    return values;
  };
  Json all{{"format", detail::kPackFormat}, {"version", kPackVersion}, {"subset", index.subset}};
  Json& shards = all["shards"] = Json::array();
  for (std::size_t i = 0; i < index.shards.size(); ++i)
    shards.push_back({{"file", detail::shard_name(i)},
                      {"bytes", index.shards[i].bytes},
                      {"crc32", index.shards[i].crc32},
                      {"pictures", index.shards[i].pictures}});
  Json& sequences = all["sequences"] = Json::array();
  for (const Sequence& sequence : index.sequences) {
    Json one{{"name", sequence.name}, {"other_names", sequence.other_names}};
    if (sequence.frame_size) one["frame_size"] = {sequence.frame_size->width, sequence.frame_size->height};
    one["first_frame"] = sequence.first_frame;
    Json& frames = one["frames"] = Json::array();
    for (const auto& frame : sequence.frames) frames.push_back(number_of(frame));
    one["truth"] = boxes(sequence.truth);
    detail::for_each_flags(sequence, [&](const char* name, const std::vector<std::uint8_t>& flags) {
      if (!flags.empty()) one[name] = flags;
    });
    sequences.push_back(std::move(one));
  }
  Json& images = all["images"] = Json::array();
  for (const StillImage& image : index.images)
    images.push_back({{"picture", number_of(image.file)}, {"boxes", boxes(image.boxes)}});
  Json& pictures = all["pictures"] = Json::array();
  for (std::size_t i = 0; i < index.pictures.size(); ++i) pictures.push_back(index.pictures[i]);
  try {
    return all.dump() + "\n";
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorCode::argument, "pack: expected names in UTF-8: ", detail::escaped(error.what(), 200));
  }
}

}  // namespace detrack
