// Deflated data back into what they were, piece by piece (RFC 1951).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/io/little_endian.hpp"

namespace detrack::detail {

/// A Huffman code as deflate defines it: of the lengths of the symbols' codes alone (RFC 1951, 3.2.2).
class HuffmanCode {
 public:
  static constexpr int kMaxBits = 15;
  struct Entry {
    std::uint16_t symbol = 0;
    std::uint8_t bits = 0;  ///< 0: no code begins like this
  };

  /// False if the lengths (0: unused) are more than a code has room for.
  bool assign(std::span<const std::uint8_t> lengths) {
    std::array<std::uint32_t, kMaxBits + 2> count{}, next{};
    for (const std::uint8_t length : lengths) ++count[length];
    count[0] = 0;
    bits_ = 1;
    std::uint32_t code = 0;
    for (int bits = 1; bits <= kMaxBits; ++bits) {
      code = (code + count[static_cast<std::size_t>(bits) - 1]) << 1;
      next[static_cast<std::size_t>(bits)] = code;
      if (code + count[static_cast<std::size_t>(bits)] > (1u << bits)) return false;
      if (count[static_cast<std::size_t>(bits)] > 0) bits_ = bits;
    }
    table_.assign(std::size_t{1} << bits_, Entry{});
    for (std::size_t symbol = 0; symbol < lengths.size(); ++symbol) {
      const std::uint8_t length = lengths[symbol];
      if (length == 0) continue;
      std::uint32_t reversed = 0;  // codes come with their highest bit first, everything else with its lowest
      for (std::uint32_t value = next[length]++, bit = 0; bit < length; ++bit)
        reversed |= ((value >> bit) & 1u) << (length - 1 - bit);
      for (std::size_t at = reversed; at < table_.size(); at += std::size_t{1} << length)
        table_[at] = {static_cast<std::uint16_t>(symbol), length};
    }
    return true;
  }

  /// The code that `ahead`, the next bits of the stream, begin with.
  Entry find(std::uint64_t ahead) const { return table_[ahead & ((std::uint64_t{1} << bits_) - 1)]; }

 private:
  int bits_ = 1;
  std::vector<Entry> table_ = std::vector<Entry>(2);  ///< by the next bits_ bits
};

/// Inflates a stream that is whole in memory, as much at a time as asked for. It needs about 300 kB whatever the stream
/// says.
class Inflater {
 public:
  /// `where` begins messages.
  Inflater(std::string where, std::span<const std::byte> stream) : where_(std::move(where)), in_(stream) {}

  /// The next out.size() bytes, fewer only where the stream ends. Errors: format.
  std::size_t read(std::span<std::byte> out) {
    std::size_t done = 0;
    while (done < out.size() && state_ != State::end) {
      switch (state_) {
        case State::header: begin_block(); break;
        case State::stored: done += copy_stored(out.subspan(done)); break;
        case State::match: done += copy_match(out.subspan(done)); break;
        case State::codes: done += decode(out.subspan(done)); break;
        case State::end: break;
      }
    }
    return done;
  }

  /// Whether nothing follows. Reads on as far as it must to know. Errors: format.
  bool at_end() {
    std::byte one;
    return state_ == State::end || read({&one, 1}) == 0;
  }

 private:
  enum class State { header, stored, codes, match, end };
  static constexpr std::size_t kWindow = 1 << 15;

  template <class... Parts>
  [[noreturn]] void fail_here(const Parts&... parts) const {
    fail(ErrorCode::format, where_, ": deflated data: byte ", std::min(at_, in_.size()), ": ", parts...);
  }

  /// At least 56 bits ahead; beyond the end of the stream they are 0, and taking them is an error. Bits above count_ may be
  /// set: they are those of the stream, which come again.
  void look_ahead() {
    if (at_ < in_.size() && in_.size() - at_ >= 8) {  // the fast way: as many whole bytes as there is room for
      ahead_ |= little_endian<std::uint64_t>(in_, at_) << count_;
      at_ += static_cast<std::size_t>(63 - count_) / 8;
      count_ |= 56;
      return;
    }
    while (count_ <= 56) {
      const std::uint64_t byte = at_ < in_.size() ? std::to_integer<std::uint64_t>(in_[at_]) : 0;
      ++at_;
      ahead_ |= byte << count_;
      count_ += 8;
    }
  }
  void drop(int bits) {
    ahead_ >>= bits;
    count_ -= bits;
    if (at_ > in_.size() && static_cast<std::size_t>(count_) < 8 * (at_ - in_.size()))
      fail_here("expected more, got the end of the stream");
  }
  std::uint32_t take(int bits) {
    look_ahead();
    const auto value = static_cast<std::uint32_t>(ahead_ & ((std::uint64_t{1} << bits) - 1));
    drop(bits);
    return value;
  }
  std::uint32_t take(const HuffmanCode& code) {
    look_ahead();
    const auto entry = code.find(ahead_);
    if (entry.bits == 0) fail_here("expected a code of this block, got other bits");
    drop(entry.bits);
    return entry.symbol;
  }

  void begin_block() {
    if (std::exchange(last_, last_ || take(1) != 0)) {
      state_ = State::end;
      return;
    }
    const std::uint32_t kind = take(2);
    if (kind == 0) return begin_stored();
    if (kind == 1) return begin_fixed();
    if (kind == 2) return begin_dynamic();
    fail_here("expected a block of a known kind, got the reserved one");
  }

