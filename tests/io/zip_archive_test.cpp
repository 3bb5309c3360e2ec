// Zip archives and what is deflated in them: good ones, and every way they can lie.
#include "detrack/io/zip_archive.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "detrack/core/rng.hpp"
#include "detrack/io/inflate.hpp"
#include "tests/io/weights_support.hpp"

using namespace detrack;
using namespace detrack::test;

namespace {

std::vector<detail::ZipMember> members_of(const Bytes& bytes) {
  static const std::string path = "x.zip";
  return detail::ZipReader(path, bytes).read();
}

void check_zip_refused(const Bytes& bytes, const std::string& because) {
  const std::string message = error_of(ErrorCode::format, [&] { members_of(bytes); });
  CAPTURE(message);
  CAPTURE(because);
  CHECK(message.starts_with("x.zip: "));
  CHECK(message.find(because) != std::string::npos);
}
void check_zip_refused(const std::vector<CraftedMember>& members, const std::string& because, const CraftedZip& zip = {}) {
  check_zip_refused(to_bytes(craft_zip(members, zip)), because);
}

/// All that a deflated stream gives, read in pieces of `piece` bytes.
std::string inflated(const std::string& stream, std::size_t piece = 1000) {
  const Bytes bytes = to_bytes(stream);
  detail::Inflater inflater("x", bytes);
  std::string all;
  for (Bytes part(piece);;) {
    const std::size_t count = inflater.read(part);
    all.append(reinterpret_cast<const char*>(part.data()), count);
    if (count < piece) return all;
    REQUIRE(all.size() < 10000000);
  }
}
std::string inflation_refusal(const std::string& stream) {
  return error_of(ErrorCode::format, [&] { inflated(stream); });
}

/// Bits, each number's lowest first, as deflate packs them.
struct BitWriter {
  std::string bytes;
  int used = 8;
  BitWriter& put(std::uint32_t value, int bits) {
    for (int i = 0; i < bits; ++i) {
      if (used == 8) bytes += '\0', used = 0;
      bytes.back() = static_cast<char>(bytes.back() | static_cast<char>(((value >> i) & 1u) << used++));
    }
    return *this;
  }
  /// A code, whose highest bit comes first.
  BitWriter& code(std::uint32_t value, int bits) {
    for (int i = bits; i-- > 0;) put(value >> i, 1);
    return *this;
  }
};

}  // namespace

TEST_CASE("zip: members are found, with zip64's sizes, a comment, padding and data descriptors") {
  for (const bool zip64 : {false, true}) {
    const Bytes bytes = to_bytes(craft_zip({{.name = "b/two", .data = "22", .zip64 = zip64}, {.name = "a", .data = ""}},
                                           {.comment = "PK\x05\x06 not the end", .zip64 = zip64}));
    const auto members = members_of(bytes);
    REQUIRE(members.size() == 2);
    CHECK(members[0].name == "a");
    CHECK(members[1].name == "b/two");
    CHECK(detail::as_text(members[1].bytes) == "22");
    CHECK(detail::find_member(members, "b/two") == &members[1]);
    CHECK(detail::find_member(members, "b") == nullptr);
  }
  CHECK(members_of(to_bytes(craft_zip({}))).empty());
}

TEST_CASE("zip: what does not hold together is refused") {
  const CraftedMember good{.name = "a", .data = "12345"};
  check_zip_refused({{.name = "a", .data = "1", .flags = 1}}, "member 'a': expected a member that is not encrypted");
  check_zip_refused({{.name = "a", .data = "1", .method = 14}}, "expected a member stored or deflated, got method 14");
  check_zip_refused({{.name = "a", .data = "1", .local_name = "b"}},
                    "expected a local header with the same name and method");
  check_zip_refused({{.name = "a", .data = "1", .size = 2}}, "expected 2 bytes, got 1 stored ones");
  check_zip_refused({{.name = "a", .data = "1", .size = 5, .packed_size = 5}}, "expected 5 bytes before the directory");
  check_zip_refused({{.name = "a", .data = "1", .size = -2, .packed_size = std::int64_t{1} << 62, .zip64 = true}},
                    "member 'a'");
  check_zip_refused({{.name = "a", .data = "1", .local_offset = 1}}, "expected a local header at byte 1, got none");
  check_zip_refused({{.name = "a", .data = "1", .local_offset = std::int64_t{1} << 40, .zip64 = true}},
                    "expected a local header at byte");
  check_zip_refused({good, good}, "member 'a': expected it once, got it again");
  check_zip_refused({good, {.name = "a", .data = "", .size = 5, .packed_size = 5, .local_offset = 0}},
                    "member 'a': expected members apart from each other, got one that overlaps 'a'");
  check_zip_refused({good}, "got more members than there is room for", {.count = 2});
  check_zip_refused({good, {.name = "b"}}, "expected the end of the zip archive's directory", {.count = 1});
  check_zip_refused({good}, "got more members than there is room for", {.count = 1 << 30, .zip64 = true});
  check_zip_refused({good}, "got a directory of another size or place", {.before = "MZ"});
  check_zip_refused({good}, "got a directory of another size or place", {.directory_shift = 1});
  check_zip_refused(to_bytes("PK\x03\x04"), "got a shorter file");
  check_zip_refused(to_bytes("PK\x03\x04" + std::string(100, 'x')), "got none (a file cut short?)");
  for (const char* name : {"../a", "a/../b", "..", "/a", "a\\b", "c:a", "a\nb", "", "a/.."})
    check_zip_refused({{.name = name, .data = "1"}},
                      "expected a relative path within the archive, got one that leads elsewhere");
  CHECK(members_of(to_bytes(craft_zip({{.name = "a..b/...", .data = "1"}}))).size() == 1);

  const std::string whole = craft_zip({good, {.name = "b", .data = "678"}}, {.zip64 = true});
  for (std::size_t size = 0; size < whole.size(); ++size) check_zip_refused(to_bytes(whole.substr(0, size)), "");
}

