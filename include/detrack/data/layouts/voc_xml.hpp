// The XML of PASCAL VOC: reading the few elements that boxes need from text that nobody vouches for.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/box.hpp"
#include "detrack/core/error.hpp"
#include "detrack/data/annotation.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack::detail {

struct VocAnnotation {
  std::string filename;    ///< empty where the file does not say
  std::vector<Box> boxes;  ///< 0-based
};

/// Reads one document from front to back, with no more memory than the names of the open elements. Of XML it knows elements,
/// attributes (passed over), comments, processing instructions and the five named entities; declarations, of entities among
/// them, are refused.
class VocReader {
 public:
  VocReader(std::string_view text, const std::string& label) : text_(text), label_(label) {}

  VocAnnotation read() {
    if (text_.size() > kMaxBytes)
      fail(ErrorCode::format, label_, ": expected at most ", kMaxBytes, " bytes, got ", text_.size());
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;  // a byte order mark
    while (at_ < text_.size()) {
      const std::string_view rest = text_.substr(at_);
      if (rest[0] != '<')
        take_text();
      else if (rest.starts_with("<?"))
        skip_past("?>", "a processing instruction");
      else if (rest.starts_with("<!--"))
        skip_past("-->", "a comment");
      else if (rest.starts_with("<!"))
        fail_here("expected elements and comments, got a declaration");
      else if (rest.starts_with("</"))
        take_end_tag();
      else
        take_start_tag();
    }
    if (!open_.empty()) fail_here("expected the end of ", in_quotes(open_.back().name), ", got the end of the file");
    if (!has_root_) fail_here("expected an element 'annotation', got none");
    return std::move(annotation_);
  }

 private:
  struct Element {
    std::string_view name;
    std::size_t begin;  ///< of its contents
  };
  static constexpr std::size_t kMaxBytes = std::size_t{16} << 20, kMaxDepth = 32;
  static constexpr std::string_view kBlanks = " \t\r\n";
  static constexpr std::string_view kCorners[] = {"xmin", "ymin", "xmax", "ymax"};

  template <class... Parts>
  [[noreturn]] void fail_here(const Parts&... parts) const {
    const auto before = text_.substr(0, std::min(at_, text_.size()));
    fail(ErrorCode::format, label_, ": line ", 1 + std::count(before.begin(), before.end(), '\n'), ": ", parts...);
  }

  void skip_past(std::string_view end, const char* what) {
    const std::size_t found = text_.find(end, at_ + 2);
    if (found == std::string_view::npos) fail_here("expected the end of ", what, ", got the end of the file");
    at_ = found + end.size();
  }

  void skip_blanks() { at_ = std::min(text_.find_first_not_of(kBlanks, at_), text_.size()); }

  void take_text() {
    if (open_.empty()) {
      skip_blanks();
      if (at_ < text_.size() && text_[at_] != '<')
        fail_here("expected an element 'annotation' and nothing else, got ", in_quotes(text_.substr(at_)));
    }
    at_ = std::min(text_.find('<', at_), text_.size());
  }

