// Damages a good safetensors file in ways that get past a reader's first check.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "detrack/core/rng.hpp"
#include "tests/support/craft.hpp"

namespace detrack::test {

/// Mutation number `index` of `good` under `seed`: the same on every machine. One to four damages on top of each other;
/// those of the header usually keep its length field true, or hardly any would reach the JSON and the checks behind it.
class Mutator {
 public:
  Mutator(Bytes good, std::uint64_t seed) : good_(std::move(good)), seed_(seed) {}

  Bytes operator()(std::uint64_t index) const {
    Philox random(seed_, index);
    State state{split(), random};
    const std::uint64_t count = 1 + random.below(2) * random.below(4);
    for (std::uint64_t i = 0; i < count; ++i) damage(state);
    return join(state);
  }

 private:
  struct Parts {
    std::string header, data;
    std::string length;          // eight bytes that replace the true length, or empty
    std::size_t cut = SIZE_MAX;  // the file ends here
  };
  struct State {
    Parts parts;
    Philox& random;
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(random.below(std::max<std::size_t>(n, 1))); }
  };

  Parts split() const {
    std::uint64_t length;
    std::memcpy(&length, good_.data(), 8);
    const std::string_view text(reinterpret_cast<const char*>(good_.data()), good_.size());
    return {std::string(text.substr(8, length)), std::string(text.substr(8 + length)), "", SIZE_MAX};
  }

  static Bytes join(const State& state) {
    std::string file = state.parts.length;
    if (file.empty()) {
      const std::uint64_t length = state.parts.header.size();
      file.assign(reinterpret_cast<const char*>(&length), 8);
    }
    file += state.parts.header + state.parts.data;
    return to_bytes(std::string_view(file).substr(0, state.parts.cut));
  }

  static void damage(State& state) {
    switch (state.below(13)) {
      case 0: return flip_bits(state, state.parts.header);
      case 1: return flip_bits(state, state.parts.data);
      case 2: return truncate(state);
      case 3: return insert_bytes(state);
      case 4: return copy_fragment(state);
      case 5: return erase_fragment(state);
      case 6: return replace_length(state);
      case 7: return replace_token(state);
      case 8: return resize_data(state);
      case 9: return move_range(state);
      default: return replace_number(state);  // the richest vein
    }
  }

  static void flip_bits(State& state, std::string& text) {
    if (text.empty()) return;
    for (std::size_t i = 0, count = 1 + state.below(4); i < count; ++i) {
      char& c = text[state.below(text.size())];
      c = static_cast<char>(static_cast<unsigned char>(c) ^ (1u << state.below(8)));
    }
  }

  static void truncate(State& state) {
    state.parts.cut = state.below(8 + state.parts.header.size() + state.parts.data.size());
  }

  static void insert_bytes(State& state) {
    static constexpr std::string_view kinds[] = {"{", "}",    "[",    "]",   "\"", "\\", ",",
                                                 ":", "null", "true", "1e9", "-",  " ",  "\\ud800"};
    std::string text;
    if (state.below(2))
      text = kinds[state.below(std::size(kinds))];
    else
      for (std::size_t i = 0, count = 1 + state.below(8); i < count; ++i) text += static_cast<char>(state.below(256));
    if (state.below(8) == 0) {  // nesting
      std::string deep;
      for (std::size_t i = 0, count = 1 + state.below(500); i < count; ++i) deep += text;
      text = deep;
    }
    state.parts.header.insert(state.below(state.parts.header.size() + 1), text);
  }

  static void copy_fragment(State& state) {
    std::string& header = state.parts.header;
    std::size_t from = state.below(header.size()), size = 1 + state.below(100), to = state.below(header.size() + 1);
    if (state.below(2)) {  // a whole entry, which makes a duplicate key, or a key in another object
      from = std::min(header.find(",\"", from), header.size());
      const std::size_t end = header.find(state.below(2) ? "}" : ",", std::min(from + 1, header.size()));
      size = end == std::string::npos ? size : end + 1 - from;
      to = std::min(header.find(",\"", to), header.size());
    }
    header.insert(to, header.substr(from, size));
  }

