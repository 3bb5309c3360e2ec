// Opt-in: image files, read and written with stb_image and stb_image_write (Debian: libstb-dev).
#pragma once

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/image/bmp_check.hpp"
#include "detrack/image/file_type.hpp"
#include "detrack/image/image.hpp"
#include "detrack/image/jpeg_check.hpp"
#include "detrack/image/limits.hpp"
#include "detrack/image/png_check.hpp"
#include "detrack/image/pnm.hpp"
#include "detrack/image/replace_file.hpp"
#include "detrack/image/stb_library.hpp"

namespace detrack {

namespace detail {

struct FreeBlock {
  void operator()(void* block) const { std::free(block); }
};

/// `size` is what the header, already checked, says.
inline Image decode_with_stb(std::span<const std::byte> bytes, std::string_view name, std::string_view type,
                             ImageSize size) {
  // The most that a block may need: JPEG pads to 32 pixels; PNG decompresses 8 bytes a pixel into a buffer that doubles, and
  // joins its compressed data in another.
  const auto padded = static_cast<std::size_t>((size.width + 64) * (size.height + 64));
  const StbBlockLimit limit(std::max(16 * padded, 2 * bytes.size()) + (1 << 20));
  stbi__g_failure_reason = "damaged";  // not all failures give their reason: this one, not that of an earlier image
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, FreeBlock> pixels(stbi_load_from_memory(
      reinterpret_cast<const stbi_uc*>(bytes.data()), static_cast<int>(bytes.size()), &width, &height, &channels, STBI_rgb));
  if (!pixels) fail(ErrorCode::format, name, ": ", type, " file: cannot be decoded: ", stbi_failure_reason());
  if (width != size.width || height != size.height)
    fail(ErrorCode::format, name, ": ", type, " file: expected ", size.width, "x", size.height, " pixels, got ", width, "x",
         height);
  Image image(width, height);
  std::memcpy(image.data(), pixels.get(), static_cast<std::size_t>(3 * size.width * size.height));
  return image;
}

/// Errors: io (cannot be opened or read), format (more than `most` bytes).
inline std::vector<std::byte> read_file(const std::filesystem::path& path, std::int64_t most) {
  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rb"), close);
  const auto fail_io = [&](const char* what, int reason) {
    fail(ErrorCode::io, path.string(), ": cannot ", what, ": ", std::generic_category().message(reason));
  };
  if (!file) fail_io("open", errno);
  std::error_code unknown;
  const auto expected = std::filesystem::file_size(path, unknown);  // a pipe has none
  std::vector<std::byte> bytes(unknown ? 1 << 16 : std::min<std::size_t>(expected, 1 << 26) + 1);
  for (std::size_t size = 0;;) {
    const std::size_t count = std::fread(bytes.data() + size, 1, bytes.size() - size, file.get());
    size += count;
    if (size > static_cast<std::size_t>(std::max<std::int64_t>(most, 0)))
      fail(ErrorCode::format, path.string(), ": expected a file of at most ", most, " bytes, got a larger one");
    if (size == bytes.size()) {
      bytes.resize(2 * size);
      continue;
    }
    if (std::ferror(file.get())) fail_io("read", errno);
    bytes.resize(size);
    return bytes;
  }
}

// Not inlined: g++ 12 takes the first insertion of a writer that it sees through for an overflow.
[[gnu::noinline]] inline void append_bytes(void* to, void* data, int size) {
  const auto* from = static_cast<const std::byte*>(data);
  static_cast<std::vector<std::byte>*>(to)->insert(static_cast<std::vector<std::byte>*>(to)->end(), from, from + size);
}

/// Errors: argument, for what stb_image_write would count wrongly.
inline void check_encodable(const char* function, const Image& image, std::int64_t max_side) {
  constexpr std::int64_t kMaxBytes = std::int64_t{1} << 29;
  if (!image) fail(ErrorCode::argument, function, ": image: expected pixels, got an empty image");
  if (image.width() > max_side || image.height() > max_side || (3 * image.width() + 1) * image.height() > kMaxBytes)
    fail(ErrorCode::argument, function, ": image: expected sides of at most ", max_side, " pixels and at most ", kMaxBytes,
         " bytes, got ", image.width(), "x", image.height());
}

}  // namespace detail

/// Decodes a JPEG (baseline or progressive), PNG, BMP (not compressed) or binary PGM or PPM image, whatever its name. Gray,
/// palettes and 16 bits become 8-bit RGB, alpha is dropped, and an orientation noted by a camera is not applied. A truncated
/// file is an error. `name` stands in messages. Errors: format; std::bad_alloc.
inline Image decode_image(std::span<const std::byte> bytes, std::string_view name, const ImageLimits& limits = {}) {
  using detail::FileType;
  if (bytes.empty()) fail(ErrorCode::format, name, ": expected an image, got an empty file");
  if (bytes.size() > INT_MAX || static_cast<std::int64_t>(bytes.size()) > limits.max_bytes)
    fail(ErrorCode::format, name, ": expected a file of at most ", std::min<std::int64_t>(limits.max_bytes, INT_MAX),
         " bytes, got ", bytes.size());
  switch (detail::file_type(bytes)) {
    case FileType::jpeg: return detail::decode_with_stb(bytes, name, "JPEG", detail::JpegCheck(limits)(bytes, name));
    case FileType::png: return detail::decode_with_stb(bytes, name, "PNG", detail::check_png(bytes, name, limits));
    case FileType::bmp: return detail::decode_with_stb(bytes, name, "BMP", detail::check_bmp(bytes, name, limits));
    case FileType::pnm: return detail::decode_pnm(bytes, name, limits);
    case FileType::other: break;
  }
  fail(ErrorCode::format, name, ": expected a JPEG, PNG, BMP, PGM or PPM image, got a file that begins like none of them");
}

/// The same from a file. Errors: io, format; each names the file. std::bad_alloc.
inline Image load_image(const std::filesystem::path& path, const ImageLimits& limits = {}) {
  return decode_image(detail::read_file(path, std::min<std::int64_t>(limits.max_bytes, INT_MAX)), path.string(), limits);
}

/// Errors: argument (an empty image, one of more than 2^29 bytes); std::bad_alloc.
inline std::vector<std::byte> encode_png(const Image& image) {
  detail::check_encodable("encode_png", image, ImageView::kMaxSide);
  const int width = static_cast<int>(image.width()), height = static_cast<int>(image.height());
  std::vector<std::byte> bytes;
  stbi_write_png_to_func(detail::append_bytes, &bytes, width, height, 3, image.data(), 3 * width);
  return bytes;
}

/// Baseline, of quality 1 to 100; up to 90 with colours of half the resolution. Errors: argument (an empty image, sides
/// above 65535, more than 2^29 bytes, a quality out of its range).
inline std::vector<std::byte> encode_jpeg(const Image& image, int quality = 90) {
  detail::check_encodable("encode_jpeg", image, 65535);
  if (quality < 1 || quality > 100) fail(ErrorCode::argument, "encode_jpeg: quality: expected 1 to 100, got ", quality);
  const int width = static_cast<int>(image.width()), height = static_cast<int>(image.height());
  std::vector<std::byte> bytes;
  stbi_write_jpg_to_func(detail::append_bytes, &bytes, width, height, 3, image.data(), quality);
  return bytes;
}

/// Writes a PNG or a JPEG file (of `quality`), as the path's extension says. The file appears whole or, on a full disk, not
/// at all. Errors: argument (another extension, as encode_jpeg()), io.
inline void save_image(const std::filesystem::path& path, const Image& image, int quality = 90) {
  if (has_png_extension(path)) return detail::replace_file(path, encode_png(image));
  if (has_jpeg_extension(path)) return detail::replace_file(path, encode_jpeg(image, quality));
  fail(ErrorCode::argument, "save_image: ", path.string(), ": expected a name that ends in .png, .jpg or .jpeg");
}

}  // namespace detrack
