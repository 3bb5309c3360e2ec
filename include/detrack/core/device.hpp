// Where memory lives.
#pragma once

#include <string>

namespace detrack {

enum class DeviceKind : unsigned char {
  cpu,   ///< host memory
  cuda,  ///< memory of CUDA device `index`
  plan   ///< no memory at all: addresses that the plan backend counts but nobody may touch
};

struct Device {
  DeviceKind kind = DeviceKind::cpu;
  int index = 0;
  constexpr bool operator==(const Device&) const = default;
};

inline std::string to_string(Device device) {
  switch (device.kind) {
    case DeviceKind::cpu: return "cpu";
    case DeviceKind::cuda: return "cuda:" + std::to_string(device.index);
    case DeviceKind::plan: return "plan";
  }
  return "?";
}

}  // namespace detrack