  void begin_stored() {
    drop(count_ % 8);
    const std::uint32_t length = take(16), complement = take(16);
    if ((length ^ complement) != 0xffff) fail_here("expected the length of a stored block and its complement, got another");
    left_ = length;
    state_ = State::stored;
  }

  void begin_fixed() {
    std::array<std::uint8_t, 288> lengths;
    for (std::size_t i = 0; i < lengths.size(); ++i)
      lengths[i] = static_cast<std::uint8_t>(i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8);
    std::array<std::uint8_t, 30> distances;
    distances.fill(5);
    literals_.assign(lengths);
    distances_.assign(distances);
    state_ = State::codes;
  }

  void begin_dynamic() {
    const std::size_t literals = take(5) + 257, distances = take(5) + 1, code_lengths = take(4) + 4;
    if (literals > 286 || distances > 30) fail_here("expected at most 286 and 30 codes, got ", literals, " and ", distances);
    static constexpr std::array<std::uint8_t, 19> order{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    std::array<std::uint8_t, 19> of_lengths{};
    for (std::size_t i = 0; i < code_lengths; ++i) of_lengths[order[i]] = static_cast<std::uint8_t>(take(3));
    HuffmanCode code;
    if (!code.assign(of_lengths)) fail_here("expected a code of code lengths, got more lengths than fit");
    std::array<std::uint8_t, 286 + 30> lengths{};
    for (std::size_t i = 0; i < literals + distances;) {
      const std::uint32_t symbol = take(code);
      if (symbol < 16) {
        lengths[i++] = static_cast<std::uint8_t>(symbol);
        continue;
      }
      if (symbol == 16 && i == 0) fail_here("expected a code length, got a repetition of none");
      const std::uint8_t value = symbol == 16 ? lengths[i - 1] : std::uint8_t{0};
      const std::size_t times = symbol == 16 ? 3 + take(2) : symbol == 17 ? 3 + take(3) : 11 + take(7);
      if (times > literals + distances - i) fail_here("expected ", literals + distances, " code lengths, got more");
      for (std::size_t k = 0; k < times; ++k) lengths[i++] = value;
    }
    if (lengths[256] == 0) fail_here("expected a code for the end of the block, got none");
    const std::span<const std::uint8_t> all(lengths);
    if (!literals_.assign(all.first(literals)) || !distances_.assign(all.subspan(literals, distances)))
      fail_here("expected codes, got more lengths than fit");
    state_ = State::codes;
  }

  void put(std::byte byte) {
    window_[written_ % kWindow] = byte;
    ++written_;
  }

  std::size_t copy_stored(std::span<std::byte> out) {
    const std::size_t count = std::min(out.size(), left_);
    for (std::size_t i = 0; i < count; ++i) put(out[i] = static_cast<std::byte>(take(8)));
    left_ -= count;
    if (left_ == 0) state_ = State::header;
    return count;
  }

  std::size_t copy_match(std::span<std::byte> out) {
    const std::size_t count = std::min(out.size(), left_);
    for (std::size_t i = 0; i < count; ++i) put(out[i] = window_[(written_ - distance_) % kWindow]);
    left_ -= count;
    if (left_ == 0) state_ = State::codes;
    return count;
  }

  /// Literals until `out` is full, a match begins, or the block ends.
  std::size_t decode(std::span<std::byte> out) {
    // Lengths and distances are a base and so many bits more (RFC 1951, 3.2.5).
    static constexpr std::array<std::uint16_t, 29> length_base{
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static constexpr std::array<std::uint8_t, 29> length_bits{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                                              2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    std::size_t done = 0;
    while (done < out.size()) {
      const std::uint32_t symbol = take(literals_);
      if (symbol < 256) {
        put(out[done++] = static_cast<std::byte>(symbol));
        continue;
      }
      if (symbol == 256) {
        state_ = State::header;
        break;
      }
      if (symbol > 285) fail_here("expected a length, got the unused symbol ", symbol);
      left_ = length_base[symbol - 257] + take(length_bits[symbol - 257]);
      const std::uint32_t far = take(distances_);
      if (far > 29) fail_here("expected a distance, got the unused symbol ", far);
      // 1, 2, 3, 4, then two distances each with one bit more than the two before.
      const int bits = far < 4 ? 0 : static_cast<int>(far / 2) - 1;
      distance_ = (far < 4 ? far + 1 : ((2u + far % 2) << bits) + 1) + take(bits);
      if (distance_ > written_) fail_here("expected a distance of at most ", written_, ", got ", distance_);
      state_ = State::match;
      break;
    }
    return done;
  }

  std::string where_;
  std::span<const std::byte> in_;
  std::size_t at_ = 0;  ///< next byte of in_
  std::uint64_t ahead_ = 0;
  int count_ = 0;  ///< bits of ahead_
  State state_ = State::header;
  bool last_ = false;
  HuffmanCode literals_, distances_;
  std::size_t left_ = 0;  ///< of a stored block or a match
  std::uint64_t distance_ = 0, written_ = 0;
  std::vector<std::byte> window_ = std::vector<std::byte>(kWindow);
};

}  // namespace detrack::detail
