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

/// Opens and closes a range of addresses: by a protection key, which is a register of the thread, where processor and kernel
/// have them; else page by page, which with thousands of launches takes longer than what is launched.
class Gate {
 public:
  /// The range must be closed.
  void guard(void* base, std::size_t bytes) {
    base_ = base;
    key_ = pkey_alloc(0, PKEY_DISABLE_ACCESS);
    if (key_ >= 0 && pkey_mprotect(base, bytes, PROT_READ | PROT_WRITE, key_) != 0) key_ = -1;
  }
  /// `bytes`: what is used of the range.
  void open(std::size_t bytes) const { key_ >= 0 ? pkey_set(key_, 0) : mprotect(base_, bytes, PROT_READ | PROT_WRITE); }
  void close(std::size_t bytes) const {
    key_ >= 0 ? pkey_set(key_, PKEY_DISABLE_ACCESS) : mprotect(base_, bytes, PROT_NONE);
  }

 private:
  void* base_ = nullptr;
  int key_ = -1;
};

struct Pool {
  unsigned char* base = nullptr;
  Gate gate;
  std::size_t reached = 0;                    ///< end of the last block there ever was
  std::map<std::size_t, std::size_t> blocks;  ///< offset to size, gap included
  int users = 0;

  Pool() {
    void* memory = mmap(nullptr, kReserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return;
    base = static_cast<unsigned char*>(memory);
    gate.guard(memory, kReserved);
  }
  std::size_t used() const { return (reached + 4095) / 4096 * 4096; }
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
  // Pages that were touched are opened and closed one by one with every launch, for ever after.
  constexpr std::size_t kPage = 4096;
  const std::size_t first = (it->first + kPage - 1) / kPage * kPage, last = (it->first + it->second) / kPage * kPage;
  if (it->second > std::size_t(1) << 20) madvise(p.base + first, last - first, MADV_DONTNEED);
  p.blocks.erase(it);
}

DeviceAccess::DeviceAccess() {
  if (pool().users++ == 0) pool().gate.open(pool().used());
}

DeviceAccess::~DeviceAccess() {
  if (--pool().users == 0) pool().gate.close(pool().used());
}

}  // namespace detrack::emulator
