// What a pickle can hold here: values in eight bytes, and the containers among them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace detrack::detail {

/// `at` is the value itself where it fits, and else a number that says where it is.
struct PickleValue {
  enum class Kind : std::uint8_t {
    none,
    boolean,      ///< 0 or 1
    integer,      ///< of 64 bits: place in PickleHeap::integers
    big_integer,  ///< of more: byte of its opcode
    text,         ///< byte of its opcode
    number,       ///< with a fraction; nobody asks for its value
    bytes,        ///< byte of its opcode
    tuple,        ///< place in PickleHeap::containers
    list,         ///< the same; sets are lists too
    dictionary,   ///< the same; keys and values in turn
    global,       ///< number that PickleObjects gave it
    object,       ///< the same, of something made by calling a global
    opaque        ///< an object whose contents nobody asks for
  };
  Kind kind = Kind::none;
  std::uint32_t at = 0;
};

using PickleItems = std::vector<PickleValue>;

/// Where values live that do not fit into eight bytes, and how much memory all of it may take.
class PickleHeap {
 public:
  std::deque<PickleItems> containers;
  std::deque<std::int64_t> integers;

  explicit PickleHeap(std::uint64_t budget) : left_(budget) {}

  /// False if there is no room for `bytes` more.
  bool spend(std::uint64_t bytes) {
    if (bytes > left_) return false;
    left_ -= bytes;
    return true;
  }
  PickleItems& items(PickleValue container) { return containers[container.at]; }
  const PickleItems& items(PickleValue container) const { return containers[container.at]; }

 private:
  std::uint64_t left_;
};

/// Objects cost what the file that describes them pays for: four times its size, and a little for small ones.
inline std::uint64_t pickle_budget(std::uint64_t file_size) {
  return 4 * file_size + (std::uint64_t{1} << 16);
}

}  // namespace detrack::detail
