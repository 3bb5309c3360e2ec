// Opt-in: short texts on images, in stb_easy_font's bitmap letters (Debian: libstb-dev).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wcast-align"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#include <stb/stb_easy_font.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#include "detrack/core/error.hpp"
#include "detrack/image/draw.hpp"
#include "detrack/image/image.hpp"
#include "detrack/image/size.hpp"

namespace detrack {

namespace detail {

constexpr std::int64_t kLetterHeight = 9;  ///< capitals take the upper seven rows

/// A letter as a string of its own; '?' in the place of what the font has not (all but printable ASCII).
struct Letter {
  char text[2];
  explicit Letter(char c) : text{c >= ' ' && c <= '~' ? c : '?', '\0'} {}
  std::int64_t width() { return stb_easy_font_width(text); }
};

inline void check_scale(const char* function, int scale) {
  if (scale < 1 || scale > 1000) fail(ErrorCode::argument, function, ": scale: expected 1 to 1000, got ", scale);
}

}  // namespace detail

/// The pixels that draw_text() takes: one line, each pixel of a letter a square of `scale` pixels. Errors: argument (scale).
inline ImageSize text_size(std::string_view text, int scale = 1) {
  detail::check_scale("text_size", scale);
  std::int64_t width = 0;
  for (const char c : text) width += detail::Letter(c).width();
  return {width * scale, detail::kLetterHeight * scale};
}

/// One line of text whose top left corner is pixel (x, y); what lies outside the image is left out. Everything but printable
/// ASCII shows as '?', one for each byte. Errors: argument (scale).
inline void draw_text(Image& image, std::int64_t x, std::int64_t y, std::string_view text, Colour colour, int scale = 1) {
  detail::check_scale("draw_text", scale);
  constexpr std::int64_t far = 2 * ImageView::kMaxSide;
  x = std::clamp(x, -far, far), y = std::clamp(y, -far, far);
  for (const char c : text) {
    if (x > image.width()) return;
    detail::Letter letter(c);
    char quads[16 * 64];  // a quad is four vertices of x, y, z and a colour, 4 bytes each; no letter has more than 11
    const int count = stb_easy_font_print(0, 0, letter.text, nullptr, quads, sizeof quads);
    for (int i = 0; i < count; ++i) {
      const auto corner = [&](int vertex, int axis) {
        float at;
        std::memcpy(&at, quads + 64 * i + 16 * vertex + 4 * axis, sizeof at);
        return static_cast<std::int64_t>(at) * scale;
      };
      detail::fill(image, {x + corner(0, 0), y + corner(0, 1), x + corner(2, 0), y + corner(2, 1)}, colour, 256);
    }
    x += letter.width() * scale;
  }
}

/// The same on a filled rectangle, half a letter wider on each side, whose top left corner is pixel (x, y). Returns its
/// size. Errors: argument (scale).
inline ImageSize draw_label(Image& image, std::int64_t x, std::int64_t y, std::string_view text, Colour colour,
                            Colour background, int scale = 1) {
  const ImageSize size = text_size(text, scale), label{size.width + 5 * scale, size.height + 4 * scale};
  fill_rectangle(
      image,
      {static_cast<double>(x), static_cast<double>(y), static_cast<double>(label.width), static_cast<double>(label.height)},
      background);
  constexpr std::int64_t far = 2 * ImageView::kMaxSide;
  draw_text(image, std::clamp(x, -far, far) + 3 * scale, std::clamp(y, -far, far) + 3 * scale, text, colour, scale);
  return label;
}

}  // namespace detrack
