// NumPy's arrays and archives: those that it wrote are read bit by bit, those that lie are refused by what is wrong with
// them.
#include "detrack/io/numpy_file.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <string>
#include <utility>
#include <vector>

#include "tests/io/weights_support.hpp"

using namespace detrack;
using namespace detrack::test;

namespace {

std::string npy_header(const std::string& descr = "'<f4'", const std::string& order = "False",
                       const std::string& shape = "(2,)") {
  return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

}  // namespace

TEST_CASE("numpy: arrays and archives are read bit by bit, packed ones too") {
  const WeightsFile stored = open_weights(weights_fixture("arrays.npz"));
  CHECK(stored.format() == WeightsFormat::npz);
  check_same_weights(stored, "arrays.expected");
  CHECK(stored.get("fortran").strides == std::vector<std::int64_t>{1, 3, 6});
  CHECK(stored.find("block/kernel") != nullptr);

  const WeightsFile packed = open_weights(weights_fixture("packed.npz"));
  check_same_weights(packed, "packed.expected");
  std::vector<float> floats(12), zeros(2000, 1);
  packed.read(packed.get("float"), 0, std::span(floats));
  packed.read(packed.get("zeros"), 0, std::span(zeros));
  CHECK(zeros == std::vector<float>(2000, 0));
  float one = 0;
  packed.read(packed.get("float"), 7, std::span(&one, 1));
  CHECK(one == floats[7]);

  const WeightsFile single = open_weights(weights_fixture("array.npy"));
  CHECK(single.format() == WeightsFormat::npy);
  REQUIRE(single.find("array") != nullptr);
  CHECK(stored_elements(single, single.get("array"), 5) == stored_elements(stored, stored.get("fortran"), 5));
}

TEST_CASE("numpy: headers of every version are read, and what they must not say is refused") {
  const auto tensor = [](const std::string& header, const std::string& data, int version = 1) {
    const Bytes bytes = to_bytes(craft_npy(header, data, version));
    return parse_weights(bytes, "x.npy").get("x");
  };
  const std::string data(8, '\1');
  for (int version : {1, 2, 3}) CHECK(tensor(npy_header(), data, version).shape == std::vector<std::int64_t>{2});
  CHECK(tensor("{\"shape\" :( 1 , 2L ) ,\"descr\":\"<f4\",\"fortran_order\":False}", data).shape ==
        std::vector<std::int64_t>{1, 2});
  CHECK(tensor(npy_header("'|u1'", "True", "(2, 4)"), data).strides == std::vector<std::int64_t>{1, 2});
  CHECK(tensor(npy_header("'<f8'", "True", "()"), data).plain());
  CHECK(tensor(npy_header("'|b1'", "False", "(0, 4)"), "").numel() == 0);

  const auto refused = [](const std::string& header, const std::string& because, std::size_t size = 8, int version = 1) {
    check_weights_refused(to_bytes(craft_npy(header, std::string(size, '\1'), version)), because);
  };
  refused(npy_header("'>f4'"), "got '>f4' (big-endian numbers)");
  refused(npy_header("'|O'"), "got '|O' (Python objects, which only Python could read)");
  refused(npy_header("'<c8'"), "(complex numbers)");
  refused(npy_header("'|V2'"), "(bytes of unknown meaning, as NumPy stores bfloat16)");
  refused(npy_header("'<U3'"), "got '<U3'");
  refused(npy_header("[('a', '<f4')]"), "records of several fields");
  refused(npy_header("'<f4'", "1"), "header: expected False, got '1, ");
  refused(npy_header("'<f4'", "False", "(3,)"), "expected 12 bytes for F32 (3), got 8");
  refused(npy_header("'<f4'", "False", "(1,)"), "expected 4 bytes for F32 (1), got 8");
  refused(npy_header("'<f4'", "False", "(-1,)"), "shape: expected an extent, got '-1,)");
  refused(npy_header("'<f4'", "False", "(99999999999999999999,)"), "expected extents below 2^63");
  refused(npy_header("'<f4'", "False", "(4294967296, 4294967296)"), "expected a size in bytes below 2^63");
  refused(npy_header("'<f4'", "False", "(0, 4294967296, 4294967296)"), "expected a size in bytes below 2^63");
  refused(npy_header("'<f4'", "False", "(1, 1, 1, 1, 1, 1, 1, 1, 2)"), "expected a rank of at most 8");
  refused(npy_header() + "x", "header: expected its end, got 'x'");
  refused("{'descr': '<f4', 'shape': (2,)}", "got no fortran_order");
  refused("{'descr': '<f4', 'descr': '<f4'}", "once each, got 'descr'");
  refused("{'descr: ", "header: expected a string");
  refused("", "header: expected {");
  refused(std::string(5000, ' '), "expected a header within 4096 bytes, got 5000 bytes");
  refused(npy_header(), "expected version 1, 2 or 3, got 4", 8, 4);
  check_weights_refused(to_bytes("\x93NUMPY"), "expected a version, got the end");
  check_weights_refused(to_bytes(std::string("\x93NUMPY\x01\x00\xff", 9)), "expected the header's length, got the end");
  for (const auto& [name, because] :
       {std::pair{"big-endian.npy", "'>f4'"}, {"objects.npy", "'|O'"}, {"records.npy", "records"}})
    CHECK(error_of(ErrorCode::format, [&, n = name] { open_weights(weights_fixture(n)); }).find(because) !=
          std::string::npos);
}

TEST_CASE("numpy: archives of something else, and packed data that are damaged") {
  const std::string array = craft_npy(npy_header(), std::string(8, '\1'));
  const auto archive = [](const std::vector<CraftedMember>& members) { return to_bytes(craft_zip(members)); };
  CHECK(parse_weights(archive({}), "x").tensors().empty());
  check_weights_refused(archive({{"a.txt", "x"}}), "got one that begins with 'a.txt'");
  check_weights_refused(archive({{"a.npy", array}, {"b.txt", "x"}}), "member 'b.txt': expected arrays (.npy) alone");
  check_weights_refused(archive({{"a.npy", "x"}}), "member 'a.npy': expected a NumPy array, got a text file");
  check_weights_refused(archive({{"a.npy", array + "x"}}), "expected 8 bytes for F32 (2), got 9");
  check_weights_refused(archive({{".npy", array}}), "got an empty name");

  const auto packed = [](const std::string& inner, std::int64_t size = -1, std::int64_t crc = -1) {
    // One stored block: what zlib would write for data that do not get smaller.
    const std::string stream = "\x01" + little(inner.size(), 2) + little(inner.size() ^ 0xffff, 2) + inner;
    const auto right = static_cast<std::int64_t>(detail::crc32(std::as_bytes(std::span(inner))));
    return CraftedMember{.name = "a.npy",
                         .data = stream,
                         .method = 8,
                         .size = size >= 0 ? size : static_cast<std::int64_t>(inner.size()),
                         .crc = crc >= 0 ? crc : right};
  };
  const Bytes good = archive({packed(array)});
  const WeightsFile file = parse_weights(good, "x");
  std::vector<float> values(2);
  file.read(file.tensors()[0], 0, std::span(values));
  CHECK(values[1] == std::bit_cast<float>(0x01010101u));
  check_weights_refused(archive({packed(array, -1, 7)}), "expected data with the archive's checksum");
  const auto size = static_cast<std::int64_t>(array.size());
  check_weights_refused(archive({packed(array, size + 1)}), "for F32 (2), got " + std::to_string(size + 1));
  check_weights_refused(archive({packed(array + "x", size)}), "inflated bytes, got more");
  check_weights_refused(archive({packed(array.substr(0, array.size() - 1), size)}), "inflated bytes, got fewer");
  const std::string fortran = craft_npy(npy_header("'|u1'", "True", "(2, 4)"), std::string(8, '\1'));
  check_weights_refused(archive({packed(fortran)}), "expected elements in C order in a compressed archive");

  const Bytes whole = read_file(weights_fixture("packed.npz"));
  int refusals = 0;
  for (std::size_t at = 0; at < whole.size(); at += 3) {  // one damaged byte at a time: found, or not of the arrays
    Bytes damaged = whole;
    damaged[at] ^= std::byte{0x10};
    try {
      parse_weights(damaged, "x");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::format);
      ++refusals;
    }
  }
  CHECK(refusals > static_cast<int>(whole.size()) / 3 * 4 / 10);
}
