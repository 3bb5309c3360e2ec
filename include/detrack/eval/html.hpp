// Text, numbers and bytes as parts of an HTML page.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "detrack/eval/fixed.hpp"

namespace detrack::detail {

/// Length of the well-formed UTF-8 character that `text` starts with; 0 if there is none, or if it is a control character.
inline std::size_t utf8_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7f ? 1 : 0;
  const std::size_t length = lead >= 0xc2 && lead < 0xe0   ? 2
                             : (lead & 0xf0) == 0xe0       ? 3
                             : lead >= 0xf0 && lead < 0xf5 ? 4
                                                           : 0;
  std::uint32_t code = lead & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3fu);
  }
  const std::uint32_t least = length == 3 ? 0x800 : length == 4 ? 0x10000 : 0xa0;  // below: too long, or a control character
  return code >= least && code < 0x110000 && (code < 0xd800 || code >= 0xe000) ? length : 0;
}

/// Text from outside as HTML text or as an attribute's value in double quotes: markup is escaped, what is no printable
/// UTF-8 becomes U+FFFD, and no more than `limit` characters are taken.
inline std::string html_text(std::string_view text, std::size_t limit = 200) {
  std::string out;
  for (; !text.empty(); --limit) {
    if (limit == 0) return out + "\u2026";
    const std::size_t length = utf8_character(text);
    switch (text[0]) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: length > 0 ? out += text.substr(0, length) : out += "\ufffd";
    }
    text.remove_prefix(length > 0 ? length : 1);
  }
  return out;
}

/// A score for people: "0.664", or an en dash where there is nothing to score.
inline std::string html_number(double value, int decimals = 3) {
  return std::isfinite(value) ? fixed(value, decimals) : "\u2013";
}

/// RFC 4648, for data URIs.
inline std::string base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t k) {
      return i + k < bytes.size() ? static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i + k])) : 0u;
    };
    const std::uint32_t three = byte(0) << 16 | byte(1) << 8 | byte(2);
    out += digits[three >> 18];
    out += digits[three >> 12 & 63];
    out += i + 1 < bytes.size() ? digits[three >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? digits[three & 63] : '=';
  }
  return out;
}

}  // namespace detrack::detail
