// One reserved range of addresses; blocks are handed out of it first fit, with a gap after each that the address sanitizer
// watches.
#include "device_memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace detrack::emulator {

namespace {

constexpr std::size_t kReserved = std::size_t(4) << 30, kAlign = 256;

struct Pool {
  unsigned char* base = nullptr;
  std::size_t reached = 0;                    ///< end of the last block there ever was
  std::map<std::size_t, std::size_t> blocks;  ///< offset to size, gap included
  int users = 0;

  Pool() {
    void* memory = mmap(nullptr, kReserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED) base = static_cast<unsigned char*>(memory);
  }
  void protect(int protection) const {
    if (reached > 0) mprotect(base, (reached + 4095) / 4096 * 4096, protection);
  }
};

Pool& pool() {
  static Pool p;
  return p;
}

void watch([[maybe_unused]] const void* from, [[maybe_unused]] std::size_t bytes, [[maybe_unused]] bool forbidden) {
#if defined(__SANITIZE_ADDRESS__)
  forbidden ? __asan_poison_memory_region(from, bytes) : __asan_unpoison_memory_region(from, bytes);
#endif
}

}  // namespace

void* allocate_device_memory(std::size_t bytes) {
  Pool& p = pool();
  if (!p.base || bytes > kReserved / 2) return nullptr;
  const std::size_t size = (bytes + kAlign - 1) / kAlign * kAlign + kAlign;
  std::size_t at = 0;
  for (const auto& [offset, length] : p.blocks) {
    if (at + size <= offset) break;
    at = offset + length;
  }
  if (at + size > kReserved) return nullptr;
  p.blocks[at] = size;
  p.reached = std::max(p.reached, at + size);
  const DeviceAccess access;
  watch(p.base + at, bytes, false);
  // NaN: nobody said what is there. Not all of large blocks: pages that nobody touches cost nothing.
  std::memset(p.base + at, 0xff, std::min(bytes, std::size_t(1) << 20));
  watch(p.base + at + bytes, size - bytes, true);
  return p.base + at;
}

void free_device_memory(void* memory) {
  if (!memory) return;
  Pool& p = pool();
  const auto it = p.blocks.find(static_cast<std::size_t>(static_cast<unsigned char*>(memory) - p.base));
  if (it == p.blocks.end()) return;
  watch(memory, it->second, true);
  p.blocks.erase(it);
}

DeviceAccess::DeviceAccess() {
  if (pool().users++ == 0) pool().protect(PROT_READ | PROT_WRITE);
}

DeviceAccess::~DeviceAccess() {
  if (--pool().users == 0) pool().protect(PROT_NONE);
}

}  // namespace detrack::emulator
