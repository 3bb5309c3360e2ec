// What kind of image file something is, by its first bytes and by its name.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace detrack {

namespace detail {

enum class FileType { jpeg, png, bmp, pnm, other };

inline FileType file_type(std::span<const std::byte> bytes) {
  const auto begins = [&](std::string_view magic) {
    if (bytes.size() < magic.size()) return false;
    for (std::size_t i = 0; i < magic.size(); ++i)
      if (bytes[i] != static_cast<std::byte>(magic[i])) return false;
    return true;
  };
  if (begins("\xff\xd8\xff")) return FileType::jpeg;
  if (begins("\x89PNG\r\n\x1a\n")) return FileType::png;
  if (begins("BM")) return FileType::bmp;
  if (begins("P5") || begins("P6")) return FileType::pnm;
  return FileType::other;
}

/// ASCII only: independent of the program's locale.
inline std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

}  // namespace detail

/// Whether the path ends in .png, in capitals or not.
inline bool has_png_extension(const std::filesystem::path& path) {
  return detail::lower_case(path.extension().string()) == ".png";
}
/// Whether the path ends in .jpg or .jpeg, in capitals or not.
inline bool has_jpeg_extension(const std::filesystem::path& path) {
  const std::string extension = detail::lower_case(path.extension().string());
  return extension == ".jpg" || extension == ".jpeg";
}

/// Whether the path ends like a file that load_image() reads: jpg, jpeg, png, bmp, ppm or pgm, in capitals or not.
inline bool has_image_extension(const std::filesystem::path& path) {
  const std::string extension = detail::lower_case(path.extension().string());
  for (const std::string_view known : {".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm"})
    if (extension == known) return true;
  return false;
}

}  // namespace detrack
