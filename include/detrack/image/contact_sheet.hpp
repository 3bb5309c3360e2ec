// Opt-in: many pictures on one, each with a caption.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/image/draw.hpp"
#include "detrack/image/image.hpp"
#include "detrack/image/resize.hpp"
#include "detrack/image/size.hpp"
#include "detrack/image/text.hpp"

namespace detrack {

/// Tiles of one size in rows under a title, in the order in which they are added. Keeps the pictures at their tile's size.
class ContactSheet {
 public:
  /// `columns` tiles in a row, letters of `scale` (see draw_text()). Errors: argument (sides of a tile outside [1,
  /// ImageView::kMaxSide], columns below 1, scale).
  explicit ContactSheet(std::string title, ImageSize tile = {320, 240}, int columns = 4, int scale = 2)
      : title_(std::move(title)), tile_(tile), columns_(columns), scale_(scale) {
    if (tile.width < 1 || tile.height < 1 || tile.width > ImageView::kMaxSide || tile.height > ImageView::kMaxSide)
      fail(ErrorCode::argument, "ContactSheet: tile: expected sides in [1, ", ImageView::kMaxSide, "], got ", tile.width,
           "x", tile.height);
    if (columns < 1) fail(ErrorCode::argument, "ContactSheet: columns: expected at least 1, got ", columns);
    detail::check_scale("ContactSheet", scale);
  }

  /// The picture is fitted into the tile whole. A caption that is too long is cut, and ends in two dots then.
  /// Errors: argument (an image without pixels).
  void add(const Image& picture, std::string caption, Colour colour = kCaption) {
    if (!picture) fail(ErrorCode::argument, "ContactSheet::add: picture: expected pixels, got an empty image");
    const ImageSize size = fit({picture.width(), picture.height()}, tile_);
    tiles_.push_back({resize(picture, size.width, size.height), std::move(caption), colour});
  }

  std::size_t size() const { return tiles_.size(); }

  /// Errors: argument (a side beyond ImageView::kMaxSide); std::bad_alloc.
  Image draw() const {
    const std::int64_t gap = 4 * scale_, line = text_size("", scale_).height;
    const std::int64_t columns = std::clamp<std::int64_t>(static_cast<std::int64_t>(tiles_.size()), 1, columns_);
    const std::int64_t rows = (static_cast<std::int64_t>(tiles_.size()) + columns - 1) / columns;
    const std::int64_t step_x = tile_.width + gap, step_y = tile_.height + line + 2 * gap, top = line + 2 * gap;
    Image sheet(gap + columns * step_x, top + rows * step_y);
    detail::fill(sheet, {0, 0, sheet.width(), sheet.height()}, kBackground, 256);
    draw_text(sheet, gap, gap, shortened(title_, sheet.width() - 2 * gap), kTitle, scale_);
    for (std::size_t i = 0; i < tiles_.size(); ++i) {
      const auto& [picture, caption, colour] = tiles_[i];
      const std::int64_t x = gap + static_cast<std::int64_t>(i) % columns * step_x;
      const std::int64_t y = top + static_cast<std::int64_t>(i) / columns * step_y;
      detail::fill(sheet, {x, y, x + tile_.width, y + tile_.height}, kEmpty, 256);
      draw_image(sheet, picture, x + (tile_.width - picture.width()) / 2, y + (tile_.height - picture.height()) / 2);
      draw_text(sheet, x, y + tile_.height + gap / 2, shortened(caption, tile_.width), colour, scale_);
    }
    return sheet;
  }

  static constexpr Colour kCaption{225, 225, 225};

 private:
  static constexpr Colour kBackground{28, 28, 32}, kEmpty{12, 12, 14}, kTitle{255, 220, 40};

  struct Tile {
    Image picture;
    std::string caption;
    Colour colour;
  };

  std::string shortened(std::string_view text, std::int64_t width) const {
    if (text_size(text, scale_).width <= width) return std::string(text);
    while (!text.empty() && text_size(text, scale_).width + text_size("..", scale_).width > width) text.remove_suffix(1);
    return std::string(text) + "..";
  }

  std::string title_;
  ImageSize tile_;
  int columns_, scale_;
  std::vector<Tile> tiles_;
};

}  // namespace detrack