  std::string_view take_name() {
    const std::size_t begin = at_;
    const auto is_part = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
             c == '.' || c == ':';
    };
    while (at_ < text_.size() && is_part(text_[at_])) ++at_;
    if (at_ == begin) fail_here("expected the name of an element, got ", in_quotes(text_.substr(at_, 1)));
    return text_.substr(begin, at_ - begin);
  }

  void take_start_tag() {
    ++at_;
    const std::string_view name = take_name();
    if (open_.empty() && (std::exchange(has_root_, true) || name != "annotation"))
      fail_here("expected one element 'annotation', got ", in_quotes(name));
    if (open_.size() == kMaxDepth) fail_here("expected elements at most ", kMaxDepth, " deep");
    const bool is_empty = skip_attributes();
    open_.push_back({name, at_});
    if (is_at({"annotation", "object"})) corners_ = {};
    if (is_empty) end_element({});
  }

  /// To behind the `>`. True for an element that ends there (`/>`).
  bool skip_attributes() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        at_ = text_.find(c, at_ + 1);
        if (at_ == std::string_view::npos) break;
      } else if (c == '<') {
        fail_here("expected the end of a tag, got '<'");
      } else if (c == '>') {
        return text_[at_++ - 1] == '/';
      }
    }
    fail_here("expected the end of a tag, got the end of the file");
  }

  void take_end_tag() {
    const std::size_t begin = at_;
    at_ += 2;
    const std::string_view name = take_name();
    skip_blanks();
    if (open_.empty() || open_.back().name != name)
      fail_here("expected ", open_.empty() ? "no end of an element" : "the end of " + in_quotes(open_.back().name),
                ", got that of ", in_quotes(name));
    if (at_ == text_.size() || text_[at_] != '>') fail_here("expected the end of a tag, got none");
    end_element(text_.substr(open_.back().begin, begin - open_.back().begin));
    ++at_;
  }

  bool is_at(std::initializer_list<std::string_view> path) const {
    return std::equal(path.begin(), path.end(), open_.begin(), open_.end(),
                      [](std::string_view name, const Element& element) { return name == element.name; });
  }

  /// The innermost element is complete.
  void end_element(std::string_view contents) {
    const std::string_view name = open_.back().name;
    if (is_at({"annotation", "filename"})) {
      if (std::exchange(has_filename_, true)) fail_here("filename: expected it once, got it again");
      annotation_.filename = plain_text(contents);
    } else if (is_at({"annotation", "object"})) {
      end_object();
    } else if (is_at({"annotation", "object", "bndbox", name})) {
      const auto corner = std::find(std::begin(kCorners), std::end(kCorners), name);
      if (corner != std::end(kCorners)) set_corner(static_cast<std::size_t>(corner - std::begin(kCorners)), contents);
    }
    open_.pop_back();
  }

  static std::string_view trimmed(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
    return text.substr(0, text.find_last_not_of(kBlanks) + 1);
  }

  void set_corner(std::size_t i, std::string_view contents) {
    const std::string_view number = trimmed(contents);
    std::string_view rest = number;
    double value = 0;
    if (!take_number(rest, value) || !rest.empty()) fail_here(kCorners[i], ": expected a number, got ", in_quotes(number));
    if (std::exchange(corners_[i], value)) fail_here(kCorners[i], ": expected it once in an object, got it again");
  }

  /// Corners are the outermost pixels of the object, counted from 1.
  void end_object() {
    for (std::size_t i = 0; i < 4; ++i)
      if (!corners_[i]) fail_here("object: expected a bndbox of xmin, ymin, xmax and ymax, got no ", kCorners[i]);
    const auto [left, top, right, bottom] = std::array{*corners_[0], *corners_[1], *corners_[2], *corners_[3]};
    annotation_.boxes.push_back({left - 1, top - 1, right - left + 1, bottom - top + 1});
  }

  /// Text without elements, its entities resolved.
  std::string plain_text(std::string_view contents) const {
    constexpr std::pair<std::string_view, char> entities[] = {
        {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    std::string plain;
    for (std::string_view rest = trimmed(contents); !rest.empty();) {
      if (rest[0] == '<') fail_here("filename: expected text, got an element or a comment");
      const auto entity = std::find_if(std::begin(entities), std::end(entities),
                                       [&](const auto& known) { return rest.starts_with(known.first); });
      const bool known = entity != std::end(entities);
      if (rest[0] == '&' && !known) fail_here("filename: expected one of the named entities, got ", in_quotes(rest));
      plain += known ? entity->second : rest[0];
      rest.remove_prefix(known ? entity->first.size() : 1);
    }
    return plain;
  }

  std::string_view text_;
  const std::string& label_;
  std::size_t at_ = 0;
  std::vector<Element> open_;  ///< from the root on
  VocAnnotation annotation_;
  bool has_root_ = false, has_filename_ = false;
  std::array<std::optional<double>, 4> corners_;  ///< of the object being read
};

/// `label` stands in messages where a path would. Errors: format, naming the line.
inline VocAnnotation parse_voc(std::string_view text, const std::string& label) {
  return VocReader(text, label).read();
}

}  // namespace detrack::detail
