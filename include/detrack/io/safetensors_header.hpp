// The header of a safetensors file: reading it from bytes that nobody vouches for.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/dtype.hpp"
#include "detrack/core/error.hpp"
#include "detrack/io/guess_content.hpp"
#include "detrack/io/json.hpp"
#include "detrack/io/little_endian.hpp"
#include "detrack/io/quoted.hpp"
#include "detrack/io/weights_file.hpp"

namespace detrack {

namespace detail {

inline constexpr std::size_t kLengthBytes = 8;
inline constexpr std::uint64_t kMaxHeaderBytes = std::uint64_t{64} << 20;
inline constexpr std::string_view kMetadataKey = "__metadata__";

/// Takes the JSON parser's events one by one and throws at the first that does not belong. Nothing is nested deeper
/// than the format needs, so neither a tree nor a deep stack is ever built; maps are ordered, so no choice of names
/// makes them slow.
class HeaderEvents {
 public:
  HeaderEvents(const std::string& path, std::span<const std::byte> data) : path_(path), data_(data) {}

  WeightsContents take() {
    check_layout();
    WeightsContents contents;
    contents.metadata = std::move(metadata_);
    contents.tensors.reserve(tensors_.size());
    for (auto& [name, tensor] : tensors_) {
      tensor.name = name;
      contents.tensors.push_back(std::move(tensor));
    }
    return contents;
  }

  // The parser's interface (nlohmann::json_sax). All return true: failures throw.
  bool null() { return unexpected("null"); }
  bool boolean(bool) { return unexpected("true or false"); }
  bool number_integer(std::int64_t value) { return unexpected(std::to_string(value)); }  // only those with a minus sign
  bool number_float(double, const std::string& text) { return unexpected(escaped(text)); }
  bool binary(nlohmann::json::binary_t&) { return unexpected("binary data"); }

  bool number_unsigned(std::uint64_t value) {
    if (state_ == State::shape) {
      if (shape_.size() == kMaxFileRank) fail_here("expected a rank of at most ", kMaxFileRank);
      if (value > kMaxExtent) fail_here("expected extents of at most ", kMaxExtent, ", got ", value);
      shape_.push_back(static_cast<std::int64_t>(value));
    } else if (state_ == State::offsets) {
      if (offset_count_ == 2) fail_here("expected 2 numbers, got more");
      offsets_[offset_count_++] = value;
    } else {
      unexpected(std::to_string(value));
    }
    return true;
  }

  bool string(std::string& text) {
    if (state_ == State::metadata_value) {
      metadata_.at(metadata_key_) = std::move(text);
      state_ = State::metadata;
    } else if (state_ == State::dtype) {
      dtype_ = parse_dtype(text);
      state_ = State::tensor;
    } else {
      unexpected("the string " + in_quotes(text));
    }
    return true;
  }

  bool key(std::string& name) {
    if (state_ == State::root && name == kMetadataKey) {
      if (std::exchange(has_metadata_, true))
        fail(ErrorCode::format, path_, ": __metadata__: expected it once, got it again");
      state_ = State::metadata_object;
    } else if (state_ == State::root) {
      if (name.empty()) fail(ErrorCode::format, path_, ": expected tensors with names, got an empty name");
      const auto [at, is_new] = tensors_.try_emplace(std::move(name));
      tensor_ = &at->second, tensor_name_ = &at->first;
      if (!is_new) fail_here("expected unique names, got this one again");
      state_ = State::tensor_object;
    } else if (state_ == State::metadata) {
      if (!metadata_.try_emplace(name).second)
        fail(ErrorCode::format, path_, ": __metadata__: expected unique keys, got ", in_quotes(name), " again");
      metadata_key_ = std::move(name);
      state_ = State::metadata_value;
    } else {  // State::tensor: the parser reports keys in objects only
      if (name == "dtype")
        begin_field(State::dtype, has_dtype_, "dtype");
      else if (name == "shape")
        begin_field(State::shape_array, has_shape_, "shape");
      else if (name == "data_offsets")
        begin_field(State::offsets_array, has_offsets_, "data_offsets");
      else
        fail_here("expected only dtype, shape and data_offsets, got ", in_quotes(name));
    }
    return true;
  }

