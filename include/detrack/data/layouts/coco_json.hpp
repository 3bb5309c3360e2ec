// The JSON of COCO's instances: reading images and boxes from bytes that nobody vouches for, without a tree of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/box.hpp"
#include "detrack/core/error.hpp"
#include "detrack/io/json.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack::detail {

inline constexpr std::size_t kMaxCocoBytes = std::size_t{4} << 30;  ///< instances_train2017.json has 450 million

struct CocoImage {
  std::int64_t id = 0;
  std::string file_name;
};

struct CocoBox {
  std::int64_t image_id = 0;
  Box box;
  bool crowd = false;
};

struct CocoInstances {
  std::vector<CocoImage> images;
  std::vector<CocoBox> boxes;
};

/// in_quotes(), made when it is written.
struct Quoted {
  std::string_view text;
  friend std::ostream& operator<<(std::ostream& out, const Quoted& quoted) { return out << in_quotes(quoted.text); }
};

/// Takes the JSON parser's events and keeps of them what a box needs, so that outlines, which are most of such a file, are
/// passed over. Throws at the first value that does not belong.
class CocoEvents {
 public:
  explicit CocoEvents(const std::string& label) : label_(label) {}

  CocoInstances take() {
    if (!has_images_ || !has_annotations_)
      fail(ErrorCode::format, label_, ": expected images and annotations, got no ", has_images_ ? "annotations" : "images");
    if (instances_.images.empty()) fail(ErrorCode::format, label_, ": images: expected at least one, got none");
    return std::move(instances_);
  }

  // The parser's interface (nlohmann::json_sax). All return true: failures throw.
  bool null() { return other("null"); }
  bool binary(nlohmann::json::binary_t&) { return other("binary data"); }
  bool number_float(double value, const std::string&) { return number(value, {}); }
  bool number_integer(std::int64_t value) { return number(static_cast<double>(value), value); }
  bool number_unsigned(std::uint64_t value) {
    const bool fits = value <= static_cast<std::uint64_t>(INT64_MAX);
    return number(static_cast<double>(value), fits ? std::optional(static_cast<std::int64_t>(value)) : std::nullopt);
  }

  bool boolean(bool value) {
    if (depth_ == 3 && field_ == Field::iscrowd)
      box_.crowd = value;
    else
      other(value ? "true" : "false");
    return true;
  }

  bool string(std::string& text) {
    if (depth_ != 3 || field_ != Field::file_name) return other("the string ", Quoted{text});
    image_.file_name = std::move(text);
    has_name_ = true;
    return true;
  }

  bool key(const std::string& name) {
    if (depth_ == 1) {
      section_ = name == "images" ? Section::images : name == "annotations" ? Section::annotations : Section::other;
      if (section_ != Section::other && std::exchange(section_ == Section::images ? has_images_ : has_annotations_, true))
        fail(ErrorCode::format, label_, ": ", name, ": expected it once, got it again");
    } else if (depth_ == 3 && section_ == Section::images) {
      field_ = name == "id" ? Field::id : name == "file_name" ? Field::file_name : Field::other;
    } else if (depth_ == 3 && section_ == Section::annotations) {
      field_ = name == "image_id"  ? Field::image_id
               : name == "bbox"    ? Field::bbox
               : name == "iscrowd" ? Field::iscrowd
                                   : Field::other;
    }
    return true;
  }

  bool start_object(std::size_t) {
    const bool is_record = depth_ == 2 && section_ != Section::other;
    if (depth_ != 0 && !is_record) other("an object");
    if (is_record) {
      image_ = {};
      box_ = {};
      has_id_ = has_name_ = has_box_ = false;
      field_ = Field::other;
    }
    ++depth_;
    return true;
  }

  bool end_object() {
    --depth_;
    if (depth_ == 2 && section_ == Section::images) end_image();
    if (depth_ == 2 && section_ == Section::annotations) end_annotation();
    return true;
  }

  bool start_array(std::size_t) {
    const bool is_box = depth_ == 3 && field_ == Field::bbox;
    if (!is_box && !(depth_ == 1 && section_ != Section::other)) other("an array");
    if (is_box) numbers_ = 0;
    ++depth_;
    return true;
  }

  bool end_array() {
    --depth_;
    if (depth_ == 3 && field_ == Field::bbox) {
      if (numbers_ != 4) fail_here("expected 4 numbers, got ", numbers_);
      has_box_ = true;
    }
    return true;
  }

