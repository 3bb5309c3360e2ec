// Walks the markers of a JPEG file before it is decoded: its size, and what a decoder would quietly get wrong.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "detrack/image/file_bytes.hpp"
#include "detrack/image/limits.hpp"
#include "detrack/image/size.hpp"

namespace detrack::detail {

/// [ITU-T T.81, annex B]
class JpegCheck {
 public:
  explicit JpegCheck(const ImageLimits& limits) : limits_(limits) {}

  /// The image's size. Refuses (format) files that end before their end marker (what is missing would be decoded as grey);
  /// components that no scan brings (left as the memory was); Huffman tables of more codes than a decoder has room for; and
  /// more scans than encoders make, each of which costs as much time as a whole image. Whatever follows the end marker is
  /// left alone: cameras and phones append previews and videos.
  ImageSize operator()(std::span<const std::byte> bytes, std::string_view name) {
    FileBytes file(bytes, name, "JPEG file");
    file.skip(2);  // the start marker
    for (std::uint8_t marker = next_marker(file); marker != kEnd; marker = next_marker(file)) {
      if (marker == kStart) file.refuse("expected the end of the image, got the start of another: truncated");
      const std::uint32_t length = file.big_endian(2);
      if (length < 2) file.refuse("expected segments of at least 2 bytes, got ", length);
      FileBytes segment = file.take(length - 2, "JPEG segment");
      if (marker == 0xc0 || marker == 0xc1 || marker == 0xc2)
        frame(segment);
      else if (marker == kHuffmanTables)
        huffman_tables(segment);
      else if (marker == kScan)
        scan(segment);
      else if (marker > 0xc2 && marker < 0xd0 && marker != 0xc8 && marker != 0xcc)
        file.refuse("expected baseline or progressive Huffman coding (SOF 0 to 2), got SOF ", marker - 0xc0);
    }
    if (components_.empty()) file.refuse("expected a frame, got none before the end of the image");
    for (const Component& component : components_)
      if (!component.scanned) file.refuse("expected scans of all components, got none of number ", int{component.id});
    return size_;
  }

 private:
  static constexpr std::uint8_t kStart = 0xd8, kEnd = 0xd9, kHuffmanTables = 0xc4, kScan = 0xda;
  static constexpr int kMaxScans = 500;
  static constexpr std::size_t kMaxCodes = 255;  ///< encoders need 162 (annex K); stb takes the 256th for none

  struct Component {
    std::uint8_t id;
    bool scanned;
  };

  /// The next marker but restarts, which are part of a scan. On the way lie a scan's data (FF 00 is none of its markers), or
  /// what some cameras pad segments with.
  static std::uint8_t next_marker(FileBytes& file) {
    for (;;) {
      const auto rest = file.rest();
      file.skip(static_cast<std::size_t>(std::find(rest.begin(), rest.end(), std::byte{0xff}) - rest.begin()));
      std::uint8_t marker = file.u8();
      while (marker == 0xff) marker = file.u8();
      if (marker > 0x01 && (marker < 0xd0 || marker > 0xd7)) return marker;
    }
  }

  void frame(FileBytes& segment) {
    if (!components_.empty()) segment.refuse("expected one frame, got a second");
    if (const int bits = segment.u8(); bits != 8) segment.refuse("expected 8 bits a sample, got ", bits);
    const std::uint32_t height = segment.big_endian(2), width = segment.big_endian(2);
    size_ = check_size(segment.name(), width, height, limits_);
    const int count = segment.u8();
    if (count != 1 && count != 3 && count != 4) segment.refuse("expected 1, 3 or 4 components, got ", count);
    for (int i = 0; i < count; ++i) {
      const std::uint8_t id = segment.u8();
      if (find(id)) segment.refuse("expected components with numbers of their own, got ", int{id}, " twice");
      components_.push_back({id, false});
      segment.skip(2);
    }
  }

  void huffman_tables(FileBytes& segment) {
    while (segment.left() > 0) {
      segment.skip(1);  // class and number
      std::size_t codes = 0;
      for (int length = 1; length <= 16; ++length) codes += segment.u8();
      if (codes > kMaxCodes) segment.refuse("expected Huffman tables of at most ", kMaxCodes, " codes, got ", codes);
      segment.skip(codes);
    }
  }

  void scan(FileBytes& segment) {
    if (++scans_ > kMaxScans) segment.refuse("expected at most ", kMaxScans, " scans, got more");
    for (int i = 0, count = segment.u8(); i < count; ++i) {
      const std::uint8_t id = segment.u8();
      Component* component = find(id);
      if (!component) segment.refuse("expected a scan of the frame's components, got number ", int{id});
      component->scanned = true;
      segment.skip(1);
    }
  }

  Component* find(std::uint8_t id) {
    const auto at = std::find_if(components_.begin(), components_.end(), [&](const Component& c) { return c.id == id; });
    return at == components_.end() ? nullptr : &*at;
  }

  const ImageLimits& limits_;
  ImageSize size_;
  std::vector<Component> components_;
  int scans_ = 0;
};

}  // namespace detrack::detail
