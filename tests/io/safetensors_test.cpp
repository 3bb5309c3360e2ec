// The safetensors reader and writer: round trips, and every way a file can be wrong.
#include "detrack/io/safetensors.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <csignal>
#include <limits>
#include <string>

#include "detrack/core/rng.hpp"
#include "tests/fuzz/check_file.hpp"
#include "tests/fuzz/mutate.hpp"
#include "tests/support/craft.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace detrack;
using test::craft;
using test::error_of;

namespace {

/// The message with which `bytes` are refused; fails the test if they are not, or not as a format error.
std::string refusal(const test::Bytes& bytes) {
  try {
    SafetensorsFile::parse(bytes, "x.safetensors");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::format);
    return error.what();
  }
  FAIL_CHECK("the file was accepted");
  return "";
}

void check_refused(const test::Bytes& bytes, const std::string& because) {
  const std::string message = refusal(bytes);
  CAPTURE(message);
  CAPTURE(because);
  CHECK(message.starts_with("x.safetensors: "));
  CHECK(message.find(because) != std::string::npos);
}

void check_refused(const std::string& header, std::size_t data_size, const std::string& because) {
  check_refused(craft(header, data_size), because);
}

/// A file with the single tensor "t".
void check_tensor_refused(const std::string& tensor, std::size_t data_size, const std::string& because) {
  check_refused("{\"t\":" + tensor + "}", data_size, because);
}

template <class T>
Tensor<T> tensor_of(const Shape& shape, std::initializer_list<T> values) {
  Tensor<T> tensor(shape);
  REQUIRE(shape.numel() == static_cast<std::int64_t>(values.size()));
  std::copy(values.begin(), values.end(), tensor.data());
  return tensor;
}

template <class T>
bool same_bits(const Tensor<T>& a, const Tensor<T>& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.numel()) * sizeof(T)) == 0;
}

/// Random bits of type T go to a file and come back unchanged.
template <class T>
void check_round_trip(const std::filesystem::path& path) {
  Philox random(7, static_cast<std::uint64_t>(DTypeOf<T>::value));
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{3, 5}, Shape{0}, Shape{2, 0, 3}, Shape{1, 2, 3, 4, 5}, Shape{70001}}) {
    Tensor<T> in(shape), out(shape);
    for (std::size_t i = 0, size = static_cast<std::size_t>(in.numel()) * sizeof(T); i < size; ++i)
      reinterpret_cast<unsigned char*>(in.data())[i] = static_cast<unsigned char>(random.below(256));
    save_safetensors(path, {{"x", in.view()}});
    const auto file = SafetensorsFile::open(path);
    REQUIRE(file.tensors().size() == 1);
    CHECK(file.tensors()[0].dtype == DTypeOf<T>::value);
    CHECK(same_extents(file.tensors()[0], shape));
    file.read("x", out.view());
    CHECK(same_bits(in, out));
  }
}

}  // namespace

TEST_CASE("safetensors: a hand-made file is read as it is") {
  const auto bytes = test::good_file();
  const auto file = SafetensorsFile::parse(bytes);
  CHECK(file.metadata() == std::map<std::string, std::string>{{"detrack.config", "{\"width\":16}"}, {"note", "\xc3\xa9\n"}});
  REQUIRE(file.tensors().size() == 7);
  CHECK(file.tensors()[2].name == "c\"quoted");
  CHECK(file.get("g.deep").shape == std::vector<std::int64_t>{1, 1, 2, 1, 1, 3, 1, 1});
  CHECK(file.get("d").dtype == DType::bf16);
  CHECK(file.get("f.empty").bytes.empty());
  CHECK(file.get("e.scalar").numel() == 1);
  CHECK(file.find("nothing") == nullptr);
  CHECK(error_of(ErrorCode::state_dict, [&] { file.get("no\nsuch"); }) ==
        "memory: expected a tensor 'no\\x0asuch', got none");

  std::array<std::uint8_t, 6> deep{};
  file.read(file.get("g.deep"), 0, std::span<std::uint8_t>(deep));
  for (std::size_t i = 0; i < deep.size(); ++i) CHECK(deep[i] == static_cast<std::uint8_t>((118 + i) * 37 + 11));
  std::array<std::uint8_t, 2> part{};
  file.read(file.get("g.deep"), 3, std::span<std::uint8_t>(part));
  CHECK(part[0] == deep[3]);
  CHECK(part[1] == deep[4]);
}

