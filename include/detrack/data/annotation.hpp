// Text files of numbers: boxes, flags and times of a sequence.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "detrack/core/box.hpp"
#include "detrack/core/error.hpp"
#include "detrack/data/sequence.hpp"
#include "detrack/io/mapped_file.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack {

/// Larger files are refused: hours of video take less than a tenth of it.
inline constexpr std::size_t kMaxAnnotationBytes = std::size_t{64} << 20;

namespace detail {

/// Takes a number off the front of `text`, whatever the locale. False where there is none, or one beyond double.
inline bool take_number(std::string_view& text, double& value) {
  const std::size_t plus = text.starts_with('+') && !text.starts_with("+-") ? 1 : 0;
  const auto [end, reason] = std::from_chars(text.data() + plus, text.data() + text.size(), value);
  if (reason != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return text.empty() || text[0] == ',' || text[0] == ' ' || text[0] == '\t';
}

/// The numbers of one line into `row`. Between two numbers stand a comma, blanks or tabs, or a comma among them.
inline void parse_row(std::string_view line, const std::string& label, std::size_t number, std::vector<double>& row) {
  const auto skip_blanks = [&] { line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size())); };
  row.clear();
  for (skip_blanks(); !line.empty(); skip_blanks()) {
    if (!row.empty() && line[0] == ',') {
      line.remove_prefix(1);
      skip_blanks();
    }
    const std::string_view token = line.substr(0, line.find_first_of(", \t"));
    if (!take_number(line, row.emplace_back()))
      fail(ErrorCode::format, label, ": line ", number, ": expected a number, got ", in_quotes(token));
  }
}

/// Calls f(line number from 1, the line without its end) for each line.
template <class F>
void for_each_line(std::string_view text, const std::string& label, F&& f) {
  if (text.size() > kMaxAnnotationBytes)
    fail(ErrorCode::format, label, ": expected at most ", kMaxAnnotationBytes, " bytes, got ", text.size());
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    f(number, line);
  }
}

/// Calls f(line number from 1, its numbers) for each line. Blank lines are allowed at the end only: elsewhere they would
/// shift all frames after them.
template <class F>
void for_each_row(std::string_view text, const std::string& label, F&& f) {
  std::vector<double> row;
  std::size_t blank = 0;  // the last blank line
  for_each_line(text, label, [&](std::size_t number, std::string_view line) {
    parse_row(line, label, number, row);
    if (row.empty()) {
      blank = number;
      return;
    }
    if (blank != 0) fail(ErrorCode::format, label, ": line ", blank, ": expected numbers, got a blank line before others");
    f(number, std::span<const double>(row));
  });
}

template <class F>
void for_each_row_of(const std::filesystem::path& path, F&& f) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  for_each_row({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.string(), f);
}

/// x, y, w, h as they are; the corners of a polygon as the upright box around them.
inline Box box_of(std::span<const double> row, const std::string& label, std::size_t number) {
  if (row.size() == 4) return {row[0], row[1], row[2], row[3]};
  if (row.size() != 8)
    fail(ErrorCode::format, label, ": line ", number, ": expected 4 numbers (x, y, w, h) or 8 (corners), got ", row.size());
  if (std::any_of(row.begin(), row.end(), [](double x) { return !std::isfinite(x); })) return no_box();
  const auto [left, right] = std::minmax({row[0], row[2], row[4], row[6]});
  const auto [top, bottom] = std::minmax({row[1], row[3], row[5], row[7]});
  return {left, top, right - left, bottom - top};
}

}  // namespace detail

/// One box a line: `x y w h` separated by commas, tabs or blanks, mixed as they come, lines ending in LF or CR LF. Numbers
/// may be `nan` or `inf`. Eight numbers are the corners of a polygon (VOT): the upright box around them. `label` stands in
/// messages where a path would. Errors: format, naming the line.
inline std::vector<Box> parse_boxes(std::string_view text, const std::string& label = "memory") {
  std::vector<Box> boxes;
  detail::for_each_row(text, label,
                       [&](std::size_t number, auto row) { boxes.push_back(detail::box_of(row, label, number)); });
  return boxes;
}

/// The same from a file. Errors: io; format, naming file and line.
inline std::vector<Box> read_boxes(const std::filesystem::path& path) {
  std::vector<Box> boxes;
  const std::string label = path.string();
  detail::for_each_row_of(path, [&](std::size_t number, auto row) { boxes.push_back(detail::box_of(row, label, number)); });
  return boxes;
}

/// All whole numbers in [0, 255] of a file, one a line (GOT-10k) or in one line (LaSOT). Errors: io; format.
inline std::vector<std::uint8_t> read_flags(const std::filesystem::path& path) {
  std::vector<std::uint8_t> flags;
  detail::for_each_row_of(path, [&](std::size_t number, auto row) {
    for (const double value : row) {
      if (!(value >= 0 && value <= 255) || value != static_cast<std::uint8_t>(value))
        fail(ErrorCode::format, path.string(), ": line ", number, ": expected a whole number in [0, 255], got ", value);
      flags.push_back(static_cast<std::uint8_t>(value));
    }
  });
  return flags;
}

/// Numbers in rows and columns; rows may differ in length. Errors: io; format.
inline std::vector<std::vector<double>> read_table(const std::filesystem::path& path) {
  std::vector<std::vector<double>> rows;
  detail::for_each_row_of(path, [&](std::size_t, auto row) { rows.emplace_back(row.begin(), row.end()); });
  return rows;
}

}  // namespace detrack
