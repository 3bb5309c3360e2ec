// Options that choose the network, its device, and how the tracker uses it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "detrack/track/network.hpp"
#include "detrack/track/options.hpp"
#include "examples/support/device_options.hpp"

namespace CLI {
class App;
}

namespace detrack::program {

class NetworkOptions {
 public:
  void add_to(CLI::App& app);

  bool given() const { return !weights_.empty() || !preset_.empty(); }
  int threads() const { return device_.threads(); }
  /// File name without its ending, or the preset's name.
  std::string name() const;
  /// Tells weights files apart: size and a hash of every byte. Errors: io.
  std::string fingerprint() const;
  /// The options that change boxes, --memory aside, for telling runs apart.
  std::string text() const;

  /// Errors: argument, not_available, and those of the weights file.
  std::shared_ptr<const Network> load() const;
  /// `mode` holds unless --memory was given.
  TrackerOptions tracker_options(VisualMemoryOptions::Mode mode) const;

 private:
  std::string weights_, preset_, memory_;
  DeviceOptions device_;
  std::int64_t trajectory_ = -1;  ///< below 0: what the network was trained for
  TrackerOptions tracker_{};      ///< what else was given
};

}  // namespace detrack::program