TEST_CASE("safetensors: every type makes a round trip bit by bit") {
  const test::TemporaryFolder folder;
  check_round_trip<double>(folder / "f64");
  check_round_trip<float>(folder / "f32");  // random bits: NaN payloads among them
  check_round_trip<float16>(folder / "f16");
  check_round_trip<bfloat16>(folder / "bf16");
  check_round_trip<std::int64_t>(folder / "i64");
  check_round_trip<std::uint8_t>(folder / "u8");
  CHECK(folder.count() == 6);
}

TEST_CASE("safetensors: signalling NaN, payloads, signed zero and infinity survive in F32") {
  const test::TemporaryFolder folder;
  Tensor<float> in(Shape{6}), out(Shape{6});
  const std::array<std::uint32_t, 6> codes{0x7f800001u, 0xffc12345u, 0x7fffffffu, 0x80000000u, 0xff800000u, 0x00000001u};
  std::memcpy(in.data(), codes.data(), sizeof(codes));
  save_safetensors(folder / "x", {{"x", in.view()}});
  SafetensorsFile::open(folder / "x").read("x", out.view());
  CHECK(same_bits(in, out));
}

TEST_CASE("safetensors: floating types convert, to nearest and ties to even") {
  const test::TemporaryFolder folder;
  const auto in = tensor_of<double>({6}, {1.0, -0.1, 1e-300, 1e300, 3.0000001, -65519.99});
  save_safetensors(folder / "x", {{"f64", in.view()},
                                  {"f32", in.view(), DType::f32},
                                  {"f16", in.view(), DType::f16},
                                  {"bf16", in.view(), DType::bf16}});
  const auto file = SafetensorsFile::open(folder / "x");
  CHECK(file.get("f16").dtype == DType::f16);
  Tensor<double> out(in.shape());
  const double infinity = std::numeric_limits<double>::infinity();
  const auto expect = [&](const char* name, std::array<double, 6> expected) {
    file.read(name, out.view());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CAPTURE(name);
      CAPTURE(i);
      CHECK(out.data()[i] == expected[i]);
    }
  };
  expect("f64", {1.0, -0.1, 1e-300, 1e300, 3.0000001, -65519.99});
  expect("f32", {1.0, -0.1f, 0.0, infinity, 3.0000001f, -65519.99f});
  expect("f16", {1.0, -0.0999755859375, 0.0, infinity, 3.0, -65504.0});
  expect("bf16", {1.0, -0.10009765625, 0.0, infinity, 3.0, -65536.0});

  Tensor<float> narrow(in.shape());
  file.read("f64", narrow.view());
  CHECK(narrow.data()[1] == -0.1f);
  Tensor<bfloat16> small(in.shape());
  file.read("f16", small.view());
  CHECK(static_cast<float>(small.data()[0]) == 1.0f);
}

