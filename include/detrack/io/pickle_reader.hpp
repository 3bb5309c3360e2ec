// A pickle without the power to do anything: a fixed list of opcodes, which builds plain values.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/io/little_endian.hpp"
#include "detrack/io/pickle_value.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack::detail {

class PickleReader;

/// What globals mean and what calling them makes: nothing is ever imported or run.
class PickleObjects {
 public:
  virtual ~PickleObjects() = default;
  /// The global's value, or nothing for one that is not known.
  virtual std::optional<PickleValue> global(std::string_view module, std::string_view name) = 0;
  /// global(*arguments). Errors: format.
  virtual PickleValue call(PickleReader& reader, PickleValue global, const PickleItems& arguments) = 0;
  /// What an identifier outside of the pickle stands for. Errors: format.
  virtual PickleValue persistent(PickleReader& reader, PickleValue id) = 0;
};

/// Runs the machine that a pickle is a program of (Python's Lib/pickletools.py describes its opcodes), protocols 2 to 5,
/// which are those PyTorch writes. Opcodes that only older or other pickles have are refused. Memory is bounded by the
/// heap's budget; there is no recursion.
class PickleReader {
 public:
  using Kind = PickleValue::Kind;

  /// `where` begins messages, `bytes` may go on behind the pickle.
  PickleReader(std::string where, std::span<const std::byte> bytes, PickleHeap& heap, PickleObjects& objects)
      : where_(std::move(where)), bytes_(bytes), heap_(heap), objects_(objects) {
    if (bytes_.size() > std::numeric_limits<std::uint32_t>::max())  // places are 32 bits wide
      bytes_ = bytes_.first(std::numeric_limits<std::uint32_t>::max());
  }

  /// The pickle at the place where the last one ended. Errors: format.
  PickleValue read() {
    stack_.clear();
    marks_.clear();
    memo_.clear();
    if (as_text(bytes_.subspan(at_)).substr(0, 1) != "\x80")
      fail_here("expected a pickle of protocol 2 or newer, got something else");
    for (;;) {
      opcode_ = at_;
      const auto code = std::to_integer<std::uint8_t>(take(1)[0]);
      if (code == '.') return pop();
      step(code);
    }
  }
  std::size_t position() const { return at_; }
  PickleHeap& heap() { return heap_; }

  /// Throws with the place of the opcode that runs.
  template <class... Parts>
  [[noreturn]] void fail_here(const Parts&... parts) const {
    fail(ErrorCode::format, where_, ": byte ", opcode_, ": ", parts...);
  }

  std::string_view text(PickleValue value) const {
    const auto at = static_cast<std::size_t>(value.at);
    const auto payload = [&](std::size_t skipped, std::size_t size) { return as_text(bytes_).substr(at + skipped, size); };
    switch (std::to_integer<std::uint8_t>(bytes_[at])) {
      case 0x8c:
      case 'U': return payload(2, little_endian<std::uint8_t>(bytes_, at + 1));
      case 'X':
      case 'T': return payload(5, little_endian<std::uint32_t>(bytes_, at + 1));
      default: return payload(9, static_cast<std::size_t>(little_endian<std::uint64_t>(bytes_, at + 1)));
    }
  }
  /// Bytes of a LONG1, lowest first.
  std::span<const std::byte> big_integer(PickleValue value) const {
    return bytes_.subspan(value.at + 2, little_endian<std::uint8_t>(bytes_, value.at + 1));
  }
  /// Errors: format, for anything but an integer of 64 bits.
  std::int64_t integer(PickleValue value, const char* what) const {
    if (value.kind != Kind::integer) fail_here(what, ": expected an integer, got ", name(value));
    return heap_.integers[value.at];
  }
  const PickleItems& tuple(PickleValue value, const char* what) const {
    if (value.kind != Kind::tuple) fail_here(what, ": expected a tuple, got ", name(value));
    return heap_.items(value);
  }
  std::string_view text(PickleValue value, const char* what) const {
    if (value.kind != Kind::text) fail_here(what, ": expected a string, got ", name(value));
    return text(value);
  }

  PickleValue make_container(Kind kind, PickleItems items) {
    spend(sizeof(PickleItems) + items.size() * sizeof(PickleValue));
    heap_.containers.push_back(std::move(items));
    return {kind, static_cast<std::uint32_t>(heap_.containers.size() - 1)};
  }
  /// Appends to a container what growing by doubling may cost.
  void extend(PickleValue container, std::span<const PickleValue> more) {
    spend(2 * more.size() * sizeof(PickleValue));
    PickleItems& items = heap_.items(container);
    items.insert(items.end(), more.begin(), more.end());
  }
  void spend(std::uint64_t bytes) {
    if (!heap_.spend(bytes)) fail_here("expected objects in proportion to the file, got more");
  }

  static const char* name(PickleValue value) {
    switch (value.kind) {
      case Kind::none: return "None";
      case Kind::boolean: return "a truth value";
      case Kind::integer: return "an integer";
      case Kind::big_integer: return "an integer beyond 64 bits";
      case Kind::text: return "a string";
      case Kind::number: return "a number";
      case Kind::bytes: return "bytes";
      case Kind::tuple: return "a tuple";
      case Kind::list: return "a list";
      case Kind::dictionary: return "a dictionary";
      case Kind::global: return "a class or function";
      case Kind::object: return "a tensor or storage";
      case Kind::opaque: return "an object";
    }
    return "something";
  }

