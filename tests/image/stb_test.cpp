// Image files: what is read and written, and every way they can be wrong.
#if defined(__x86_64__)
#include <immintrin.h>  // first: stb must get along with its _lrotl
#endif

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <string>
#include <string_view>
#include <vector>

#include "detrack/image/stb.hpp"
#include "tests/image/craft_image.hpp"
#include "tests/image/image_support.hpp"
#include "tests/image/jpeg_samples.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace detrack;
using test::colour_at;
using test::error_of;
using test::to_bytes;

namespace {

std::string text_of(const test::Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The message with which the bytes are refused as "x", without that name.
std::string refusal(const test::Bytes& bytes, const ImageLimits& limits = {}) {
  const std::string message = error_of(ErrorCode::format, [&] { decode_image(bytes, "x", limits); });
  CHECK(message.starts_with("x: "));
  return message.substr(std::min<std::size_t>(3, message.size()));
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// Every proper beginning of the file is refused, and called truncated (but for those too short to be anything).
void check_truncations(const test::Bytes& good, std::size_t recognised, std::size_t optional_end = 0) {
  for (std::size_t size = 0; size + optional_end < good.size(); ++size) {
    const std::string message = refusal({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)});
    const std::string_view expected = size == 0 ? "empty" : size < recognised ? "none of them" : "truncated";
    if (!contains(message, expected)) FAIL_CHECK(size << " of " << good.size() << " bytes: " << message);
  }
}

}  // namespace

TEST_CASE("PNG: what is written is read, to the last bit") {
  for (const auto& [w, h] : {std::pair{1, 1}, {31, 7}, {64, 48}}) {
    const Image image = test::noise_image(w, h, 11);
    CHECK(test::same_pixels(decode_image(encode_png(image), "x"), image));
  }
  const Image smooth = test::smooth_image(200, 100);
  const auto bytes = encode_png(smooth);
  CHECK(bytes.size() < 30000);
  CHECK(test::same_pixels(decode_image(bytes, "x"), smooth));
}

TEST_CASE("JPEG: what is written is read, nearly") {
  const Image smooth = test::smooth_image(61, 47);
  for (const int quality : {90, 100}) {
    const Image back = decode_image(encode_jpeg(smooth, quality), "x");
    REQUIRE(back.width() == 61);
    REQUIRE(back.height() == 47);
    CHECK(test::largest_difference(back, smooth) <= (quality == 100 ? 4 : 8));
  }
  CHECK(encode_jpeg(test::noise_image(64, 64, 1), 30).size() < encode_jpeg(test::noise_image(64, 64, 1), 95).size() / 2);
}

TEST_CASE("JPEG of other encoders: progressive, restarts, gray, CMYK, a scan for each component") {
  const Image expected = test::smooth_image(20, 18);
  for (const auto hex : {test::kProgressiveJpeg, test::kRestartsJpeg, test::kScanEachJpeg})
    CHECK(test::largest_difference(decode_image(test::from_hex(hex), "x"), expected) <= 16);
  const Image gray = decode_image(test::from_hex(test::kGrayProgressiveJpeg), "x");
  for (int x = 0; x < 20; ++x) {
    CHECK(std::abs(colour_at(gray, x, 9).r - colour_at(expected, x, 9).r) <= 6);
    CHECK(colour_at(gray, x, 9).r == colour_at(gray, x, 9).b);
  }
  const Image cmyk = decode_image(test::from_hex(test::kCmykJpeg), "x");
  CHECK(cmyk.width() == 20);
}

TEST_CASE("PNG of every depth and colour becomes 8-bit RGB") {
  const auto decode = [](const test::PngParts& parts) { return decode_image(test::craft_png(parts), "x"); };
  using namespace std::string_literals;
  const Image rgb = decode({.width = 2, .rows = "\0\1\2\3\4\5\6"s});
  CHECK(colour_at(rgb, 1, 0) == Colour{4, 5, 6});
  const Image filtered = decode({.width = 2, .height = 2, .rows = "\1\1\2\3\4\5\6\2\1\1\1\1\1\1"s});  // sub, up
  CHECK(colour_at(filtered, 1, 0) == Colour{5, 7, 9});
  CHECK(colour_at(filtered, 1, 1) == Colour{6, 8, 10});
  const Image rgba = decode({.width = 2, .colour = 6, .rows = "\0\1\2\3\0\4\5\6\x80"s});
  CHECK(colour_at(rgba, 0, 0) == Colour{1, 2, 3});  // transparent, but what it is is what it is
  CHECK(colour_at(rgba, 1, 0) == Colour{4, 5, 6});
  const Image gray = decode({.width = 2, .colour = 0, .rows = "\0\x07\xf0"s});
  CHECK(colour_at(gray, 1, 0) == Colour{240, 240, 240});
  const Image gray_alpha = decode({.width = 2, .colour = 4, .rows = "\0\x07\xff\x64\x01"s});
  CHECK(colour_at(gray_alpha, 1, 0) == Colour{100, 100, 100});
  const Image deep = decode({.bits = 16, .rows = "\0\x12\x34\xab\xcd\x00\xff"s});
  CHECK(colour_at(deep, 0, 0) == Colour{0x12, 0xab, 0});
  const Image deep_gray = decode({.bits = 16, .colour = 0, .rows = "\0\x80\xff"s});
  CHECK(colour_at(deep_gray, 0, 0) == Colour{0x80, 0x80, 0x80});
  const Image bits = decode({.width = 9, .bits = 1, .colour = 0, .rows = "\0\xaa\x80"s});
  CHECK(colour_at(bits, 0, 0) == Colour{255, 255, 255});
  CHECK(colour_at(bits, 1, 0) == Colour{0, 0, 0});
  CHECK(colour_at(bits, 8, 0) == Colour{255, 255, 255});
  const std::string palette = test::png_chunk("PLTE", "\1\2\3\4\5\6\7\x08\x09"s);
  const Image indexed = decode({.width = 3, .bits = 2, .colour = 3, .before = palette, .rows = "\0\x18"s});  // 0, 1, 2
  CHECK(colour_at(indexed, 0, 0) == Colour{1, 2, 3});
  CHECK(colour_at(indexed, 2, 0) == Colour{7, 8, 9});
  const Image keyed = decode({.colour = 2, .before = test::png_chunk("tRNS", "\0\1\0\2\0\3"s), .rows = "\0\1\2\3"s});
  CHECK(colour_at(keyed, 0, 0) == Colour{1, 2, 3});
  // Adam7: 2 x 2 pixels come in the passes 1 (0, 0), 6 (1, 0) and 7 (second row).
  const Image adam = decode({.width = 2, .height = 2, .colour = 0, .interlace = 1, .rows = "\0\x0a\0\x0b\0\x0c\x0d"s});
  CHECK(colour_at(adam, 0, 0).r == 10);
  CHECK(colour_at(adam, 1, 0).r == 11);
  CHECK(colour_at(adam, 0, 1).r == 12);
  CHECK(colour_at(adam, 1, 1).r == 13);
}

TEST_CASE("BMP") {
  using namespace std::string_literals;
  const std::string rows =
      "\3\2\1\6\5\4\0\0"
      "\x09\x08\x07\x0c\x0b\x0a\0\0"s;  // B G R, the lower row first
  const Image up = decode_image(test::craft_bmp(2, 2, 24, "", rows), "x");
  CHECK(colour_at(up, 0, 1) == Colour{1, 2, 3});
  CHECK(colour_at(up, 1, 0) == Colour{10, 11, 12});
  const Image down = decode_image(test::craft_bmp(2, -2, 24, "", rows), "x");
  CHECK(colour_at(down, 0, 0) == Colour{1, 2, 3});
  std::string palette;
  for (int i = 0; i < 256; ++i) palette += std::string(3, static_cast<char>(255 - i)) + '\0';
  const Image gray = decode_image(test::craft_bmp(3, 1, 8, palette, "\x00\x0a\xff\x00"s), "x");
  CHECK(colour_at(gray, 0, 0) == Colour{255, 255, 255});
  CHECK(colour_at(gray, 1, 0) == Colour{245, 245, 245});
  const Image with_alpha = decode_image(test::craft_bmp(1, 1, 32, "", "\3\2\1\7"s), "x");
  CHECK(colour_at(with_alpha, 0, 0) == Colour{1, 2, 3});

  CHECK(contains(refusal(test::craft_bmp(3, 1, 8, palette.substr(0, 400), "\x00\x0a\xff\x00"s)),
                 "expected a palette of 256 colours, got 100"));
  CHECK(contains(refusal(test::craft_bmp(3, 1, 8, palette, "\3\1"s, 1)), "expected no compression, got number 1"));
  CHECK(contains(refusal(test::craft_bmp(3, 1, 7, palette, "\3\1"s)), "bits a pixel, got 7"));
  CHECK(contains(refusal(test::craft_bmp(0, 1, 24, "", rows)), "expected at least 1x1 pixels, got 0x1"));
  CHECK(contains(refusal(test::craft_bmp(2, 0, 24, "", rows)), "got 2x0"));
  CHECK(contains(refusal(test::craft_bmp(-2, 2, 24, "", rows)), "expected sides of at most 1048576"));
  CHECK(contains(refusal(test::craft_bmp(2, INT_MIN, 24, "", rows)), "expected sides of at most 1048576"));
}

TEST_CASE("PGM and PPM") {
  using namespace std::string_literals;
  const auto decode = [](const std::string& text) { return decode_image(to_bytes(text), "x"); };
  CHECK(colour_at(decode("P6 2 1 255\n\1\2\3\4\5\6"s), 1, 0) == Colour{4, 5, 6});
  CHECK(colour_at(decode("P6\n# made by\n# hand\n1\t1\r\n255\n\1\2\3 and more"s), 0, 0) == Colour{1, 2, 3});
  CHECK(colour_at(decode("P5 1 2 255\n\7\xff"s), 0, 1) == Colour{255, 255, 255});
  CHECK(colour_at(decode("P5 1 1 15\n\5"s), 0, 0) == Colour{85, 85, 85});
  CHECK(colour_at(decode("P5 1 1 15\n\x20"s), 0, 0) == Colour{255, 255, 255});  // more than there should be
  CHECK(colour_at(decode("P5 2 1 65535\n\x80\0\xff\xff"s), 0, 0).r == 128);
  CHECK(colour_at(decode("P6 1 1 1023\n\3\xff\0\0\2\0"s), 0, 0) == Colour{255, 0, 128});

  CHECK(refusal(to_bytes("P6 2 1 255\n\1\2\3\4\5")) == "PNM file: expected 17 bytes or more, got 16: truncated");
  CHECK(contains(refusal(to_bytes("P6 2 -1 255\n")), "expected a number in the header, got byte 45"));
  CHECK(contains(refusal(to_bytes("P6 2x1 255\n")), "expected white space after a number of the header, got byte 120"));
  CHECK(contains(refusal(to_bytes("P6 2 999999999 255\n")), "expected numbers below 100,000,000"));
  CHECK(contains(refusal(to_bytes("P6 2 1 0\n123456")), "expected a largest sample of 1 to 65535, got 0"));
  CHECK(contains(refusal(to_bytes("P6 2 1 65536\n123456")), "got 65536"));
  CHECK(contains(refusal(to_bytes("P5 0 1 255\n")), "got 0x1"));
  check_truncations(to_bytes("P6 2 1 255\n\1\2\3\4\5\6"), 2);
}

TEST_CASE("truncated files are refused, wherever they end") {
  const Image image = test::smooth_image(9, 8);
  check_truncations(encode_png(image), 8);
  check_truncations(encode_jpeg(image), 3);
  for (const auto hex : {test::kProgressiveJpeg, test::kRestartsJpeg, test::kScanEachJpeg, test::kGrayProgressiveJpeg})
    check_truncations(test::from_hex(hex), 3);
  check_truncations(test::craft_bmp(1, 2, 24, "", std::string("\1\2\3\0\1\2\3\0", 8)), 2, 1);  // the last padding may lack
}

TEST_CASE("what follows the end of an image is nobody's business") {
  const Image image = test::smooth_image(9, 8);
  for (const auto& good : {encode_png(image), encode_jpeg(image)}) {
    const Image alone = decode_image(good, "x");
    for (const std::string tail : {"\n", "text", "\xff", "\xff\xd8\xff", "\xff\xd9"})
      CHECK(test::same_pixels(decode_image(to_bytes(text_of(good) + tail), "x"), alone));
  }
  // A preview inside of a JPEG has an end of its own, which is not the file's.
  const std::string jpeg = text_of(encode_jpeg(image));
  const std::string preview = "\xff\xe1" + test::big_endian(static_cast<std::uint32_t>(jpeg.size() + 2), 2) + jpeg;
  const std::string nested = jpeg.substr(0, 2) + preview + jpeg.substr(2);
  CHECK(test::same_pixels(decode_image(to_bytes(nested), "x"), decode_image(to_bytes(jpeg), "x")));
  CHECK(contains(refusal(to_bytes(nested.substr(0, preview.size() + 40))), "truncated"));
  // A stream of JPEGs of which one lacks its end.
  CHECK(contains(refusal(to_bytes(jpeg.substr(0, jpeg.size() - 2) + jpeg)), "the start of another: truncated"));
}

TEST_CASE("sizes are checked before anything is decoded") {
  test::PngParts huge{.width = 16384, .height = 16384, .rows = std::string(10, '\0')};
  CHECK(refusal(test::craft_png(huge)) == "size: expected at most 134217728 pixels, got 16384x16384 (268435456 pixels)");
  const auto header_of = [](std::uint32_t w, std::uint32_t h) {
    return test::craft_png({.width = w, .height = h, .rows = std::string(10, '\0')});
  };
  CHECK(contains(refusal(header_of(15360, 8640)), "cannot be decoded"));  // not too large, but there are no pixels
  CHECK(contains(refusal(header_of(1 << 21, 1)), "expected sides of at most 1048576 pixels"));
  CHECK(contains(refusal(header_of(0xffffffff, 0xffffffff)), "got 4294967295x4294967295"));
  CHECK(contains(refusal(header_of(0, 5)), "expected at least 1x1 pixels, got 0x5"));
  std::string jpeg = text_of(encode_jpeg(Image(8, 8)));
  const std::size_t frame = jpeg.find("\xff\xc0");
  CHECK(contains(refusal(to_bytes(std::string(jpeg).replace(frame + 5, 4, "\x40\x00\x40\x00", 4))), "got 16384x16384"));
  CHECK(contains(refusal(to_bytes(std::string(jpeg).replace(frame + 5, 2, "\0\0", 2))), "got 8x0"));
  CHECK(contains(refusal(to_bytes("P6 16384 16384 255\n")), "got 16384x16384"));

  const auto small = encode_png(Image(10, 10));
  CHECK(decode_image(small, "x", {.max_pixels = 100}).width() == 10);
  CHECK(contains(refusal(small, {.max_pixels = 99}), "expected at most 99 pixels, got 10x10 (100 pixels)"));
  CHECK(contains(refusal(small, {.max_bytes = 10}), "expected a file of at most 10 bytes"));
}

TEST_CASE("damaged files are refused with their reason") {
  using namespace std::string_literals;
  CHECK(refusal({}) == "expected an image, got an empty file");
  CHECK(refusal(to_bytes("<!DOCTYPE html>")) ==
        "expected a JPEG, PNG, BMP, PGM or PPM image, got a file that begins like none of them");
  CHECK(contains(refusal(to_bytes("GIF89a............")), "none of them"));

  const std::string sig(test::kPngSignature), row = test::png_chunk("IDAT", test::zlib_stored("\0\1\2\3"s));
  const test::PngParts one;
  const std::string end = test::png_chunk("IEND", "");
  CHECK(decode_image(to_bytes(sig + one.header() + row + end), "x").width() == 1);
  CHECK(contains(refusal(to_bytes(sig + row + end)), "expected one header chunk, the first of all"));
  CHECK(contains(refusal(to_bytes(sig + one.header() + one.header() + row + end)), "expected one header chunk"));
  CHECK(contains(refusal(to_bytes(sig + one.header() + end)), "expected image data, got none"));
  CHECK(contains(refusal(to_bytes(sig + one.header() + test::png_chunk("ABCD", "") + row + end)), "an unknown one"));
  CHECK(decode_image(to_bytes(sig + one.header() + test::png_chunk("abCD", "note") + row + end), "x").width() == 1);
  CHECK(contains(refusal(to_bytes(sig + one.header() + test::png_chunk("IDAT", "not zlib") + end)), "PNG file: cannot be"));
  CHECK(contains(refusal(test::craft_png({.height = 2, .rows = "\0\1\2\3"s})), "cannot be decoded: not enough pixels"));
  CHECK(contains(refusal(test::craft_png({.rows = "\7\1\2\3"s})), "cannot be decoded: invalid filter"));
  CHECK(contains(refusal(test::craft_png({.bits = 3, .rows = "\0\1\2\3"s})), "cannot be decoded"));

  const std::string jpeg = text_of(encode_jpeg(test::smooth_image(16, 16)));
  const auto patched = [&](std::string_view marker, std::size_t offset, std::string_view with) {
    std::string text = jpeg;
    return refusal(to_bytes(text.replace(text.find(marker) + offset, with.size(), with)));
  };
  CHECK(contains(patched("\xff\xc0", 1, "\xc9"), "expected baseline or progressive Huffman coding (SOF 0 to 2), got SOF 9"));
  CHECK(contains(patched("\xff\xc0", 4, "\x0c"), "expected 8 bits a sample, got 12"));
  CHECK(contains(patched("\xff\xc0", 9, "\2"), "expected 1, 3 or 4 components, got 2"));
  CHECK(contains(patched("\xff\xc0", 13, "\1"), "numbers of their own, got 1 twice"));
  CHECK(contains(patched("\xff\xc4", 5, "\xff\xff"), "expected Huffman tables of at most 255 codes"));
  CHECK(contains(patched("\xff\xda", 5, "\x09"), "a scan of the frame's components, got number 9"));
  CHECK(contains(patched("\xff\xdb", 2, std::string_view("\0\1", 2)), "segments of at least 2 bytes, got 1"));
  CHECK(contains(refusal(to_bytes(jpeg.substr(0, 10) + "\xff\xd9")), "truncated"));
  CHECK(contains(refusal(to_bytes(jpeg.substr(0, 2) + "\xff\xd9")), "expected a frame, got none"));

  std::string scans = text_of(test::from_hex(test::kScanEachJpeg));
  const std::size_t last = scans.rfind("\xff\xda");
  CHECK(contains(refusal(to_bytes(scans.substr(0, last) + "\xff\xd9")),
                 "expected scans of all components, got none of number 3"));
  const std::string scan = scans.substr(last, scans.size() - 2 - last);
  std::string many = scans.substr(0, scans.size() - 2);
  for (int i = 0; i < 500; ++i) many += scan;
  CHECK(contains(refusal(to_bytes(many + "\xff\xd9")), "expected at most 500 scans"));
}

TEST_CASE("a JPEG scan that ends within a coefficient is defined behaviour") {
  // One gray block. Its only DC code is 00 for a difference of 14 bits, its only AC code sixteen zeros for a coefficient of
  // 15 bits: after the four bytes of the scan there is not one of these, and stb alone would go on with -15 bits.
  using namespace std::string_literals;
  const auto segment = [](char marker, const std::string& content) {
    return "\xff"s + marker + test::big_endian(static_cast<std::uint32_t>(content.size() + 2), 2) + content;
  };
  const std::string head = "\xff\xd8" + segment('\xdb', '\0' + std::string(64, '\1')) +
                           segment('\xc0', "\x08\0\x08\0\x08\1\1\x11\0"s) +
                           segment('\xc4', "\0\0\1"s + std::string(14, '\0') + "\x0e") +
                           segment('\xc4', "\x10"s + std::string(15, '\0') + "\1\x0f") + segment('\xda', "\1\1\0\0\x3f\0"s);
  CHECK(decode_image(to_bytes(head + "\x20\0\0\0\xff\xd9"s), "x").width() == 8);
}

TEST_CASE("a small file cannot ask for much memory") {
  // 8 MB of zeros in 30 bytes and a few hundred repeats of them would need 1000 times the image's own memory.
  std::string bits;  // deflate, fixed codes: literal 0, then matches of 258 bytes at distance 1
  const auto put = [&](unsigned value, int count) {
    for (int i = 0; i < count; ++i) bits += value >> i & 1 ? '1' : '0';
  };
  const auto put_code = [&](unsigned value, int count) {
    for (int i = count - 1; i >= 0; --i) bits += value >> i & 1 ? '1' : '0';
  };
  put(1, 1), put(1, 2), put_code(0x30, 8);
  for (int i = 0; i < 40000; ++i) put_code(0xc0 + 285 - 280, 8), put_code(0, 5);  // 10 MB
  put_code(0, 7);
  std::string stream = "\x78\x01";
  for (std::size_t i = 0; i < bits.size(); i += 8) {
    unsigned byte = 0;
    for (std::size_t k = 0; k < 8 && i + k < bits.size(); ++k) byte |= (bits[i + k] == '1' ? 1u : 0u) << k;
    stream += static_cast<char>(byte);
  }
  const test::PngParts one;
  const auto bomb = to_bytes(std::string(test::kPngSignature) + one.header() + test::png_chunk("IDAT", stream) +
                             test::png_chunk("IEND", ""));
  CHECK(refusal(bomb) == "PNG file: cannot be decoded: outofmem");
  const auto good = encode_png(Image(1, 1));
  CHECK(decode_image(good, "x").width() == 1);  // the limit was that image's alone
}

TEST_CASE("damage does not show what was in memory: decoding twice gives the same") {
  const std::string jpeg = text_of(encode_jpeg(test::noise_image(64, 64, 3)));
  std::string damaged = jpeg;
  for (std::size_t i = jpeg.size() / 2; i < jpeg.size() / 2 + 60; ++i) damaged[i] = '\x11';
  try {
    const Image first = decode_image(to_bytes(damaged), "x");
    const std::vector<std::uint8_t> dirt(1 << 20, 0xa5);
    CHECK(test::same_pixels(first, decode_image(to_bytes(damaged), "x")));
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::format);
  }
}