TEST_CASE("safetensors: double to 16 bits rounds once, not twice") {
  // Just above the middle between two codes: by way of float it would become the middle, and go to the even one.
  const double above_half = 1.0 + 0x1p-11 + 0x1p-40, above_brain = 1.0 + 0x1p-8 + 0x1p-40;
  CHECK(static_cast<float>(detail::convert_value<float16>(above_half)) == 1.0f + 0x1p-10f);
  CHECK(static_cast<float>(detail::convert_value<bfloat16>(above_brain)) == 1.0f + 0x1p-7f);
  CHECK(static_cast<float>(detail::convert_value<float16>(1.0 + 0x1p-11)) == 1.0f);            // a tie, down to even
  CHECK(static_cast<float>(detail::convert_value<float16>(1.0 + 0x3p-11)) == 1.0f + 0x1p-9f);  // a tie, up to even
  CHECK(static_cast<float>(detail::convert_value<float16>(65519.999999)) == 65504.0f);         // below the overflow
  CHECK(std::isinf(static_cast<float>(detail::convert_value<float16>(65520.0))));
  CHECK(static_cast<float>(detail::convert_value<float16>(0x1p-25 + 0x1p-60)) == 0x1p-24f);  // subnormal
  CHECK(static_cast<float>(detail::convert_value<float16>(0x1p-25)) == 0.0f);
  CHECK(std::isnan(static_cast<float>(detail::convert_value<float16>(std::nan("")))));
  CHECK(std::isinf(static_cast<float>(detail::convert_value<bfloat16>(-1e300))));
  CHECK(std::signbit(static_cast<float>(detail::convert_value<bfloat16>(-1e-300))));
}

TEST_CASE("safetensors: reads that do not fit are refused and write nothing") {
  const auto bytes = test::good_file();
  const auto file = SafetensorsFile::parse(bytes, "x.safetensors");
  auto out = tensor_of<float>({2}, {5, 6});
  CHECK(error_of(ErrorCode::state_dict, [&] { file.read("a.weight", out.view()); }) ==
        "x.safetensors: tensor 'a.weight': shape: expected (2), got (3, 4)");
  Tensor<float> scalar(Shape{});
  CHECK(error_of(ErrorCode::state_dict, [&] { file.read("e.scalar", scalar.view()); }) ==
        "x.safetensors: tensor 'e.scalar': type: expected F32, got I64");
  Tensor<std::int64_t> counts(Shape{5});
  error_of(ErrorCode::state_dict, [&] { file.read("b.bias", counts.view()); });
  Tensor<float> wide(Shape{4, 3}), weight(Shape{3, 4});
  error_of(ErrorCode::state_dict, [&] { file.read("a.weight", wide.view()); });
  error_of(ErrorCode::device, [&] {
    file.read("a.weight", View<float>(weight.data(), weight.shape(), Device{DeviceKind::cuda, 0}));
  });
  Tensor<float> large(Shape{3, 8});
  error_of(ErrorCode::shape, [&] { file.read("a.weight", large.view().slice(1, 0, 4)); });
  std::array<float, 4> part{};
  for (const std::int64_t first :
       {std::int64_t{-1}, std::int64_t{9}, std::int64_t{13}, std::numeric_limits<std::int64_t>::max()})
    error_of(ErrorCode::argument, [&] { file.read(file.get("a.weight"), first, std::span<float>(part)); });
  file.read(file.get("a.weight"), 8, std::span<float>(part));
  CHECK(out.data()[0] == 5);
  CHECK(out.data()[1] == 6);
}

TEST_CASE("safetensors: written files are the same bytes whatever the order, aligned, and sorted") {
  const test::TemporaryFolder folder;
  const auto odd = tensor_of<std::uint8_t>({3}, {1, 2, 3});
  const auto b = tensor_of<float>({2}, {1, 2});
  const auto a = tensor_of<float>({1}, {3});
  const auto wide = tensor_of<double>({1}, {4});
  const std::map<std::string, std::string> metadata{{"z", "\"\\\n\x01"}, {"a", "\xc3\xa9"}};
  save_safetensors(folder / "1", {{"a.odd", odd.view()}, {"b", b.view()}, {"a", a.view()}, {"wide", wide.view()}}, metadata);
  save_safetensors(folder / "2", {{"wide", wide.view()}, {"a", a.view()}, {"b", b.view()}, {"a.odd", odd.view()}}, metadata);
  CHECK(test::read_file(folder / "1") == test::read_file(folder / "2"));
  const auto file = SafetensorsFile::open(folder / "1");
  CHECK(file.metadata() == metadata);
  for (const TensorInfo& tensor : file.tensors())  // a mapping begins at a page
    CHECK(reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % size_of(tensor.dtype) == 0);
  CHECK(file.get("a").bytes.data() < file.get("b").bytes.data());

  const std::string text = [&] {
    const auto bytes = test::read_file(folder / "1");
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }();
  CHECK(text.substr(8, 60) == R"({"__metadata__":{"a":")"
                              "\xc3\xa9"
                              R"(","z":"\"\\\n\u0001"},"wide":{"dtype)");
  CHECK(static_cast<unsigned char>(text[0]) % 8 == 0);
}

