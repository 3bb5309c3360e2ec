// Opt-in: stb_image and stb_image_write (Debian: libstb-dev) as image/stb.hpp uses them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(STBI_INCLUDE_STB_IMAGE_H) || defined(INCLUDE_STB_IMAGE_WRITE_H)
#error "include detrack/image/stb.hpp before stb_image.h and stb_image_write.h, or in another file"
#endif

namespace detrack::detail {

/// The largest block of memory that the image being decoded in this thread can need. A small file may ask for far more.
inline thread_local std::size_t stb_block_limit = SIZE_MAX;

/// Sets it for the time of one image.
class StbBlockLimit {
 public:
  explicit StbBlockLimit(std::size_t limit) { stb_block_limit = limit; }
  StbBlockLimit(const StbBlockLimit&) = delete;
  StbBlockLimit& operator=(const StbBlockLimit&) = delete;
  ~StbBlockLimit() { stb_block_limit = SIZE_MAX; }
};

/// Zeros: what a damaged file leaves undefined must not show what was in memory before.
inline void* stb_allocate(std::size_t size) {
  return size <= stb_block_limit ? std::calloc(1, size) : nullptr;
}
inline void* stb_reallocate(void* block, std::size_t size) {
  return size <= stb_block_limit ? std::realloc(block, size) : nullptr;
}
/// stb_image_write does not survive a lack of memory.
inline void* stb_write_allocate(void* block, std::size_t size) {
  void* const moved = std::realloc(block, size);
  if (!moved) throw std::bad_alloc();
  return moved;
}

}  // namespace detrack::detail

// Static: a program may have an stb_image of its own, of any version and configuration.
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_ASSERT(x) static_cast<void>(0)  // of what a hostile file may break, and the library never aborts
#define STBI_MALLOC(size) detrack::detail::stb_allocate(size)
#define STBI_REALLOC(block, size) detrack::detail::stb_reallocate(block, size)
#define STBI_FREE(block) std::free(block)
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#define STBIW_ASSERT(x) static_cast<void>(0)
#define STBIW_MALLOC(size) detrack::detail::stb_write_allocate(nullptr, size)
#define STBIW_REALLOC(block, size) detrack::detail::stb_write_allocate(block, size)
#define STBIW_FREE(block) std::free(block)
// stb takes bits out of a JPEG scan without asking whether there are any left, and later shifts by the negative number of
// those that it has (CVE-2022-28048). Its rotation is where it takes them, `j` its decoder: pretend that zeros follow. What
// this does not reach is harmless: a hostile scan may still make it shift a zero by 32 or 33 places, or let a DC wrap
// around.
#define STBI_HAS_LROTL
#pragma push_macro("_lrotl")  // compilers have one for their intrinsics
#undef _lrotl
#define _lrotl(x, n) (j->code_bits < (n) ? void(j->code_bits = (n)) : void(), ((x) << (n)) | ((x) >> (-(n)&31)))

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wcast-align"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wmissing-declarations"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wimplicit-fallthrough"
#pragma GCC diagnostic ignored "-Wpedantic"
#endif
#include <stb/stb_image.h>
#include <stb/stb_image_write.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

// A later #include of stb_image.h in the same file declares nothing new and implements nothing again.
#undef STB_IMAGE_IMPLEMENTATION
#undef STB_IMAGE_WRITE_IMPLEMENTATION
#undef STBI_HAS_LROTL
#pragma pop_macro("_lrotl")
