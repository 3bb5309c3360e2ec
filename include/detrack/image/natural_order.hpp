// The order in which people number files: img2 before img10.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace detrack {

/// Whether `a` comes before `b`: byte by byte, but runs of digits by their value, however long and however many zeros lead.
/// Names that differ only in such zeros are ordered as plain text, so that the order is total.
inline bool natural_less(std::string_view a, std::string_view b) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  /// The digits from `at` on without leading zeros; moves `at` behind them.
  const auto number = [&](std::string_view text, std::size_t& at) {
    while (at < text.size() && text[at] == '0') ++at;
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return text.substr(begin, at - begin);
  };
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      const std::string_view m = number(a, i), n = number(b, j);
      if (m.size() != n.size()) return m.size() < n.size();
      if (m != n) return m < n;
    } else {
      const auto c = static_cast<unsigned char>(a[i++]), d = static_cast<unsigned char>(b[j++]);
      if (c != d) return c < d;
    }
  }
  if (i < a.size() || j < b.size()) return i == a.size();
  return a < b;
}

}  // namespace detrack