TEST_CASE("safetensors: an empty file of tensors is a file") {
  const test::TemporaryFolder folder;
  save_safetensors(folder / "x", {});
  CHECK(SafetensorsFile::open(folder / "x").tensors().empty());
  CHECK(test::read_file(folder / "x") == craft("{}      ", 0));
}

TEST_CASE("safetensors: what the writer refuses") {
  const test::TemporaryFolder folder;
  const auto x = tensor_of<float>({1}, {1});
  const auto n = tensor_of<std::int64_t>({1}, {1});
  const auto refused = [&](std::vector<SafetensorsEntry> entries, const std::map<std::string, std::string>& metadata = {}) {
    return error_of(ErrorCode::argument, [&] { save_safetensors(folder / "x", std::move(entries), metadata); });
  };
  CHECK(refused({{"x", x.view()}, {"x", x.view()}}).find("'x' twice") != std::string::npos);
  refused({{"", x.view()}});
  refused({{"__metadata__", x.view()}});
  refused({{"\xff", x.view()}});
  refused({}, {{"key", "\xc3"}});
  CHECK(refused({{"x", x.view(), DType::i64}}).find("F32 cannot be stored as I64") != std::string::npos);
  refused({{"n", n.view(), DType::f32}});
  refused({{"a", Shape{std::int64_t{1} << 61}, DType::u8, {}, DType::f64}});
  refused({{"a", Shape{std::int64_t{1} << 62}, DType::u8, {}, DType::u8},
           {"b", Shape{std::int64_t{1} << 62}, DType::u8, {}, DType::u8}});
  error_of(ErrorCode::device, [&] {
    SafetensorsEntry("x", View<const float>(x.data(), x.shape(), Device{DeviceKind::cuda, 0}));
  });
  Tensor<float> square(Shape{2, 2});
  error_of(ErrorCode::shape, [&] { SafetensorsEntry("x", square.view().slice(1, 0, 1)); });
  CHECK(folder.count() == 0);
}

TEST_CASE("safetensors: a write that fails leaves the old file and nothing else") {
  const test::TemporaryFolder folder;
  const auto x = tensor_of<float>({1}, {1});
  save_safetensors(folder / "x", {{"x", x.view()}});
  const auto before = test::read_file(folder / "x");

  SUBCASE("no room: a limit on file sizes stands in for a full disk") {
    struct rlimit old {};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit tight = old;
    tight.rlim_cur = 1 << 16;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
    const Tensor<float> large = Tensor<float>::zeros({1 << 18});
    std::string message = error_of(ErrorCode::io, [&] { save_safetensors(folder / "x", {{"large", large.view()}}); });
    ::setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, handler);
    CHECK(message == (folder / "x").string() + ": cannot write: File too large");
  }
  SUBCASE("an exception in between") {
    const auto broken = [](std::int64_t, std::int64_t, void*) { throw std::runtime_error("lost the device"); };
    CHECK_THROWS_WITH(save_safetensors(folder / "x", {{"b", Shape{9}, DType::f32, broken, DType::f32}}), "lost the device");
  }
  CHECK(test::read_file(folder / "x") == before);
  CHECK(folder.count() == 1);
}

