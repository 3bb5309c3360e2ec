// Reading the headers of image files: never beyond their end, and with a word for files that end early.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "detrack/core/error.hpp"

namespace detrack::detail {

/// A position in the bytes of a file, or of a part of it. Reading past their end is an error (format).
class FileBytes {
 public:
  /// `name` of the file and `what` the bytes are ("JPEG file") stand in messages; they stay with the caller.
  FileBytes(std::span<const std::byte> bytes, std::string_view name, std::string_view what)
      : bytes_(bytes), name_(name), what_(what) {}

  std::string_view name() const { return name_; }
  std::size_t left() const { return bytes_.size() - at_; }

  std::uint8_t u8() {
    need(1);
    return static_cast<std::uint8_t>(bytes_[at_++]);
  }
  /// Up to four bytes, the most significant first.
  std::uint32_t big_endian(int count) {
    std::uint32_t value = 0;
    for (int i = 0; i < count; ++i) value = value << 8 | u8();
    return value;
  }
  /// Up to four bytes, the least significant first.
  std::uint32_t little_endian(int count) {
    std::uint32_t value = 0;
    for (int i = 0; i < count; ++i) value |= static_cast<std::uint32_t>(u8()) << 8 * i;
    return value;
  }
  void skip(std::size_t count) {
    need(count);
    at_ += count;
  }
  /// The next `count` bytes, to be read on their own.
  FileBytes take(std::size_t count, std::string_view what) {
    need(count);
    at_ += count;
    return {bytes_.subspan(at_ - count, count), name_, what};
  }
  /// The bytes that are left.
  std::span<const std::byte> rest() const { return bytes_.subspan(at_); }

  void need(std::size_t count) const {
    if (count > left()) refuse("expected ", at_ + count, " bytes or more, got ", bytes_.size(), ": truncated");
  }
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail(ErrorCode::format, name_, ": ", what_, ": ", parts...);
  }

 private:
  std::span<const std::byte> bytes_;
  std::string_view name_, what_;
  std::size_t at_ = 0;
};

}  // namespace detrack::detail
