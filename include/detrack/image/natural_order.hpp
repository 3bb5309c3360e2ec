// Picture files of a folder, in the order in which a person counts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "detrack/core/error.hpp"

namespace detrack {

namespace detail {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The run of digits or of other characters that `text` starts with.
constexpr std::string_view leading_run(std::string_view text) {
  std::size_t end = 1;
  while (end < text.size() && is_digit(text[end]) == is_digit(text[0])) ++end;
  return text.substr(0, end);
}

}  // namespace detail

/// Compares runs of digits by their value: image2 before image10. A total order: names that count the same (2, 02) are
/// ordered as strings.
inline bool less_natural(std::string_view a, std::string_view b) {
  std::string_view left = a, right = b;
  while (!left.empty() && !right.empty()) {
    std::string_view x = detail::leading_run(left), y = detail::leading_run(right);
    left.remove_prefix(x.size());
    right.remove_prefix(y.size());
    if (detail::is_digit(x[0]) && detail::is_digit(y[0])) {
      x.remove_prefix(std::min(x.find_first_not_of('0'), x.size()));
      y.remove_prefix(std::min(y.find_first_not_of('0'), y.size()));
      if (x.size() != y.size()) return x.size() < y.size();
    }
    if (x != y) return x < y;
  }
  if (left.empty() != right.empty()) return left.empty();
  return a < b;
}

/// Ends in .jpg, .jpeg, .png or .bmp, in any case, and does not start with a dot.
inline bool is_image_name(const std::filesystem::path& path) {
  if (path.filename().string().starts_with('.')) return false;
  std::string ending = path.extension().string();
  for (char& c : ending)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return ending == ".jpg" || ending == ".jpeg" || ending == ".png" || ending == ".bmp";
}

/// The pictures that lie in `folder` itself, in natural order of their names. Opens none of them; none are no error.
/// Errors: io (not a folder, cannot be read).
inline std::vector<std::filesystem::path> image_files(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code reason, ignored;
  const std::filesystem::directory_iterator end;
  for (std::filesystem::directory_iterator entry(folder, reason); !reason && entry != end; entry.increment(reason))
    if (is_image_name(entry->path()) && entry->is_regular_file(ignored)) names.push_back(entry->path().filename().string());
  if (reason) fail(ErrorCode::io, folder.string(), ": cannot read the folder: ", reason.message());
  std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return less_natural(a, b); });
  std::vector<std::filesystem::path> files;
  files.reserve(names.size());
  for (const std::string& name : names) files.push_back(folder / name);
  return files;
}

}  // namespace detrack