TEST_CASE("safetensors: paths that cannot be written") {
  const test::TemporaryFolder folder;
  CHECK(error_of(ErrorCode::io, [&] { save_safetensors(folder / "no" / "x", {}); }).find("cannot create: No such file") !=
        std::string::npos);
  CHECK(error_of(ErrorCode::io, [&] { save_safetensors(folder.path(), {}); }).find("got a directory") != std::string::npos);
  CHECK(error_of(ErrorCode::io, [&] { save_safetensors("/dev/null", {}); }).find("expected a regular file") !=
        std::string::npos);
  CHECK(folder.count() == 0);
}

TEST_CASE("safetensors: paths that cannot be read") {
  const test::TemporaryFolder folder;
  CHECK(error_of(ErrorCode::io, [&] { SafetensorsFile::open(folder / "none"); }) ==
        (folder / "none").string() + ": cannot open: No such file or directory");
  CHECK(error_of(ErrorCode::io, [&] { SafetensorsFile::open(folder.path()); }).find("got a directory") != std::string::npos);
  CHECK(error_of(ErrorCode::io, [&] { SafetensorsFile::open("/dev/null"); }).find("expected a regular file") !=
        std::string::npos);
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  error_of(ErrorCode::io, [&] { SafetensorsFile::open(folder / "pipe"); });  // and does not wait for a writer
  test::write_file(folder / "empty", {});
  CHECK(error_of(ErrorCode::format, [&] { SafetensorsFile::open(folder / "empty"); }) ==
        (folder / "empty").string() + ": expected a safetensors file, got an empty file");
}

TEST_CASE("safetensors: a file stays readable after it moved") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "x", test::good_file());
  auto first = SafetensorsFile::open(folder / "x");
  const auto second = std::move(first);
  std::filesystem::remove(folder / "x");
  Tensor<double> out(Shape{5});
  second.read("b.bias", out.view());
  std::array<double, 5> expected{};
  std::memcpy(expected.data(), test::good_file().data() + (test::good_file().size() - 124) + 48, sizeof(expected));
  CHECK(std::memcmp(out.data(), expected.data(), sizeof(expected)) == 0);
}

TEST_CASE("safetensors: files of another kind are named") {
  check_refused(test::to_bytes("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"), "a Git LFS pointer");
  check_refused(test::to_bytes("<!DOCTYPE html>\n<html>\n<body>"),
                "a text file that begins with '<!DOCTYPE html>\\x0a<html>");
  check_refused(test::to_bytes(std::string("PK\x03\x04", 4) + std::string(40, '\0')), "zip archive");
  check_refused(test::to_bytes("short"), "at least 8 bytes, got 5");
}