 private:
  std::span<const std::byte> take(std::uint64_t count) {
    if (count > bytes_.size() - at_) fail_here("expected ", count, " bytes, got the end of the pickle");
    const auto taken = bytes_.subspan(at_, static_cast<std::size_t>(count));
    at_ += taken.size();
    return taken;
  }
  template <class N>
  N take_number() {
    return little_endian<N>(take(sizeof(N)), 0);
  }
  /// Up to and without the next line feed.
  std::string_view take_line() {
    const std::string_view rest = as_text(bytes_.subspan(at_, std::min<std::size_t>(bytes_.size() - at_, 1000)));
    const std::size_t end = rest.find('\n');
    if (end == rest.npos) fail_here("expected the name of a global, got no end of it");
    at_ += end + 1;
    return rest.substr(0, end);
  }

  void push(PickleValue value) {
    if (stack_.size() == deepest_) {
      spend(sizeof(PickleValue));
      ++deepest_;
    }
    stack_.push_back(value);
  }
  void push_here(Kind kind) { push({kind, static_cast<std::uint32_t>(opcode_)}); }
  /// Where the topmost mark is; below it nothing may be taken.
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  PickleValue pop() {
    const PickleValue value = top();
    stack_.pop_back();
    return value;
  }
  PickleValue top() const {
    if (stack_.size() <= floor()) fail_here("expected a value, got an empty stack");
    return stack_.back();
  }
  /// The last `count` values, without them.
  PickleItems pop_many(std::size_t count) {
    if (count > stack_.size() - floor()) fail_here("expected ", count, " values, got ", stack_.size() - floor());
    const PickleItems items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }
  PickleItems pop_to_mark() {
    if (marks_.empty()) fail_here("expected values above a mark, got no mark");
    PickleItems items = pop_many(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }

  void push_integer(std::int64_t value) {
    spend(sizeof value);
    heap_.integers.push_back(value);
    push({Kind::integer, static_cast<std::uint32_t>(heap_.integers.size() - 1)});
  }
  void push_long(std::span<const std::byte> digits) {
    if (digits.size() > sizeof(std::int64_t)) return push_here(Kind::big_integer);
    const bool negative = !digits.empty() && (digits.back() & std::byte{0x80}) != std::byte{0};
    std::int64_t value = negative ? -1 : 0;
    if (!digits.empty()) std::memcpy(&value, digits.data(), digits.size());
    push_integer(value);
  }
  void push_payload(Kind kind, std::uint64_t size) {
    take(size);
    push_here(kind);
  }
  void push_container(Kind kind, PickleItems items) { push(make_container(kind, std::move(items))); }
  void push_dictionary(PickleItems items) {
    if (items.size() % 2 != 0) fail_here("expected keys and values, got a key without a value");
    push_container(Kind::dictionary, std::move(items));
  }

  /// `count` new values for the container below them, of a kind.
  void add_to(Kind kind, const PickleItems& more) {
    const PickleValue container = top();
    // What an object that is only skipped is filled with is skipped as well.
    if (container.kind == Kind::opaque) return;
    if (container.kind != kind) fail_here("expected ", name({kind, 0}), " to add to, got ", name(container));
    if (kind == Kind::dictionary && more.size() % 2 != 0) fail_here("expected keys and values, got a key without a value");
    extend(container, more);
  }

  void put(std::uint64_t place) {
    // Picklers count from 0 or 1.
    if (place > memo_.size() + 1) fail_here("memo: expected a place up to ", memo_.size() + 1, ", got ", place);
    const PickleValue value = top();
    while (memo_.size() <= place) {
      spend(sizeof memo_[0]);
      memo_.push_back({});
    }
    memo_[static_cast<std::size_t>(place)] = value;
  }
  void get(std::uint64_t place) {
    if (place >= memo_.size() || !memo_[static_cast<std::size_t>(place)])
      fail_here("memo: expected a place in use, got ", place);
    push(*memo_[static_cast<std::size_t>(place)]);
  }

  void push_global(std::string_view module, std::string_view name) {
    const auto known = objects_.global(module, name);
    if (!known)
      fail_here("expected tensors and plain values, got the global ", "'", escaped(module, 40), "', '", escaped(name, 40),
                "'",
                " (a whole module or another object, which only its own code could read: save model.state_dict() instead)");
    push(*known);
  }
  void call() {
    const PickleValue arguments = pop(), global = pop();
    if (global.kind != Kind::global) fail_here("expected a function to call, got ", name(global));
    if (arguments.kind != Kind::tuple) fail_here("expected a tuple of arguments, got ", name(arguments));
    push(objects_.call(*this, global, heap_.items(arguments)));
  }
  void build() {
    pop();  // attributes of an object: of a dictionary or a tensor they are no values, others are skipped
    const Kind kind = top().kind;
    if (kind != Kind::dictionary && kind != Kind::object && kind != Kind::opaque)
      fail_here("expected an object to set attributes of, got ", name(top()));
  }

  void step(std::uint8_t code) {
    switch (code) {
      case 0x80: {  // PROTO
        const auto protocol = take_number<std::uint8_t>();
        if (protocol < 2 || protocol > 5) fail_here("expected a pickle of protocol 2 to 5, got ", int{protocol});
        return;
      }
      case 0x95: take(8); return;  // FRAME: where buffers may be cut, nothing to a reader of memory
      case '(': {                  // MARK
        if (marks_.size() == most_marks_) {
          spend(sizeof(std::size_t));
          ++most_marks_;
        }
        marks_.push_back(stack_.size());
        return;
      }
      case '0': pop(); return;          // POP
      case '1': pop_to_mark(); return;  // POP_MARK
      case '2': push(top()); return;    // DUP

      case 'N': return push({Kind::none, 0});                                     // NONE
      case 0x88: return push({Kind::boolean, 1});                                 // NEWTRUE
      case 0x89: return push({Kind::boolean, 0});                                 // NEWFALSE
      case 'J': return push_integer(take_number<std::int32_t>());                 // BININT
      case 'K': return push_integer(take_number<std::uint8_t>());                 // BININT1
      case 'M': return push_integer(take_number<std::uint16_t>());                // BININT2
      case 0x8a: return push_long(take(take_number<std::uint8_t>()));             // LONG1
      case 'G': return push_payload(Kind::number, 8);                             // BINFLOAT
      case 'X':                                                                   // BINUNICODE
      case 'T': return push_payload(Kind::text, take_number<std::uint32_t>());    // BINSTRING
      case 0x8c:                                                                  // SHORT_BINUNICODE
      case 'U': return push_payload(Kind::text, take_number<std::uint8_t>());     // SHORT_BINSTRING
      case 0x8d: return push_payload(Kind::text, take_number<std::uint64_t>());   // BINUNICODE8
      case 'B': return push_payload(Kind::bytes, take_number<std::uint32_t>());   // BINBYTES
      case 'C': return push_payload(Kind::bytes, take_number<std::uint8_t>());    // SHORT_BINBYTES
      case 0x8e:                                                                  // BINBYTES8
      case 0x96: return push_payload(Kind::bytes, take_number<std::uint64_t>());  // BYTEARRAY8

      case ')': return push_container(Kind::tuple, {});                       // EMPTY_TUPLE
      case 't': return push_container(Kind::tuple, pop_to_mark());            // TUPLE
      case 0x85:                                                              // TUPLE1
      case 0x86:                                                              // TUPLE2
      case 0x87: return push_container(Kind::tuple, pop_many(code - 0x84u));  // TUPLE3
      case 0x8f:                                                              // EMPTY_SET
      case ']': return push_container(Kind::list, {});                        // EMPTY_LIST
      case 0x91:                                                              // FROZENSET
      case 'l': return push_container(Kind::list, pop_to_mark());             // LIST
      case 'a': return add_to(Kind::list, pop_many(1));                       // APPEND
      case 0x90:                                                              // ADDITEMS
      case 'e': return add_to(Kind::list, pop_to_mark());                     // APPENDS
      case '}': return push_container(Kind::dictionary, {});                  // EMPTY_DICT
      case 'd': return push_dictionary(pop_to_mark());                        // DICT
      case 's': return add_to(Kind::dictionary, pop_many(2));                 // SETITEM
      case 'u': return add_to(Kind::dictionary, pop_to_mark());               // SETITEMS

      case 'q': return put(take_number<std::uint8_t>());   // BINPUT
      case 'r': return put(take_number<std::uint32_t>());  // LONG_BINPUT
      case 0x94: return put(memo_.size());                 // MEMOIZE
      case 'h': return get(take_number<std::uint8_t>());   // BINGET
      case 'j': return get(take_number<std::uint32_t>());  // LONG_BINGET

      case 'c': {  // GLOBAL
        const std::string_view module = take_line();
        return push_global(module, take_line());
      }
      case 0x93: {  // STACK_GLOBAL
        const std::string_view global = text(pop(), "the name of a global"), module = text(pop(), "the module of a global");
        return push_global(module, global);
      }
      case 'R':                                                  // REDUCE
      case 0x81: return call();                                  // NEWOBJ
      case 'b': return build();                                  // BUILD
      case 'Q': return push(objects_.persistent(*this, pop()));  // BINPERSID
      default: {
        constexpr std::string_view digits = "0123456789abcdef";
        fail_here("expected an opcode that PyTorch writes, got 0x", digits[code >> 4], digits[code & 15]);
      }
    }
  }

  std::string where_;
  std::span<const std::byte> bytes_;
  PickleHeap& heap_;
  PickleObjects& objects_;
  std::size_t at_ = 0, opcode_ = 0;
  std::deque<PickleValue> stack_;
  std::size_t deepest_ = 0, most_marks_ = 0;  ///< that were paid for
  std::deque<std::size_t> marks_;
  std::deque<std::optional<PickleValue>> memo_;
};

}  // namespace detrack::detail