TEST_CASE("files are loaded and saved") {
  const test::TemporaryFolder folder;
  const Image image = test::smooth_image(40, 30);
  save_image(folder / "a.png", image);
  CHECK(test::same_pixels(load_image(folder / "a.png"), image));
  save_image(folder / "b.JPG", image, 100);
  CHECK(test::largest_difference(load_image(folder / "b.JPG"), image) <= 4);
  save_image(folder / "a.png", Image(2, 2));  // over what was there
  CHECK(load_image(folder / "a.png").width() == 2);
  std::filesystem::rename(folder / "a.png", folder / "is-really-a-png.jpg");
  CHECK(load_image(folder / "is-really-a-png.jpg").width() == 2);
  CHECK(folder.count() == 2);

  const auto name = [&](const char* file) { return (folder / file).string(); };
  CHECK(error_of(ErrorCode::io, [&] { load_image(folder / "none.jpg"); }) ==
        name("none.jpg") + ": cannot open: No such file or directory");
  CHECK(error_of(ErrorCode::io, [&] { load_image(folder.path()); }) ==
        folder.path().string() + ": cannot read: Is a directory");
  test::write_file(folder / "empty.jpg", {});
  CHECK(error_of(ErrorCode::format, [&] { load_image(folder / "empty.jpg"); }) ==
        name("empty.jpg") + ": expected an image, got an empty file");
  test::write_file(folder / "long.jpg", test::Bytes(1000));
  CHECK(error_of(ErrorCode::format, [&] { load_image(folder / "long.jpg", {.max_bytes = 999}); }) ==
        name("long.jpg") + ": expected a file of at most 999 bytes, got a larger one");

  CHECK(error_of(ErrorCode::argument, [&] { save_image(folder / "a.gif", image); }) ==
        "save_image: " + name("a.gif") + ": expected a name that ends in .png, .jpg or .jpeg");
  CHECK(error_of(ErrorCode::io, [&] { save_image(folder / "no/folder.png", image); }) ==
        name("no/folder.png") + ": cannot create: No such file or directory");
  CHECK(error_of(ErrorCode::argument, [&] { save_image(folder / "a.png", Image()); }) ==
        "encode_png: image: expected pixels, got an empty image");
  CHECK(error_of(ErrorCode::argument, [&] { encode_jpeg(image, 0); }) == "encode_jpeg: quality: expected 1 to 100, got 0");
  CHECK(contains(error_of(ErrorCode::argument, [&] { encode_jpeg(Image(65536, 1)); }), "got 65536x1"));
  CHECK(folder.count() == 4);
}

TEST_CASE("a file that cannot be written whole is not written, and what was there stays") {
  const test::TemporaryFolder folder;
  save_image(folder / "a.png", Image(2, 2));
  // A limit on the size of files stands for a full disk.
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::string message = error_of(ErrorCode::io, [&] { save_image(folder / "a.png", test::noise_image(64, 64, 1)); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(message == (folder / "a.png").string() + ": cannot write: File too large");
  CHECK(folder.count() == 1);
  CHECK(load_image(folder / "a.png").width() == 2);
}
