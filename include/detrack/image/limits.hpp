// How large an image a file may hold: checked before anything is decoded.
#pragma once

#include <cstdint>
#include <string_view>

#include "detrack/core/error.hpp"
#include "detrack/image/image.hpp"
#include "detrack/image/size.hpp"

namespace detrack {

struct ImageLimits {
  std::int64_t max_pixels = std::int64_t{1} << 27;  ///< 15360x8640 passes, 16384x16384 does not
  std::int64_t max_bytes = std::int64_t{1} << 30;   ///< of the file; never more than 2^31 - 1
};

namespace detail {

/// Errors: format, for what a header says about an image that is empty or too large.
inline ImageSize check_size(std::string_view name, std::int64_t width, std::int64_t height, const ImageLimits& limits) {
  if (width < 1 || height < 1)
    fail(ErrorCode::format, name, ": size: expected at least 1x1 pixels, got ", width, "x", height);
  if (width > ImageView::kMaxSide || height > ImageView::kMaxSide)
    fail(ErrorCode::format, name, ": size: expected sides of at most ", ImageView::kMaxSide, " pixels, got ", width, "x",
         height);
  if (width * height > limits.max_pixels)
    fail(ErrorCode::format, name, ": size: expected at most ", limits.max_pixels, " pixels, got ", width, "x", height, " (",
         width * height, " pixels)");
  return {width, height};
}

}  // namespace detail

}  // namespace detrack
