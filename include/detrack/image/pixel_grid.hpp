// Opt-in: a frame under a labelled grid, from which a person reads off a box.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "detrack/core/error.hpp"
#include "detrack/image/convert.hpp"
#include "detrack/image/draw.hpp"
#include "detrack/image/image.hpp"
#include "detrack/image/text.hpp"

namespace detrack {

namespace detail {

/// Every pixel as a square of `factor` pixels, its edges where they were.
inline Image magnify(const Image& image, std::int64_t factor) {
  Image out(factor * image.width(), factor * image.height());
  for (std::int64_t y = 0; y < out.height(); ++y)
    for (std::int64_t x = 0; x < out.width(); ++x) std::memcpy(out.pixel(y, x), image.pixel(y / factor, x / factor), 3);
  return out;
}

/// A line at every `fine` pixels of the frame, a stronger one with a label at every `coarse`.
struct GridSteps {
  std::int64_t fine, coarse;
};

/// The smallest round steps whose labels are at least `room` pixels of the frame apart.
inline GridSteps grid_steps(std::int64_t room) {
  for (std::int64_t unit = 1;; unit *= 10)
    for (const GridSteps steps : {GridSteps{1, 5}, GridSteps{2, 10}, GridSteps{5, 20}, GridSteps{5, 25}})
      if (unit * steps.coarse >= room) return {unit * steps.fine, unit * steps.coarse};
}

/// Draws a frame with margins for the labels, and the lines.
class PixelGrid {
 public:
  explicit PixelGrid(const Image& frame)
      : frame_(frame),
        factor_(std::clamp<std::int64_t>(kScreen / longer_side(), 1, kMaxFactor)),
        scale_(static_cast<int>(std::clamp<std::int64_t>(factor_ * longer_side() / 900, 2, 1000))),
        label_(text_size(std::to_string(longer_side()), scale_)),
        steps_(grid_steps((label_.width + 8 * scale_ + factor_ - 1) / factor_)),
        left_(label_.width + 2 * tick()),
        top_(2 * label_.height + 3 * tick()) {}

  Image draw() const {
    Image out(width() + 2 * left_, top_ + height() + label_.height + 2 * tick());
    fill(out, {0, 0, out.width(), out.height()}, kMargin, 256);
    draw_image(out, factor_ == 1 ? frame_ : magnify(frame_, factor_), left_, top_);
    for (std::int64_t x = 0; x <= frame_.width(); x += steps_.fine) line(out, x, true);
    for (std::int64_t y = 0; y <= frame_.height(); y += steps_.fine) line(out, y, false);
    for (std::int64_t x = 0; x <= frame_.width(); x += steps_.coarse) label(out, x, true);
    for (std::int64_t y = 0; y <= frame_.height(); y += steps_.coarse) label(out, y, false);
    title(out);
    return out;
  }

 private:
  static constexpr std::int64_t kScreen = 1600, kMaxFactor = 24;  ///< pixels that a magnified frame may take; magnification
  static constexpr Colour kMargin{28, 28, 32}, kText{235, 235, 235}, kFine{255, 255, 255}, kShadow{0, 0, 0};

  std::int64_t longer_side() const { return std::max(frame_.width(), frame_.height()); }
  std::int64_t width() const { return factor_ * frame_.width(); }
  std::int64_t height() const { return factor_ * frame_.height(); }
  std::int64_t tick() const { return 3 * scale_; }
  std::int64_t thickness() const { return scale_ / 2; }

  /// Of a labelled line and its labels. They alternate, so that an eye that follows a line does not slip to the next.
  Colour colour(std::int64_t at) const { return at / steps_.coarse % 2 == 0 ? Colour{255, 220, 40} : Colour{90, 225, 255}; }

  /// A line beside its shadow shows on any background.
  void line(Image& out, std::int64_t at, bool vertical) const {
    const bool coarse = at % steps_.coarse == 0;
    const auto stroke = [&](std::int64_t shift, Colour c, int opacity) {
      const std::int64_t from = (vertical ? left_ : top_) + factor_ * at + shift, to = from + thickness();
      fill(out,
           vertical ? PixelRectangle{from, top_, to, top_ + height()} : PixelRectangle{left_, from, left_ + width(), to}, c,
           opacity);
    };
    stroke(0, coarse ? colour(at) : kFine, coarse ? 150 : 70);
    stroke(thickness(), kShadow, coarse ? 90 : 45);
  }

  /// On both sides of the frame, with a tick.
  void label(Image& out, std::int64_t at, bool vertical) const {
    const std::string text = std::to_string(at);
    const Colour c = colour(at);
    const std::int64_t digits = text_size(text, scale_).width - 2 * scale_, capital = 7 * scale_;  // without the gap behind
    const std::int64_t right = left_ + width(), bottom = top_ + height();
    if (vertical) {
      const std::int64_t x = left_ + factor_ * at, from = x + (thickness() - digits) / 2;
      fill(out, {x, top_ - tick(), x + thickness(), top_}, c, 256);
      fill(out, {x, bottom, x + thickness(), bottom + tick()}, c, 256);
      draw_text(out, from, top_ - tick() - capital - scale_, text, c, scale_);
      draw_text(out, from, bottom + tick() + scale_, text, c, scale_);
    } else {
      const std::int64_t y = top_ + factor_ * at, from = y + (thickness() - capital) / 2;
      fill(out, {left_ - tick(), y, left_, y + thickness()}, c, 256);
      fill(out, {right, y, right + tick(), y + thickness()}, c, 256);
      draw_text(out, left_ - tick() - scale_ - digits, from, text, c, scale_);
      draw_text(out, right + tick() + scale_, from, text, c, scale_);
    }
  }

  /// As much as there is room for.
  void title(Image& out) const {
    const std::string size = std::to_string(frame_.width()) + " x " + std::to_string(frame_.height()) + " pixels";
    const std::string steps = size + ", lines every " + std::to_string(steps_.fine);
    for (const std::string& text : {steps + ". A box is x,y,w,h: left, top, width, height.", steps, size})
      if (left_ + text_size(text, scale_).width <= out.width()) return draw_text(out, left_, tick(), text, kText, scale_);
  }

  const Image& frame_;
  std::int64_t factor_;
  int scale_;  ///< of the letters
  ImageSize label_;
  GridSteps steps_;
  std::int64_t left_, top_;  ///< margins
};

}  // namespace detail

/// The frame with lines over it and, along all edges, the coordinates of the stronger lines in pixels of the frame: x to the
/// right, y downwards; line 100 is the left (upper) edge of pixel 100. Labels have the colours of their lines. Small frames
/// are magnified by a whole factor. Errors: argument (a view of nothing); std::bad_alloc.
inline Image pixel_grid(const ImageView& frame) {
  const Image picture = to_rgb(frame);
  return detail::PixelGrid(picture).draw();
}

}  // namespace detrack
