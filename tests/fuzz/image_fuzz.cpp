// Fuzzes the reading of image files: seeded mutations (a program of its own), or as a libFuzzer target.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "detrack/core/rng.hpp"
#include "detrack/image/stb.hpp"
#include "tests/fuzz/run_mutations.hpp"
#include "tests/image/craft_image.hpp"
#include "tests/image/image_support.hpp"
#include "tests/image/jpeg_samples.hpp"

namespace detrack::test {

/// True if the bytes are read as an image within its limits, false if they are refused as they should be.
inline bool check_image(std::span<const std::byte> bytes) {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw std::logic_error(what);
  };
  const ImageLimits limits{.max_pixels = 1 << 13, .max_bytes = 1 << 20};
  try {
    const Image image = decode_image(bytes, "fuzz", limits);
    require(image && image.width() * image.height() <= limits.max_pixels, "sizes are within their limits");
    unsigned sum = 0;
    for (std::int64_t i = 0; i < 3 * image.width() * image.height(); ++i) sum += image.data()[i];
    require(sum <= 255u * 3 << 13, "all pixels are there");
    return true;
  } catch (const Error& error) {
    require(error.code() == ErrorCode::format, "refusals are format errors");
    const std::string message = error.what();
    require(message.starts_with("fuzz: ") && message.size() < 300, "messages name the file and are short");
    for (const char c : message) require(c >= 0x20 && c < 0x7f, "messages are printable");
    return false;
  }
}

/// One of each kind.
inline std::vector<Bytes> good_images() {
  using namespace std::string_literals;
  std::vector<Bytes> files;
  const Image smooth = smooth_image(19, 17), noise = noise_image(9, 5, 1);
  for (const Image& image : {smooth, noise}) {
    files.push_back(encode_jpeg(image, 60));
    files.push_back(encode_jpeg(image, 95));
    files.push_back(encode_png(image));
  }
  for (const auto hex : {kProgressiveJpeg, kRestartsJpeg, kGrayProgressiveJpeg, kCmykJpeg, kScanEachJpeg})
    files.push_back(from_hex(hex));
  const std::string palette = png_chunk("PLTE", "\1\2\3\4\5\6\7\x08\x09"s), key = png_chunk("tRNS", "\0\1\0\2\0\3"s);
  files.push_back(craft_png({.width = 2, .colour = 6, .rows = "\0\1\2\3\0\4\5\6\x80"s}));
  files.push_back(craft_png({.width = 3, .bits = 2, .colour = 3, .before = palette, .rows = "\0\x18"s}));
  files.push_back(craft_png({.width = 2, .height = 2, .colour = 0, .interlace = 1, .rows = "\0\x0a\0\x0b\0\x0c\x0d"s}));
  files.push_back(craft_png({.bits = 16, .before = key, .rows = "\0\x12\x34\xab\xcd\x00\xff"s}));
  files.push_back(craft_png({.width = 2, .height = 2, .rows = "\3\1\2\3\4\5\6\4\1\1\1\1\1\1"s}));
  std::string colours, row;
  for (int i = 0; i < 256; ++i) colours += std::string(4, static_cast<char>(i)), row += static_cast<char>(i);
  files.push_back(craft_bmp(5, 2, 8, colours, row.substr(0, 16)));
  files.push_back(craft_bmp(3, -2, 4, colours.substr(0, 64), row.substr(0, 8)));
  files.push_back(craft_bmp(2, 2, 24, "", row.substr(0, 16)));
  files.push_back(craft_bmp(2, 2, 32, "", row.substr(0, 16)));
  files.push_back(craft_bmp(2, 2, 16, "\0\x7c\0\0\xe0\3\0\0\x1f\0\0\0"s, row.substr(0, 8), 3));
  files.push_back(to_bytes("P6\n# a comment\n3 2 255\n" + row.substr(0, 18)));
  files.push_back(to_bytes("P5 3 2 1023\n" + row.substr(0, 12)));
  return files;
}

/// One to four damages on top of each other. Half of them lie in the first 64 bytes, where sizes and kinds are.
inline Bytes damaged(Bytes file, std::uint64_t seed, std::uint64_t index) {
  Philox random(seed, index);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random.below(std::max<std::size_t>(n, 1))); };
  const auto place = [&](std::size_t size) { return below(below(2) ? std::min<std::size_t>(size, 64) : size); };
  for (std::size_t damage = 0, count = 1 + below(2) * below(4); damage < count && !file.empty(); ++damage) {
    const std::size_t at = place(file.size()), length = std::min(1 + below(below(2) ? 4 : 64), file.size() - at);
    const auto from = file.begin() + static_cast<std::ptrdiff_t>(at), to = from + static_cast<std::ptrdiff_t>(length);
    switch (below(8)) {
      case 0: file[at] ^= static_cast<std::byte>(1u << below(8)); break;
      case 1: file[at] = static_cast<std::byte>(below(256)); break;
      case 2: {  // a number at the edge of its range, of one, two or four bytes
        static constexpr std::uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xfe, 0xff};
        const auto edge = static_cast<std::byte>(edges[below(std::size(edges))]);
        std::fill(from,
                  from + static_cast<std::ptrdiff_t>(std::min<std::size_t>(std::size_t{1} << below(3), file.size() - at)),
                  edge);
        break;
      }
      case 3: file.resize(at); break;
      case 4: file.erase(from, to); break;
      case 5: file.insert(from, length, static_cast<std::byte>(below(256))); break;
      case 6: {  // a part of it a second time: chunks, tables, scans
        const Bytes part(from, to);
        file.insert(file.begin() + static_cast<std::ptrdiff_t>(place(file.size())), part.begin(), part.end());
        break;
      }
      default:
        for (auto byte = from; byte != to; ++byte) *byte = static_cast<std::byte>(below(256));
    }
  }
  return file;
}

}  // namespace detrack::test

#ifdef DETRACK_LIBFUZZER

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  detrack::test::check_image(std::as_bytes(std::span(data, size)));  // an exception that escapes is a finding
  return 0;
}

#else

int main(int argc, char** argv) {
  using namespace detrack::test;
  return run_mutations(argc, argv, good_images(), damaged, [](const Bytes& bytes) { return check_image(bytes); });
}

#endif