  bool start_object(std::size_t) {
    if (state_ == State::start)
      state_ = State::root;
    else if (state_ == State::metadata_object)
      state_ = State::metadata;
    else if (state_ == State::tensor_object)
      begin_tensor();
    else
      unexpected("an object");
    return true;
  }

  bool end_object() {
    if (state_ == State::tensor) end_tensor();
    state_ = state_ == State::root ? State::end : State::root;
    return true;
  }

  bool start_array(std::size_t) {
    if (state_ == State::shape_array)
      state_ = State::shape;
    else if (state_ == State::offsets_array)
      state_ = State::offsets;
    else
      unexpected("an array");
    return true;
  }

  bool end_array() {
    if (state_ == State::offsets && offset_count_ != 2) fail_here("expected 2 numbers, got ", offset_count_);
    state_ = State::tensor;
    return true;
  }

  template <class Exception>
  bool parse_error(std::size_t position, const std::string&, const Exception& error) {
    // The parser's text ends in a copy of the offending token, which may be as long as the header.
    const std::size_t byte = kLengthBytes + (position > 0 ? position - 1 : 0);  // the parser counts what it has read
    const std::string_view what = error.what();
    const auto begin = what.find("syntax error");
    fail(ErrorCode::format, path_, ": byte ", byte, ": expected a header of JSON, got ",
         escaped(begin == std::string_view::npos ? what : what.substr(begin), 160));
  }

 private:
  enum class State {  // where the parser is
    start,
    root,
    end,
    metadata_object,
    metadata,
    metadata_value,
    tensor_object,
    tensor,
    dtype,
    shape_array,
    shape,
    offsets_array,
    offsets
  };
  static constexpr auto kMaxExtent = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

  static const char* wanted(State state) {
    switch (state) {
      case State::start:
      case State::metadata_object:
      case State::tensor_object: return "an object";
      case State::metadata_value:
      case State::dtype: return "a string";
      case State::shape_array:
      case State::offsets_array: return "an array";
      case State::shape:
      case State::offsets: return "whole numbers from 0 on";
      default: return "a key";
    }
  }

  /// Throws with the place where the parser is: "<path>: tensor 'x': shape: ...".
  template <class... Parts>
  [[noreturn]] void fail_here(const Parts&... parts) const {
    const char* field = "";
    if (state_ == State::metadata_object) field = ": __metadata__";
    if (state_ == State::dtype) field = ": dtype";
    if (state_ == State::shape || state_ == State::shape_array) field = ": shape";
    if (state_ == State::offsets || state_ == State::offsets_array) field = ": data_offsets";
    std::string place;
    if (state_ == State::metadata_value)
      place = ": __metadata__: " + in_quotes(metadata_key_);
    else if (tensor_ && state_ != State::metadata_object)
      place = ": tensor " + in_quotes(*tensor_name_);
    fail(ErrorCode::format, path_, place, field, ": ", parts...);
  }

  bool unexpected(const std::string& got) const { fail_here("expected ", wanted(state_), ", got ", got); }

  void begin_field(State state, bool& seen, const char* name) {
    if (std::exchange(seen, true)) fail_here("expected one ", name, ", got it again");
    state_ = state;
  }

  void begin_tensor() {
    has_dtype_ = has_shape_ = has_offsets_ = false;
    shape_.clear();
    offset_count_ = 0;
    state_ = State::tensor;
  }

  DType parse_dtype(const std::string& text) const {
    std::string known;
    for (const DType type : kDTypes) {
      if (text == to_string(type)) return type;
      known += (known.empty() ? "" : ", ") + std::string(to_string(type));
    }
    fail_here("expected one of ", known, ", got ", in_quotes(text));
  }

  void end_tensor() {
    if (!has_dtype_ || !has_shape_ || !has_offsets_)
      fail_here("expected dtype, shape and data_offsets, got no ", !has_dtype_   ? "dtype"
                                                                   : !has_shape_ ? "shape"
                                                                                 : "data_offsets");
    const auto needed = size_in_bytes(dtype_, shape_);
    if (!needed) fail_here("shape: expected a size in bytes below 2^63, got ", to_string(shape_));
    const auto [begin, end] = std::pair(offsets_[0], offsets_[1]);
    if (begin > end || end > data_.size())
      fail_here("data_offsets: expected a range within the ", data_.size(), " bytes of data, got [", begin, ", ", end, ")");
    if (end - begin != *needed)
      fail_here("data_offsets: expected ", *needed, " bytes for ", to_string(dtype_), " ", to_string(shape_), ", got ",
                end - begin);
    tensor_->dtype = dtype_;
    tensor_->shape = shape_;
    tensor_->bytes = data_.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
  }