TEST_CASE("safetensors: cut anywhere, a file is refused") {
  const auto good = test::good_file();
  CHECK_NOTHROW(SafetensorsFile::parse(good));
  for (std::size_t size = 0; size < good.size(); ++size) {
    const test::Bytes part(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    CAPTURE(size);
    CHECK(!refusal(part).empty());
  }
  auto longer = good;
  longer.push_back(std::byte{0});
  check_refused(longer, "expected the tensors to cover 125 bytes of data, got 124");
}

TEST_CASE("safetensors: header lengths") {
  auto file = test::good_file();
  const auto with_length = [&](std::uint64_t length) {
    std::memcpy(file.data(), &length, 8);
    return file;
  };
  check_refused(with_length(UINT64_MAX), "header length: expected at most");
  check_refused(with_length(UINT64_MAX - 7), "header length: expected at most");
  check_refused(with_length(file.size() - 7), "header length: expected at most " + std::to_string(file.size() - 8));
  check_refused(with_length(0), "an empty header");
  // One byte above the limit, in a file that is long enough. The limit itself passes.
  test::Bytes large(8 + (std::size_t{64} << 20) + 1, std::byte{' '});
  std::uint64_t length = (std::uint64_t{64} << 20) + 1;
  std::memcpy(large.data(), &length, 8);
  large[8] = std::byte{'{'}, large[9] = std::byte{'}'};
  check_refused(large, "header length: expected at most 67108864, got 67108865");
  --length;
  std::memcpy(large.data(), &length, 8);
  large.pop_back();
  CHECK_NOTHROW(SafetensorsFile::parse(large));
}

TEST_CASE("safetensors: headers that are not the JSON they should be") {
  check_refused("[]", 0, "begins with {, got '['");
  check_refused(" {}", 0, "begins with {, got ' '");
  check_refused("\xef\xbb\xbf{}", 0, "begins with {");
  check_refused("{", 0, "byte 9: expected a header of JSON");
  check_refused("{}x", 0, "expected a header of JSON");
  check_refused("{}{}", 0, "expected a header of JSON");
  check_refused("{/**/}", 0, "expected a header of JSON");
  check_refused("{\"a\":}", 0, "expected a header of JSON");
  check_refused(std::string("{}\0junk", 7), 0, "byte 10: expected a header of JSON, got a NUL byte");
  check_refused("{\"\xff\":1}", 0, "expected a header of JSON");      // not UTF-8
  check_refused("{\"\xc0\x80\":1}", 0, "expected a header of JSON");  // overlong
  check_refused("{\"\\ud800\":1}", 0, "expected a header of JSON");   // half a surrogate pair
  check_refused("{\"a\nb\":1}", 0, "expected a header of JSON");      // a control character
  CHECK_NOTHROW(SafetensorsFile::parse(craft("{}  \n ", 0)));
}

TEST_CASE("safetensors: tensors that are not what they should be") {
  check_tensor_refused("1", 0, "tensor 't': expected an object, got 1");
  check_tensor_refused("null", 0, "tensor 't': expected an object, got null");
  check_tensor_refused("[]", 0, "tensor 't': expected an object, got an array");
  check_tensor_refused("\"\"", 0, "tensor 't': expected an object, got the string ''");
  check_tensor_refused("{}", 0, "got no dtype");
  check_tensor_refused(R"({"dtype":"U8","shape":[0]})", 0, "got no data_offsets");
  check_tensor_refused(R"({"dtype":"U8","data_offsets":[0,0]})", 0, "got no shape");
  check_tensor_refused(R"({"dtype":"U8","shape":[0],"data_offsets":[0,0],"extra":1})", 0,
                       "expected only dtype, shape and data_offsets, got 'extra'");
  check_tensor_refused(
      R"({"dtype":"F8_E4M3","shape":[0],"data_offsets":[0,0]})", 0,
      "dtype: expected one of F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL, got 'F8_E4M3'");
  check_tensor_refused(R"({"dtype":"f32","shape":[0],"data_offsets":[0,0]})", 0, "got 'f32'");
  check_tensor_refused(R"({"dtype":1,"shape":[0],"data_offsets":[0,0]})", 0, "dtype: expected a string, got 1");
  check_tensor_refused(R"({"dtype":{},"shape":[0],"data_offsets":[0,0]})", 0, "dtype: expected a string, got an object");
  check_tensor_refused(R"({"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]})", 0,
                       "expected one dtype, got it again");
  check_tensor_refused(R"({"dtype":"U8","shape":[0],"shape":[0],"data_offsets":[0,0]})", 0,
                       "expected one shape, got it again");
  check_tensor_refused(R"({"dtype":"U8","shape":[0],"data_offsets":[0,0],"data_offsets":[0,0]})", 0,
                       "expected one data_offsets, got it again");
  check_refused(R"({"":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0, "got an empty name");
  check_refused(
      R"({"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0074":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0,
      "tensor 't': expected unique names");  // the same key, spelt differently
}

