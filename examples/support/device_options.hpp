// Options that choose where the network runs, and with which numbers.
#pragma once

#include <memory>
#include <string>

#include "detrack/cpu/backend.hpp"
#include "detrack/model/detrack.hpp"
#include "detrack/track/network.hpp"

namespace CLI {
class App;
}

namespace detrack::program {

class DeviceOptions {
 public:
  void add_to(CLI::App& app);
  /// Errors: argument (values that do not fit together), not_available (a program built without CUDA).
  void check() const;

  bool cuda() const { return device_ == "cuda"; }
  /// Parameters and activations are bfloat16: on CUDA.
  bool bf16() const { return cuda() && precision_ != "f32"; }
  /// On the CPU.
  cpu::Products products() const;
  int threads() const { return threads_; }
  /// "cpu", "cpu bf16", "cpu int8", "cuda", "cuda f32".
  std::string text() const;

  /// A model where it is to run. Errors: those of check() and of the device.
  std::shared_ptr<const Network> network(DeTrack<float> model) const;

 private:
  std::string device_ = "cpu", precision_;
  int threads_ = 0;
};

/// T is float or, on CUDA, bfloat16. Errors: those of DeviceOptions::check() and of the device.
template <class T>
Context<T> make_context(const DeviceOptions& options);

}  // namespace detrack::program
