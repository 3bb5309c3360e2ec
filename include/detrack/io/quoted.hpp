// How strings from outside files may appear in messages: short, on one line, printable.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace detrack::detail {

/// `text` as printable ASCII: other bytes, quotes and backslashes as \xNN, cut to `limit` bytes of input. What a hostile
/// file contains must not reach a terminal or a log as escape sequences or as megabytes.
inline std::string escaped(std::string_view text, std::size_t limit = 80) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const char c : text.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\'' && c != '\\') {
      out += c;
    } else {
      out += "\\x";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  if (text.size() > limit) out += "... (" + std::to_string(text.size()) + " bytes)";
  return out;
}

/// The same in single quotes.
inline std::string in_quotes(std::string_view text) {
  return "'" + escaped(text) + "'";
}

}  // namespace detrack::detail