  static void erase_fragment(State& state) {
    std::string& header = state.parts.header;
    header.erase(state.below(header.size() + 1), 1 + state.below(state.below(2) ? 4 : 60));
  }

  static void replace_length(State& state) {
    const std::uint64_t honest = state.parts.header.size();
    const std::array<std::uint64_t, 8> values{
        0, 1, honest - 1, honest + 1, honest + state.parts.data.size(), std::uint64_t{1} << 26, UINT64_MAX, UINT64_MAX - 7};
    const std::uint64_t value = state.below(3) ? values[state.below(values.size())] : honest + state.below(64);
    state.parts.length.assign(reinterpret_cast<const char*>(&value), 8);
  }

  static void replace_token(State& state) {
    static constexpr std::string_view tokens[] = {
        "\"F32\"",          "\"F64\"", "\"BF16\"", "\"I64\"",          "\"U8\"", "\"F8_E4M3\"", "\"dtype\"", "\"shape\"",
        "\"data_offsets\"", "\"d\"",   "\"\"",     "\"__metadata__\"", "[]",     "{}",          "null"};
    std::string& header = state.parts.header;
    const std::size_t begin = std::min(header.find('"', state.below(header.size())), header.size());
    const std::size_t end = header.find('"', std::min(begin + 1, header.size()));
    if (end == std::string::npos) return;
    header.replace(begin, end + 1 - begin, tokens[state.below(std::size(tokens))]);
  }

  static void resize_data(State& state) {
    const std::size_t size = state.parts.data.size();
    state.parts.data.resize(state.below(2) ? state.below(size) : size + 1 + state.below(64), '\x7f');
  }

  /// Shifts a whole range, or gives it to another tensor: sizes stay right, so only holes and overlaps are wrong.
  static void move_range(State& state) {
    constexpr std::string_view key = "\"data_offsets\":[";
    std::string& header = state.parts.header;
    const std::size_t found = header.find(key, state.below(header.size()));
    if (found == std::string::npos) return;
    const std::size_t begin = found + key.size(), comma = header.find(',', begin), end = header.find(']', begin);
    if (comma >= end || end == std::string::npos || end - begin > 16) return;
    const long long shift = static_cast<long long>(state.below(33)) - 16;
    const long long from = std::atoll(header.c_str() + begin) + shift, to = std::atoll(header.c_str() + comma + 1) + shift;
    header.replace(begin, end - begin, std::to_string(from) + "," + std::to_string(to));
  }

  static void replace_number(State& state) {
    static constexpr std::string_view values[] = {"0",
                                                  "1",
                                                  "2",
                                                  "8",
                                                  "-1",
                                                  "-0",
                                                  "1.0",
                                                  "1e3",
                                                  "1e400",
                                                  "007",
                                                  "2147483648",
                                                  "4294967296",
                                                  "4611686018427387904",
                                                  "9223372036854775807",
                                                  "9223372036854775808",
                                                  "18446744073709551615",
                                                  "18446744073709551616",
                                                  "99999999999999999999999999999999999999"};
    std::string& header = state.parts.header;
    const std::size_t begin = header.find_first_of("0123456789", state.below(header.size()));
    if (begin == std::string::npos) return;
    const std::size_t end = std::min(header.find_first_not_of("0123456789", begin), header.size());
    std::string value(values[state.below(std::size(values))]);
    if (state.below(2)) {  // near the old value: one element more, one byte less
      const std::string old = header.substr(begin, std::min<std::size_t>(end - begin, 9));
      value = std::to_string(std::stoll(old) + static_cast<long long>(state.below(17)) - 8);
    }
    header.replace(begin, end - begin, value);
  }

  Bytes good_;
  std::uint64_t seed_;
};

}  // namespace detrack::test