TEST_CASE("safetensors: shapes") {
  const auto refused = [](const std::string& shape, const std::string& because) {
    check_tensor_refused(R"({"dtype":"F32","shape":)" + shape + R"(,"data_offsets":[0,4]})", 4, because);
  };
  refused("1", "shape: expected an array, got 1");
  refused("{}", "shape: expected an array, got an object");
  refused("[-1]", "shape: expected whole numbers from 0 on, got -1");
  refused("[-0]", "shape: expected whole numbers");
  refused("[1.0]", "shape: expected whole numbers from 0 on, got 1.0");
  refused("[1e0]", "shape: expected whole numbers");
  refused("[\"1\"]", "shape: expected whole numbers from 0 on, got the string '1'");
  refused("[[1]]", "shape: expected whole numbers from 0 on, got an array");
  refused("[true]", "shape: expected whole numbers");
  refused("[01]", "expected a header of JSON");
  refused("[9223372036854775808]", "shape: expected extents of at most 9223372036854775807");
  refused("[18446744073709551616]", "shape: expected whole numbers");
  refused("[9223372036854775807]", "shape: expected a size in bytes below 2^63");
  refused("[4294967296,4294967296]", "shape: expected a size in bytes below 2^63");
  refused("[0,4294967296,4294967296]", "shape: expected a size in bytes below 2^63");
  refused("[4611686018427387905]", "shape: expected a size in bytes below 2^63");  // times 4 wraps to 4
  refused("[1,1,1,1,1,1,1,1,1]", "shape: expected a rank of at most 8");
  refused("[2]", "data_offsets: expected 8 bytes for F32 (2), got 4");
  refused("[0]", "data_offsets: expected 0 bytes for F32 (0), got 4");
}

TEST_CASE("safetensors: offsets") {
  const auto refused = [](const std::string& offsets, const std::string& because) {
    check_tensor_refused(R"({"dtype":"F32","shape":[1],"data_offsets":)" + offsets + "}", 4, because);
  };
  refused("0", "data_offsets: expected an array, got 0");
  refused("[]", "data_offsets: expected 2 numbers, got 0");
  refused("[0]", "data_offsets: expected 2 numbers, got 1");
  refused("[0,4,4]", "data_offsets: expected 2 numbers, got more");
  refused("[4,0]", "data_offsets: expected a range within the 4 bytes of data, got [4, 0)");
  refused("[0,5]", "data_offsets: expected a range within the 4 bytes");
  refused("[-4,0]", "data_offsets: expected whole numbers from 0 on, got -4");
  refused("[0,4.0]", "data_offsets: expected whole numbers");
  refused("[18446744073709551612,0]", "data_offsets: expected a range within");
  refused("[18446744073709551611,18446744073709551615]", "data_offsets: expected a range within");
  refused("[1,4]", "data_offsets: expected 4 bytes for F32 (1), got 3");
}