TEST_CASE("zip: bombs are refused before anything is unpacked") {
  const std::int64_t gigabyte = std::int64_t{1} << 30;
  check_zip_refused({{.name = "a", .data = std::string(1000, '\0'), .method = 8, .size = gigabyte}},
                    "expected an archive that unpacks to at most 67108864 bytes, got more (a zip bomb?)");
  std::vector<CraftedMember> many;
  for (int i = 0; i < 70; ++i) many.push_back({.name = std::to_string(i), .data = "x", .method = 8, .size = 1 << 20});
  check_zip_refused(many, "(a zip bomb?)");
  // Members that share one deflated stream: the overlap is what gives them away [Fifield 2019].
  std::vector<CraftedMember> shared{{.name = "0", .data = std::string(1000, 'x'), .method = 8, .size = 100000}};
  for (int i = 1; i < 50; ++i)
    shared.push_back({.name = "0", .data = "", .method = 8, .size = 100000, .packed_size = 1000, .local_offset = 0});
  check_zip_refused(shared, "overlaps");
}

TEST_CASE("inflate: stored, fixed and dynamic blocks, in pieces of any size") {
  const std::string text = "a rose is a rose is a rose, and so on and so on and so on";
  std::string stored = "\x01" + little(text.size(), 2) + little(text.size() ^ 0xffff, 2) + text;
  for (const std::size_t piece : {1, 7, 1000}) CHECK(inflated(stored, piece) == text);
  BitWriter fixed;
  fixed.put(1, 1).put(1, 2);
  for (const char c : std::string("ab")) fixed.code(static_cast<std::uint32_t>(0x30 + c), 8);
  fixed.code(7, 7).put(0, 0).code(1, 5);  // length 9, distance 2
  fixed.code(0xc0 + 5, 8).code(0, 5);     // symbol 285: length 258, distance 1
  fixed.code(0, 7);
  std::string expected =
      "ababababab"
      "a" +
      std::string(258, 'a');
  for (const std::size_t piece : {1, 10, 300}) CHECK(inflated(fixed.bytes, piece) == expected);
  // The packed archive of NumPy holds dynamic blocks: its arrays are compared in the tests of numpy_file.hpp.
}

TEST_CASE("inflate: streams that break the rules are refused") {
  const auto refused = [](const std::string& stream, const std::string& because) {
    const std::string message = inflation_refusal(stream);
    CAPTURE(message);
    CHECK(message.starts_with("x: deflated data: byte "));
    CHECK(message.find(because) != std::string::npos);
  };
  refused("", "expected more, got the end of the stream");
  refused("\x07", "got the reserved one");
  refused(std::string("\x01\x05\x00\x05\x00", 5), "expected the length of a stored block and its complement");
  refused(std::string("\x01\x05\x00\xfa\xff"
                      "abc",
                      8),
          "got the end of the stream");
  refused(BitWriter{}.put(3, 3).code(1, 7).code(0, 5).put(0, 30).bytes, "expected a distance of at most 0, got 1");
  refused(BitWriter{}.put(3, 3).code(0xc0 + 6, 8).put(0, 30).bytes, "got the unused symbol 286");
  refused(BitWriter{}.put(3, 3).code(0x90, 8).code(1, 7).code(30, 5).put(0, 30).bytes, "expected a code of this block");
  refused(BitWriter{}.put(5, 3).put(30, 5).put(0, 5).put(0, 4).put(0, 30).bytes, "expected at most 286 and 30 codes");
  refused(BitWriter{}.put(5, 3).put(0, 5).put(0, 5).put(15, 4).put(0x249, 12).put(0x249, 12).put(0, 30).put(0, 30).bytes,
          "more lengths than fit");
  refused(BitWriter{}.put(5, 3).put(0, 5).put(0, 5).put(0, 4).put(1, 3).put(0, 9).put(0, 30).put(0, 30).bytes,
          "got a repetition of none");
  refused(BitWriter{}
              .put(5, 3)
              .put(0, 5)
              .put(0, 5)
              .put(0, 4)
              .put(0, 6)
              .put(1, 3)
              .put(0, 3)
              .put(0xfefe, 16)
              .put(0, 30)
              .put(0, 30)
              .bytes,
          "expected 258 code lengths, got more");
}

TEST_CASE("inflate: random bytes end or are refused, and quickly") {
  const auto begin = std::chrono::steady_clock::now();
  Philox random(3);
  for (int i = 0; i < 3000; ++i) {
    std::string stream;
    for (std::size_t k = 0, size = random.below(200); k < size; ++k) stream += static_cast<char>(random.below(256));
    if (!stream.empty() && i % 2) stream[0] = static_cast<char>(4 + random.below(2));  // a dynamic block
    try {
      inflated(stream);
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::format);
    }
  }
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(20));
}

TEST_CASE("zip: the checksum is that of ISO 3309") {
  CHECK(detail::crc32(std::as_bytes(std::span(std::string_view("123456789")))) == 0xcbf43926u);
  const std::string_view text = "123456789";
  CHECK(detail::crc32(std::as_bytes(std::span(text.substr(4))),
                      detail::crc32(std::as_bytes(std::span(text.substr(0, 4))))) == 0xcbf43926u);
}