  /// Ranges must tile the data: no byte twice (two names for one memory), no byte unnamed (a place to hide things).
  void check_layout() const {
    std::vector<const std::pair<const std::string, TensorInfo>*> order;
    order.reserve(tensors_.size());
    for (const auto& entry : tensors_) order.push_back(&entry);
    const auto offset = [&](const TensorInfo& tensor) {
      return static_cast<std::size_t>(tensor.bytes.data() - data_.data());
    };
    std::sort(order.begin(), order.end(), [&](const auto* a, const auto* b) {
      const auto &x = a->second.bytes, &y = b->second.bytes;
      return std::pair(x.data(), x.size()) < std::pair(y.data(), y.size());  // an empty tensor before its neighbour
    });
    std::size_t covered = 0;
    for (const auto* entry : order) {
      const std::size_t begin = offset(entry->second);
      if (begin != covered)
        fail(ErrorCode::format, path_, ": tensor ", in_quotes(entry->first), ": data_offsets: expected it to begin at ",
             covered, ", where the one before ends, got ", begin, begin < covered ? " (an overlap)" : " (a hole)");
      covered += entry->second.bytes.size();
    }
    if (covered != data_.size())
      fail(ErrorCode::format, path_, ": expected the tensors to cover ", data_.size(), " bytes of data, got ", covered);
  }

  const std::string& path_;
  std::span<const std::byte> data_;
  State state_ = State::start;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, TensorInfo> tensors_;
  std::string metadata_key_;
  bool has_metadata_ = false;

  // The tensor being read.
  TensorInfo* tensor_ = nullptr;
  const std::string* tensor_name_ = nullptr;
  DType dtype_ = DType::f32;
  std::vector<std::int64_t> shape_;
  std::uint64_t offsets_[2] = {};
  int offset_count_ = 0;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
};

/// The contents of `file`, all bytes of a safetensors file. Errors: format. Cost: O(header log header), independent of the
/// data.
inline WeightsContents safetensors_contents(const std::string& path, std::span<const std::byte> file) {
  if (file.empty()) fail(ErrorCode::format, path, ": expected a safetensors file, got an empty file");
  if (file.size() < kLengthBytes)
    fail(ErrorCode::format, path, ": expected a safetensors file of at least ", kLengthBytes, " bytes, got ", file.size());
  const auto length = little_endian<std::uint64_t>(file, 0);
  if (length > kMaxHeaderBytes || length > file.size() - kLengthBytes) {
    const std::string guess = guess_content(file);
    if (!guess.empty()) fail(ErrorCode::format, path, ": expected a safetensors file, got ", guess);
    fail(ErrorCode::format, path, ": header length: expected at most ",
         std::min<std::uint64_t>(kMaxHeaderBytes, file.size() - kLengthBytes), ", got ", length);
  }
  const std::string_view json = as_text(file).substr(kLengthBytes, static_cast<std::size_t>(length));
  if (!json.starts_with('{'))
    fail(ErrorCode::format, path, ": byte ", kLengthBytes, ": expected a header that begins with {, got ",
         json.empty() ? "an empty header" : in_quotes(json.substr(0, 1)));
  // The JSON parser would take a NUL for the end of its input and ignore whatever follows.
  if (const auto nul = json.find('\0'); nul != std::string_view::npos)
    fail(ErrorCode::format, path, ": byte ", kLengthBytes + nul, ": expected a header of JSON, got a NUL byte");
  HeaderEvents events(path, file.subspan(kLengthBytes + json.size()));
  nlohmann::json::sax_parse(json.begin(), json.end(), &events);
  return events.take();
}

}  // namespace detail
}  // namespace detrack

DETRACK_INSTANTIATE(bool nlohmann::json::sax_parse(const char*, const char*, detrack::detail::HeaderEvents*,
                                                   nlohmann::json::input_format_t, bool, bool))
