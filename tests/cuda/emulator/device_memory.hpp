// The emulated device's memory: out of the host's reach but while a kernel or a copy runs, as a real device's is.
#pragma once

#include <cstddef>

namespace detrack::emulator {

/// nullptr where there is no room.
void* allocate_device_memory(std::size_t bytes);
/// Nothing for nullptr.
void free_device_memory(void* memory);

/// While one lives, device memory can be read and written.
class DeviceAccess {
 public:
  DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
  ~DeviceAccess();
};

}  // namespace detrack::emulator