  template <class Exception>
  bool parse_error(std::size_t position, const std::string&, const Exception& error) {
    // The parser's text ends in a copy of the offending token, which may be as long as the file.
    const std::string_view what = error.what();
    const auto begin = what.find("syntax error");
    fail(ErrorCode::format, label_, ": byte ", position > 0 ? position - 1 : 0, ": expected JSON, got ",
         escaped(begin == std::string_view::npos ? what : what.substr(begin), 160));
  }

 private:
  enum class Section { other, images, annotations };
  enum class Field { other, id, file_name, image_id, bbox, iscrowd };

  /// What the value to come has to be; nullptr where it is passed over.
  const char* wanted() const {
    if (depth_ == 0) return "an object";
    if (section_ == Section::other) return nullptr;
    if (depth_ == 1) return "an array";
    if (depth_ == 2) return "an object";
    if (depth_ == 4 && field_ == Field::bbox) return "a number";
    if (depth_ > 3) return nullptr;
    switch (field_) {
      case Field::id:
      case Field::image_id: return "a whole number";
      case Field::file_name: return "a string";
      case Field::bbox: return "an array of 4 numbers";
      case Field::iscrowd: return "0 or 1";
      case Field::other: break;
    }
    return nullptr;
  }

  /// Throws with the place where the parser is: "<label>: annotations[7]: bbox: ...".
  template <class... Parts>
  [[noreturn]] void fail_here(const Parts&... parts) const {
    std::string place;
    if (depth_ > 0 && section_ != Section::other) {
      const bool images = section_ == Section::images;
      place = images ? ": images" : ": annotations";
      if (depth_ > 1) place += "[" + std::to_string(images ? instances_.images.size() : instances_.boxes.size()) + "]";
      constexpr const char* names[] = {"", ": id", ": file_name", ": image_id", ": bbox", ": iscrowd"};
      if (depth_ > 2) place += names[static_cast<int>(field_)];
    }
    fail(ErrorCode::format, label_, place, ": ", parts...);
  }

  /// A value that is none of those looked for. Most are: words are made only for those that do not belong.
  template <class... Parts>
  bool other(const Parts&... got) const {
    if (const char* what = wanted()) fail_here("expected ", what, ", got ", got...);
    return true;
  }

  bool number(double value, std::optional<std::int64_t> whole) {
    if (depth_ == 4 && field_ == Field::bbox && section_ != Section::other) {
      double* const at[] = {&box_.box.x, &box_.box.y, &box_.box.w, &box_.box.h};
      if (numbers_ < 4) *at[numbers_] = value;
      ++numbers_;
      return true;
    }
    const bool is_id = field_ == Field::id || field_ == Field::image_id;
    const bool is_crowd = field_ == Field::iscrowd && whole && (*whole == 0 || *whole == 1);
    if (depth_ != 3 || section_ == Section::other || !((is_id && whole) || is_crowd)) return other(value);
    if (is_crowd) {
      box_.crowd = *whole == 1;
    } else {
      (field_ == Field::id ? image_.id : box_.image_id) = *whole;
      has_id_ = true;
    }
    return true;
  }

  void end_image() {
    field_ = Field::other;
    ++depth_;  // for the place in messages
    if (!has_id_ || !has_name_) fail_here("expected id and file_name, got no ", has_id_ ? "file_name" : "id");
    --depth_;
    instances_.images.push_back(std::move(image_));
  }

  void end_annotation() {
    field_ = Field::other;
    ++depth_;
    if (!has_id_ || !has_box_) fail_here("expected image_id and bbox, got no ", has_id_ ? "bbox" : "image_id");
    --depth_;
    instances_.boxes.push_back(box_);
  }

  const std::string& label_;
  CocoInstances instances_;
  std::size_t depth_ = 0;  ///< how many objects and arrays the parser is in
  Section section_ = Section::other;
  bool has_images_ = false, has_annotations_ = false;

  // The image or annotation being read.
  Field field_ = Field::other;
  CocoImage image_;
  CocoBox box_;
  std::size_t numbers_ = 0;
  bool has_id_ = false, has_name_ = false, has_box_ = false;
};

/// Images and boxes in the order of the file. `label` stands in messages where a path would. Errors: format.
inline CocoInstances parse_coco(std::string_view text, const std::string& label) {
  if (text.size() > kMaxCocoBytes)
    fail(ErrorCode::format, label, ": expected at most ", kMaxCocoBytes, " bytes, got ", text.size());
  CocoEvents events(label);
  nlohmann::json::sax_parse(text.data(), text.data() + text.size(), &events);
  return events.take();
}

}  // namespace detrack::detail

DETRACK_INSTANTIATE(bool nlohmann::json::sax_parse(const char*, const char*, detrack::detail::CocoEvents*,
                                                   nlohmann::json::input_format_t, bool, bool))
