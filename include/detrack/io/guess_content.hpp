// What a file seems to be, for the message of the reader that cannot read it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "detrack/io/little_endian.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack::detail {

/// "PK" and one of the two records that an archive begins with: a member, or the end of one without members.
inline bool is_zip(std::string_view bytes) {
  return bytes.starts_with("PK\x03\x04") || bytes.starts_with("PK\x05\x06");
}
inline constexpr std::string_view kNpyMagic = "\x93NUMPY";
/// The opcode that begins a pickle of protocol 2 or newer, and the protocol.
inline bool is_pickle(std::string_view bytes) {
  return bytes.size() >= 2 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5;
}

/// Empty if there is no telling.
inline std::string guess_content(std::span<const std::byte> file) {
  const std::string_view bytes = as_text(file);
  if (bytes.empty()) return "an empty file";
  if (bytes.starts_with("version https://git-lfs"))
    return "a Git LFS pointer (the file itself was not fetched: run git lfs pull)";
  if (is_zip(bytes)) return "a zip archive (perhaps a PyTorch checkpoint, or NumPy's npz)";
  if (bytes.starts_with(kNpyMagic)) return "a NumPy array";
  if (is_pickle(bytes)) return "a pickle (perhaps a PyTorch checkpoint)";
  if (bytes.starts_with("\x89HDF\r\n")) return "an HDF5 file (perhaps of Keras)";
  if (bytes.starts_with("GGUF")) return "a GGUF file";
  if (bytes.starts_with("\x1f\x8b")) return "data packed by gzip (unpack them first)";
  if (bytes.starts_with("\xfd"
                        "7zXZ"))
    return "data packed by xz (unpack them first)";
  if (bytes.starts_with("\x28\xb5\x2f\xfd")) return "data packed by zstd (unpack them first)";
  if (bytes.size() > 262 && bytes.substr(257, 5) == "ustar")
    return "a tar archive (unpack it first; PyTorch before 0.2 wrote such checkpoints, which are not read)";
  const std::string_view head = bytes.substr(0, 24);
  const bool is_text = std::all_of(head.begin(), head.end(),
                                   [](char c) { return (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\r' || c == '\t'; });
  return is_text ? "a text file that begins with " + in_quotes(head) : "";
}

}  // namespace detrack::detail