TEST_CASE("safetensors: overlaps and holes") {
  const auto two = [](const std::string& first, const std::string& second) {
    return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + first +
           R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + second + "}}";
  };
  CHECK_NOTHROW(SafetensorsFile::parse(craft(two("[0,4]", "[4,8]"), 8)));
  CHECK_NOTHROW(SafetensorsFile::parse(craft(two("[4,8]", "[0,4]"), 8)));
  check_refused(two("[0,4]", "[0,4]"), 8, "(an overlap)");
  check_refused(two("[0,4]", "[3,7]"), 8,
                "tensor 'b': data_offsets: expected it to begin at 4, where the one before ends, got 3 (an overlap)");
  check_refused(two("[0,4]", "[5,9]"), 9,
                "tensor 'b': data_offsets: expected it to begin at 4, where the one before ends, got 5 (a hole)");
  check_refused(two("[1,5]", "[5,9]"), 9, "tensor 'a': data_offsets: expected it to begin at 0");
  check_refused(two("[0,4]", "[4,8]"), 9, "expected the tensors to cover 9 bytes of data, got 8");
  check_refused("{}", 1, "expected the tensors to cover 1 bytes of data, got 0");
  // An empty tensor may stand at a border, not inside another.
  const auto empty_at = [](const std::string& at) {
    return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"e":{"dtype":"U8","shape":[0],"data_offsets":[)" + at +
           "," + at + "]}}";
  };
  CHECK_NOTHROW(SafetensorsFile::parse(craft(empty_at("0"), 4)));
  CHECK_NOTHROW(SafetensorsFile::parse(craft(empty_at("4"), 4)));
  check_refused(empty_at("2"), 4, "an overlap");
}

TEST_CASE("safetensors: metadata") {
  check_refused(R"({"__metadata__":1})", 0, "__metadata__: expected an object, got 1");
  check_refused(R"({"__metadata__":[]})", 0, "__metadata__: expected an object, got an array");
  check_refused(R"({"__metadata__":{"a":1}})", 0, "__metadata__: 'a': expected a string, got 1");
  check_refused(R"({"__metadata__":{"a":null}})", 0, "__metadata__: 'a': expected a string, got null");
  check_refused(R"({"__metadata__":{"a":{}}})", 0, "__metadata__: 'a': expected a string, got an object");
  check_refused(R"({"__metadata__":{"a":"","a":""}})", 0, "__metadata__: expected unique keys, got 'a' again");
  check_refused(R"({"__metadata__":{},"__metadata__":{}})", 0, "__metadata__: expected it once");
  CHECK_NOTHROW(SafetensorsFile::parse(craft(R"({"__metadata__":{}})", 0)));
}

TEST_CASE("safetensors: hostile strings reach messages short and escaped") {
  const std::string name = "\\u001b[31m" + std::string(1000, 'n');
  const std::string message = refusal(craft("{\"" + name + "\":1}", 0));
  CHECK(message.find('\x1b') == std::string::npos);
  CHECK(message.find("'\\x1b[31mnnn") != std::string::npos);
  CHECK(message.find("(1005 bytes)") != std::string::npos);
  CHECK(message.size() < 300);
  CHECK(refusal(craft("{\"" + std::string(100000, 'n'), 0)).size() < 400);
  CHECK(refusal(craft("{\"t\":{\"shape\":[" + std::string(100000, '9') + "]}}", 0)).size() < 400);
  CHECK(refusal(craft("{\"a\xc3\xa9\":\"\xe2\x80\xae\"}", 0)).find("'a\\xc3\\xa9'") !=
        std::string::npos);  // not even text direction marks
}

TEST_CASE("safetensors: a header of any size costs time in proportion") {
  const auto begin = std::chrono::steady_clock::now();
  const std::size_t size = 1 << 20;
  check_refused(std::string(size, '{'), 0, "byte 9: expected");
  check_refused("{\"t\":" + std::string(size, '['), 0, "expected an object, got an array");
  check_refused("{\"t\":{\"dtype\":" + std::string(size, '{'), 0, "dtype: expected a string");
  check_refused("{\"t\":{\"shape\":[" + std::string(size, '['), 0, "shape: expected whole numbers");
  check_refused("{\"__metadata__\":{\"a\":" + std::string(size, '['), 0, "expected a string");
  check_refused("{\"t\":{\"shape\":[" + std::string(size, '1'), 0, "expected");
  std::string many = "{";  // equal up to the last characters, the worst case for an ordered map
  for (std::size_t i = 0; many.size() < size; ++i)
    many += (i ? ",\"" : "\"") + std::string(64, 'x') + std::to_string(i) +
            R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  CHECK(SafetensorsFile::parse(craft(many + "}", 0)).tensors().size() > 7000);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));  // far above what it takes, far below n^2
}

TEST_CASE("safetensors: 2,000 mutations of a good file are read or refused") {
  const test::Mutator mutator(test::good_file(), 20240601);
  int parsed = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    auto bytes = mutator(i);
    bytes.shrink_to_fit();
    CAPTURE(i);
    bool accepted = false;
    REQUIRE_NOTHROW(accepted = test::check_file(bytes));
    parsed += accepted ? 1 : 0;
  }
  CHECK(parsed > 50);  // mutations that never get through would test only the first check
  CHECK(parsed < 1000);
}
