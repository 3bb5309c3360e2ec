// The header of a NumPy array: type, order and shape, written as a dictionary of Python.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/dtype.hpp"
#include "detrack/core/error.hpp"
#include "detrack/io/guess_content.hpp"
#include "detrack/io/little_endian.hpp"
#include "detrack/io/quoted.hpp"
#include "detrack/io/tensor_info.hpp"

namespace detrack::detail {

struct NpyHeader {
  DType dtype = DType::f32;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
  std::size_t size = 0;         ///< of the header: the elements begin there
  std::uint64_t data_size = 0;  ///< of the elements, bytes
};

/// Reads the header of a .npy file, format versions 1 to 3 (numpy.lib.format's documentation). `bytes` begin with it and
/// hold at least kMaxNpyHeader of the file, or all of it.
class NpyHeaderReader {
 public:
  /// `where` begins messages.
  NpyHeaderReader(std::string where, std::span<const std::byte> bytes) : where_(std::move(where)), bytes_(bytes) {}

  /// Errors: format.
  NpyHeader read() {
    constexpr std::size_t kPrefix = kNpyMagic.size() + 2;
    if (!as_text(bytes_).starts_with(kNpyMagic)) {
      const std::string guess = guess_content(bytes_);
      fail_here("expected a NumPy array, got ", guess.empty() ? "something else" : guess);
    }
    if (bytes_.size() < kPrefix) fail_here("expected a version, got the end");
    const auto version = std::to_integer<int>(bytes_[kNpyMagic.size()]);
    if (version < 1 || version > 3) fail_here("expected version 1, 2 or 3, got ", version);
    const std::size_t length_bytes = version == 1 ? 2 : 4;
    if (bytes_.size() - kPrefix < length_bytes) fail_here("expected the header's length, got the end");
    const std::size_t length =
        version == 1 ? little_endian<std::uint16_t>(bytes_, kPrefix) : little_endian<std::uint32_t>(bytes_, kPrefix);
    header_.size = kPrefix + length_bytes + length;
    if (length > kMaxNpyHeader - kPrefix - length_bytes || header_.size > bytes_.size())
      fail_here("expected a header within ", std::min(bytes_.size(), kMaxNpyHeader), " bytes, got ", length, " bytes");
    text_ = as_text(bytes_).substr(kPrefix + length_bytes, length);
    read_dictionary();
    const auto size = size_in_bytes(header_.dtype, header_.shape);
    if (!size) fail_here("shape: expected a size in bytes below 2^63, got ", to_string(header_.shape));
    header_.data_size = *size;
    return header_;
  }

  /// Many times the longest that the known types and eight extents could need.
  static constexpr std::size_t kMaxNpyHeader = 4096;

 private:
  template <class... Parts>
  [[noreturn]] void fail_here(const Parts&... parts) const {
    fail(ErrorCode::format, where_, ": ", parts...);
  }

  void skip_blanks() { text_.remove_prefix(std::min(text_.find_first_not_of(" \t\n"), text_.size())); }
  bool skip(std::string_view word) {
    skip_blanks();
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }
  void expect(std::string_view word) {
    if (!skip(word)) fail_here("header: expected ", word, ", got ", in_quotes(text_.substr(0, 20)));
  }
  std::string_view read_string() {
    skip_blanks();
    const char quote = text_.empty() ? ' ' : text_[0];
    const std::size_t end = quote == '\'' || quote == '"' ? text_.find(quote, 1) : text_.npos;
    if (end == text_.npos) fail_here("header: expected a string, got ", in_quotes(text_.substr(0, 20)));
    const std::string_view word = text_.substr(1, end - 1);
    text_.remove_prefix(end + 1);
    return word;
  }

  void read_dictionary() {
    bool has_type = false, has_order = false, has_shape = false;
    expect("{");
    while (!skip("}")) {
      const std::string_view key = read_string();
      expect(":");
      if (key == "descr" && !std::exchange(has_type, true))
        read_type();
      else if (key == "fortran_order" && !std::exchange(has_order, true))
        header_.fortran_order = read_truth();
      else if (key == "shape" && !std::exchange(has_shape, true))
        read_shape();
      else
        fail_here("header: expected descr, fortran_order and shape, once each, got ", in_quotes(key));
      if (!skip(",")) {
        expect("}");
        break;
      }
    }
    skip_blanks();
    if (!text_.empty()) fail_here("header: expected its end, got ", in_quotes(text_.substr(0, 20)));
    if (!has_type || !has_order || !has_shape)
      fail_here("header: expected descr, fortran_order and shape, got no ", !has_type    ? "descr"
                                                                            : !has_order ? "fortran_order"
                                                                                         : "shape");
  }

  bool read_truth() {
    if (skip("True")) return true;
    expect("False");
    return false;
  }

  void read_type() {
    skip_blanks();
    if (text_.starts_with("[")) fail_here("descr: expected numbers, got records of several fields");
    const std::string_view type = read_string();
    if (const auto known = dtype_of(type)) {
      header_.dtype = *known;
      return;
    }
    const char kind = type.size() > 1 ? type[1] : ' ';
    const char* why = type.starts_with(">") ? " (big-endian numbers)"
                      : kind == 'O'         ? " (Python objects, which only Python could read)"
                      : kind == 'V'         ? " (bytes of unknown meaning, as NumPy stores bfloat16)"
                      : kind == 'c'         ? " (complex numbers)"
                                            : "";
    fail_here("descr: expected little-endian floats, integers or truth values, got ", in_quotes(type), why);
  }
  static std::optional<DType> dtype_of(std::string_view type) {
    if (type.size() != 3) return {};
    static constexpr std::pair<std::string_view, DType> known[] = {
        {"f8", DType::f64}, {"f4", DType::f32}, {"f2", DType::f16}, {"i8", DType::i64},
        {"i4", DType::i32}, {"i2", DType::i16}, {"u8", DType::u64}, {"u4", DType::u32},
        {"u2", DType::u16}, {"i1", DType::i8},  {"u1", DType::u8},  {"b1", DType::boolean}};
    for (const auto& [name, dtype] : known)
      if (type.substr(1) == name && (type[0] == '<' || (type[0] == '|' && size_of(dtype) == 1))) return dtype;
    return {};
  }

  void read_shape() {
    expect("(");
    while (!skip(")")) {
      if (header_.shape.size() == kMaxFileRank) fail_here("shape: expected a rank of at most ", kMaxFileRank, ", got more");
      header_.shape.push_back(read_extent());
      skip("L");  // as Python 2 writes long integers
      if (!skip(",")) {
        expect(")");
        break;
      }
    }
  }
  std::int64_t read_extent() {
    skip_blanks();
    const std::size_t digits = std::min(text_.find_first_not_of("0123456789"), text_.size());
    std::int64_t value = 0;
    for (const char digit : text_.substr(0, digits)) {
      if (value > (std::numeric_limits<std::int64_t>::max() - 9) / 10)
        fail_here("shape: expected extents below 2^63, got more");
      value = 10 * value + (digit - '0');
    }
    if (digits == 0) fail_here("shape: expected an extent, got ", in_quotes(text_.substr(0, 20)));
    text_.remove_prefix(digits);
    return value;
  }

  std::string where_;
  std::span<const std::byte> bytes_;
  std::string_view text_;  ///< what is left of the dictionary
  NpyHeader header_;
};

}  // namespace detrack::detail
