// Counter-based random numbers: the same (seed, stream, index) gives the same number on every machine and device.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>

#include "detrack/core/host_device.hpp"

namespace detrack {

/// A stream for each name (FNV-1a hash): what is drawn under one name does not depend on which others there are.
inline std::uint64_t stream_of(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
/// Stateless but for a counter: `at(i)` is random access, the draws below walk the counter.
class Philox {
 public:
  using Block = std::array<std::uint32_t, 4>;

  DETRACK_HOST_DEVICE explicit Philox(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  /// Block `index` of this stream: 128 random bits.
  DETRACK_HOST_DEVICE Block at(std::uint64_t index) const {
    Block counter{static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                  static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)};
    auto key0 = static_cast<std::uint32_t>(seed_), key1 = static_cast<std::uint32_t>(seed_ >> 32);
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter[0];
      const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * counter[2];
      counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(b),
                 static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(a)};
      key0 += 0x9E3779B9u;
      key1 += 0xBB67AE85u;
    }
    return counter;
  }

  /// The next block of the stream.
  Block next() { return at(index_++); }

  /// Uniform in [0, 1), 53 bits.
  double uniform() {
    const Block b = next();
    return to_unit(b[0], b[1]);
  }

  /// Standard normal (Box and Muller 1958).
  double normal() {
    const Block b = next();
    const double radius = std::sqrt(-2.0 * std::log(1.0 - to_unit(b[0], b[1])));
    return radius * std::cos(2.0 * std::numbers::pi * to_unit(b[2], b[3]));
  }

  /// Uniform integer in [0, n), n >= 1.
  std::uint64_t below(std::uint64_t n) { return static_cast<std::uint64_t>(uniform() * static_cast<double>(n)); }

  /// Position in the stream, for checkpoints.
  std::uint64_t index() const { return index_; }
  void seek(std::uint64_t index) { index_ = index; }

 private:
  static double to_unit(std::uint32_t high, std::uint32_t low) {
    return static_cast<double>((std::uint64_t{high} << 21) ^ (low >> 11)) * 0x1p-53;
  }
  std::uint64_t seed_, stream_, index_ = 0;
};

}  // namespace detrack
