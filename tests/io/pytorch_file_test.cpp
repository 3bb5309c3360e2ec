// PyTorch's checkpoints: those that it wrote are read bit by bit, those that lie are refused by what is wrong with them.
#include "detrack/io/pytorch_file.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "tests/io/weights_support.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("pytorch: files of several versions are read bit by bit") {
  for (const auto& [name, expected, format] : {std::tuple{"zip.pth", "zip.expected", WeightsFormat::pytorch_zip},
                                               {"protocol-4.pth", "zip.expected", WeightsFormat::pytorch_zip},
                                               {"stream.pth", "stream.expected", WeightsFormat::pytorch_stream},
                                               {"torch-1.7.1.pth", "torch-1.7.1.expected", WeightsFormat::pytorch_zip},
                                               {"torch-1.0.1.pth", "torch-1.0.1.expected", WeightsFormat::pytorch_stream}}) {
    CAPTURE(name);
    const WeightsFile file = open_weights(weights_fixture(name));
    CHECK(file.format() == format);
    CHECK(file.part().empty());
    check_same_weights(file, expected);
  }
}

TEST_CASE("pytorch: tensors of one storage share the file's bytes; only those with gaps have strides") {
  const WeightsFile file = open_weights(weights_fixture("zip.pth"));
  CHECK(file.get("base").bytes.data() == file.get("same").bytes.data());
  CHECK(file.get("rows").bytes.data() == file.get("base").bytes.data() + 2 * 8 * 4);
  CHECK(file.get("rows").plain());
  CHECK(file.get("row").plain());
  CHECK(file.get("transposed").strides == std::vector<std::int64_t>{1, 8});
  CHECK(file.get("column").strides == std::vector<std::int64_t>{8});
  CHECK(file.get("repeated").strides == std::vector<std::int64_t>{0, 1});
  CHECK(file.get("repeated").bytes.size() == 5 * sizeof(float));
  CHECK(file.get("scalar").plain());
  CHECK(file.get("empty_rows").bytes.empty());

  Tensor<double> transposed({8, 6}), base({6, 8});
  file.read("transposed", transposed.view());
  file.read("base", base.view());
  for (std::int64_t y = 0; y < 6; ++y)
    for (std::int64_t x = 0; x < 8; ++x) CHECK(transposed.view()(x, y) == base.view()(y, x));
  std::vector<std::int64_t> integers(4);
  file.read(file.get("long"), 0, std::span(integers));
  CHECK(integers[3] == std::numeric_limits<std::int64_t>::max());
  std::vector<float> no(4);
  CHECK(error_of(ErrorCode::state_dict, [&] {
          file.read(file.get("long"), 0, std::span(no));
        }).find("expected F32, got I64") != std::string::npos);
  error_of(ErrorCode::argument, [&] { file.read(file.get("transposed"), 47, std::span(no)); });
}

TEST_CASE("pytorch: the state dict of a checkpoint is found, and what else holds tensors is told") {
  for (const char* name : {"run.pth", "run-stream.pth"}) {
    CAPTURE(name);
    const WeightsFile file = open_weights(weights_fixture(name));
    CHECK(file.part() == "model");
    check_same_weights(file, "run.expected");
    REQUIRE(file.left_out().size() == 2);
    CHECK(file.left_out()[0].part == "optimizer");
    CHECK(file.left_out()[0].tensors == 12);  // three numbers a parameter
    CHECK(file.left_out()[1].part == "model_ema");
    CHECK(file.left_out()[1].tensors == 2);

    check_same_weights(open_weights(weights_fixture(name), {.part = "model_ema"}), "run-ema.expected");
    const WeightsFile state = open_weights(weights_fixture(name), {.part = "optimizer"});
    CHECK(state.find("state.0.exp_avg") != nullptr);
    const std::string message =
        error_of(ErrorCode::state_dict, [&] { open_weights(weights_fixture(name), {.part = "nothing"}); });
    CHECK(message.find("expected a part 'nothing', got 'epoch', 'model', 'optimizer', 'model_ema', 'rate'") !=
          std::string::npos);
  }
  const auto tensor_in = [](const char* key) { return pickled_dictionary({{key, pickled_tensor()}}); };
  const std::string inner = pickled_dictionary({{"state_dict", tensor_in("a")}, {"ema.0", tensor_in("b")}});
  const Bytes nested = craft_checkpoint(pickled_dictionary({{"model", inner}}));
  const WeightsFile usual = parse_weights(nested);
  CHECK(usual.part() == "model.state_dict");
  REQUIRE(usual.left_out().size() == 1);
  CHECK(usual.left_out()[0].part == "model.ema.0");
  const WeightsFile other = parse_weights(nested, "x", {.part = "model.ema.0"});
  CHECK(other.part() == "model.ema.0");
  CHECK(other.find("b") != nullptr);
  CHECK(error_of(ErrorCode::state_dict, [&] { parse_weights(nested, "x", {.part = "model.ema"}); }) ==
        "x: expected a part 'ema', got 'state_dict', 'ema.0'");
  CHECK(open_weights(weights_fixture("state-dict.pth")).find("module.weight") != nullptr);
  CHECK(open_weights(weights_fixture("net.pth")).part() == "net");
  const WeightsFile two = open_weights(weights_fixture("two.pth"));
  CHECK(two.part().empty());
  CHECK(two.find("student.weight") != nullptr);
  CHECK(two.find("teacher.backbone.bias") != nullptr);
  const WeightsFile list = open_weights(weights_fixture("list.pth"));
  CHECK(list.find("0") != nullptr);
  CHECK(list.find("1.1.5") != nullptr);
  CHECK(open_weights(weights_fixture("only.pth")).find("only") != nullptr);
}

TEST_CASE("pytorch: whole modules and other objects are refused by their names") {
  for (const char* name : {"module.pth", "module-stream.pth"}) {
    const std::string message = error_of(ErrorCode::format, [&] { open_weights(weights_fixture(name)); });
    CAPTURE(message);
    CHECK(message.find("save model.state_dict() instead") != std::string::npos);
  }
  CHECK(error_of(ErrorCode::format, [&] { open_weights(weights_fixture("complex.pth")); }).find("'ComplexFloatStorage'") !=
        std::string::npos);
  check_weights_refused(craft_checkpoint(pickled_global("os", "system") + pickled_tuple(std::vector{pickled("true")}) + "R"),
                        "byte 2: expected tensors and plain values, got the global 'os', 'system'");
  check_weights_refused(craft_checkpoint(pickled("os") + pickled("system") + "\x93"), "'os', 'system'");
  check_weights_refused(craft_checkpoint(pickled_global("builtins", "eval")), "'builtins', 'eval'");
  check_weights_refused(craft_checkpoint(pickled_global("\x1b[31mx\xff", "y")), "'\\x1b[31mx\\xff', 'y'");
  check_weights_refused(craft_checkpoint(pickled_global(std::string(400, '\xff'), std::string(400, '\xff'))), "(400 bytes)");
  check_weights_refused(craft_checkpoint("(" + pickled("x") + "ios\nsystem\n"), "got 0x69");
  check_weights_refused(craft_checkpoint("\x82\x01"), "got 0x82");
  check_weights_refused(craft_checkpoint(pickled_global("torch", "FloatStorage") + ")R"),
                        "expected a function to call, got torch.FloatStorage");
  check_weights_refused(craft_checkpoint(pickled_tensor({.kind = "module"})), "got 'module' (a whole module");
  check_weights_refused(craft_checkpoint(pickled_global("torch._tensor", "_rebuild_from_type_v2") +
                                         pickled_tuple({pickled_global("torch._tensor", "_rebuild_from_type_v2"),
                                                        pickled_global("torch", "Tensor"), ")", "}"}) +
                                         "R"),
                        "expected a function that makes tensors");
  check_weights_refused(craft_checkpoint(pickled_tensor(), {{"0", std::string(8, '\1')}}, {{"archive/constants.pkl", "x"}}),
                        "a TorchScript program");
}

TEST_CASE("pytorch: the machine for pickles does nothing but build values") {
  const auto good = [](const std::string& code) { return parse_weights(craft_checkpoint(code), "x").tensors().size(); };
  const std::string tensor = pickled_tensor();
  CHECK(good(pickled("a") + "0" + tensor) == 1);        // POP
  CHECK(good("(" + pickled("a") + "1" + tensor) == 1);  // POP_MARK
  CHECK(good("]" + tensor +
             "q\x01"
             "ah\x01"
             "0") == 1);                                                   // APPEND, BINPUT, BINGET
  CHECK(good("](" + tensor + "\x94h" + std::string(1, '\0') + "e") == 2);  // MEMOIZE, the same one twice
  CHECK(good("(" + pickled("a") + tensor + "d") == 1);                     // DICT
  CHECK(good("(" + tensor + "l") == 1);                                    // LIST
  CHECK(good("}" + pickled(5) + tensor + "s") == 1);                       // SETITEM
  CHECK(good(pickled_global("argparse", "Namespace") + ")\x81}" + pickled("a") + "K\1sb0" + tensor) == 1);  // NEWOBJ, BUILD
  CHECK(good(pickled_global("collections", "OrderedDict") + "(](" + pickled("a") + tensor +
             "\x86"
             "e"
             "tR") == 1);

  const auto refused = [](const std::string& code, const std::string& because) {
    check_weights_refused(craft_checkpoint(code), because);
  };
  refused("", "expected a value, got an empty stack");
  refused("0", "expected a value, got an empty stack");
  refused("(K\x01(0", "expected a value, got an empty stack");
  refused("t", "expected values above a mark, got no mark");
  refused("K\x01\x86", "expected 2 values, got 1");
  refused("K\x01(K\x02\x86", "expected 2 values, got 1");
  refused(
      "K\x01K\x02"
      "a",
      "expected a list to add to, got an integer");
  refused("}(K\x01u", "got a key without a value");
  refused("K\x01K\x01R", "expected a function to call");
  refused("N", "expected tensors, got None without any");
  refused("h\x05", "memo: expected a place in use, got 5");
  refused("Nr\xff\xff\xff\xff", "memo: expected a place up to 1, got 4294967295");
  refused("X\xff\xff\xff\x7f", "expected 2147483647 bytes, got the end of the pickle");
  refused("\x8d\xff\xff\xff\xff\xff\xff\xff\xff", "got the end of the pickle");
  refused("K\x01Q", "expected a tuple, got an integer");
  refused("c" + std::string(2000, 'x'), "got no end of it");
  refused("NNb", "expected an object to set attributes of, got None");
  check_weights_refused(to_bytes(craft_zip({{"a/data.pkl", "\x80\x02N"}})), "got the end of the pickle");
  check_weights_refused(to_bytes(craft_zip({{"a/data.pkl", "\x80\x07N."}})), "expected a pickle of protocol 2 to 5, got 7");
  check_weights_refused(to_bytes(craft_zip({{"a/data.pkl", "(dp0\n."}})), "expected a pickle of protocol 2 or newer");
  check_weights_refused(to_bytes(craft_zip({{"a/data.pkl", ""}})), "expected a pickle of protocol 2 or newer");
}

TEST_CASE("pytorch: depth, loops and explosions are bounded") {
  const std::string tensor = pickled_tensor();
  const auto begin = std::chrono::steady_clock::now();
  const auto deep = [&](std::size_t n) { return std::string(n, ']') + tensor + std::string(n, 'a'); };
  CHECK(parse_weights(craft_checkpoint(deep(30)), "x").tensors().size() == 1);
  check_weights_refused(craft_checkpoint(deep(33)), "expected values nested at most 32 deep, got more");
  check_weights_refused(craft_checkpoint(deep(100000)), "");
  check_weights_refused(craft_checkpoint("]q\x01h\x01"
                                         "a"),
                        "expected values nested at most 32 deep, got more");  // in itself
  check_weights_refused(craft_checkpoint("}q\x01" + pickled("a") + "h\x01s"),
                        "expected values nested at most 32 deep, got more");
  const auto doubled = [](std::string value) {  // a pair of the same pair of the same pair of ...
    for (int i = 0; i < 30; ++i) value += "q\x01h\x01\x86";
    return value;
  };
  check_weights_refused(craft_checkpoint(doubled(tensor)), "tensors in a file of this size, got more");
  check_weights_refused(craft_checkpoint("](" + doubled(")") + tensor + "e"),
                        "expected tensors under one name or a few, got the same ones again and again");
  std::string many = "](";
  for (int i = 0; i < 200000; ++i) many += "]";
  check_weights_refused(craft_checkpoint(many + "e"), "expected objects in proportion to the file, got more");
  many = "](" + tensor + "q\x01";
  for (int i = 0; i < 2000; ++i) many += "h\x01";
  check_weights_refused(craft_checkpoint(many + "e"), "tensors in a file of this size, got more");
  std::string named = "}";
  for (int i = 0; i < 100; ++i) named += pickled(std::string(1001, 'a')) + (i ? "h\x01" : tensor + "q\x01") + "s";
  check_weights_refused(craft_checkpoint(named), "expected a name of at most 1000 bytes");
  check_weights_refused(craft_checkpoint("}" + pickled("a") + tensor + "s" + pickled("a") + tensor + "s"),
                        "tensor 'a': expected it once");
  check_weights_refused(craft_checkpoint("}N" + tensor + "s"), "got one under another kind of key");
  check_weights_refused(craft_checkpoint(std::string("}") + pickled("") + tensor + "s"), "got an empty name");
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
}

TEST_CASE("pytorch: tensors must lie in their storages, and storages in the file") {
  const auto refused = [](const CraftedTensor& tensor, const std::string& because) {
    check_weights_refused(craft_checkpoint(pickled_tensor(tensor)), because);
    check_weights_refused(craft_stream({.code = pickled_tensor(tensor)}), because);
  };
  CHECK(parse_weights(craft_checkpoint(pickled_tensor()), "x").tensors().size() == 1);
  CHECK(parse_weights(craft_stream({.code = pickled_tensor()}), "x").tensors().size() == 1);
  refused({.shape = {3}}, "expected elements within the 2 of its storage, got (3) with strides (1) from element 0 on");
  refused({.offset = 1}, "from element 1 on");
  refused({.offset = 1000}, "from element 1000 on");
  refused({.shape = {2}, .strides = {2}}, "with strides (2)");
  refused({.shape = {2, 2}, .strides = {std::int64_t{1} << 62, std::int64_t{1} << 62}}, "within the 2 of its storage");
  refused({.shape = {-1}}, "a tensor's shape: expected a number from 0 on, got -1");
  refused({.strides = {-1}}, "a tensor's strides: expected a number from 0 on, got -1");
  refused({.offset = -4}, "a tensor's first element: expected a number from 0 on, got -4");
  refused({.shape = {2, 1}}, "expected as many strides as extents");
  refused({.shape = {std::int64_t{1} << 40, std::int64_t{1} << 40}, .strides = {0, 0}}, "below 2^63");
  refused({.shape = {0, std::int64_t{1} << 40, std::int64_t{1} << 40}, .strides = {0, 0, 0}}, "below 2^63");
  refused({.shape = {std::int64_t{1} << 40}, .strides = {0}}, "bytes of tensors in a file of");
  refused({.shape = std::vector<std::int64_t>(9, 1), .strides = std::vector<std::int64_t>(9, 1)},
          "expected a rank of at most 8, got 9");
  refused({.count = -2}, "a storage's size: expected a number from 0 on");
  refused({.type = "ComplexDoubleStorage"}, "'ComplexDoubleStorage'");
  refused({.type = "float32"}, "expected a type of storages");
  refused({.type = "UntypedStorage"}, "expected a storage of a type, got bytes");
  refused({.function = "_rebuild_tensor_v3"}, "expected 4 to 8 arguments");
  refused({.function = "_rebuild_sparse_tensor"}, "'_rebuild_sparse_tensor'");
  refused({.function = "_rebuild_parameter"}, "a parameter: expected a tensor");
  refused({.metadata = "}" + pickled("conj") + "\x88s"}, "got some with metadata");
  CHECK(parse_weights(craft_checkpoint(pickled_tensor({.metadata = "}"})), "x").tensors().size() == 1);

  check_weights_refused(craft_checkpoint(pickled_tensor({.count = 3})), "storage '0': expected 12 bytes, got 8");
  check_weights_refused(craft_checkpoint(pickled_tensor({.count = std::int64_t{1} << 61})), "below 2^63");
  check_weights_refused(craft_checkpoint(pickled_tensor({.key = "1"})), "expected a member 'archive/data/1', got none");
  check_weights_refused(craft_checkpoint(pickled_tensor({.key = "../data.pkl"})), "got none");
  check_weights_refused(craft_checkpoint("(" + pickled_tensor() + pickled_tensor({.type = "IntStorage"}) + "t"),
                        "storage '0': expected the same type and size each time, got others");
  check_weights_refused(craft_checkpoint(pickled_tensor(), {{"0", std::string(8, '\1')}}, {{"archive/byteorder", "big"}}),
                        "expected little-endian numbers, got 'big'-endian ones");
  std::vector<CraftedMember> packed{
      {.name = "archive/data.pkl", .data = pickle(pickled_tensor()), .method = 8, .size = 200}};
  check_weights_refused(to_bytes(craft_zip(packed)), "member 'archive/data.pkl': expected it stored");
}

TEST_CASE("pytorch: streams are checked from end to end") {
  const std::string tensor = pickled_tensor();
  const auto refused = [](const CraftedStream& stream, const std::string& because) {
    check_weights_refused(craft_stream(stream), because);
  };
  refused({.code = tensor,
           .magic = "\x8a\x0a"
                    "0123456789"},
          "expected a PyTorch checkpoint, got a pickle of something else");
  refused({.code = tensor, .magic = "K\x01"}, "expected a PyTorch checkpoint, got a pickle of something else");
  refused({.code = tensor, .version = "M\xe8\x03"}, "expected version 1001 of the stream, got 1000");
  refused({.code = tensor, .little_endian = "\x89"}, "expected little-endian numbers, got 'big'-endian ones");
  refused({.code = tensor, .storages = {}}, "storage '0': expected its elements, got none");
  refused({.code = tensor, .storages = {{"1", little(2, 8) + std::string(8, 'x')}}},
          "expected one that the checkpoint uses, once");
  const std::string good = little(2, 8) + std::string(8, 'x');
  refused({.code = tensor, .storages = {{"0", good}, {"0", good}}}, "expected one that the checkpoint uses, once");
  refused({.code = tensor, .storages = {{"0", little(3, 8) + std::string(8, 'x')}}}, "expected 2 elements, got 3");
  refused({.code = tensor, .storages = {{"0", little(2, 8) + std::string(7, 'x')}}},
          "expected 8 bytes, got the end of the file");
  refused({.code = tensor, .storages = {{"0", little(2, 7)}}}, "got the end of the file");

  // A part of a storage, as version 0.4 and before pickled views.
  const auto view = [](std::int64_t first, std::int64_t count) {
    return pickled_tuple({pickled("v"), pickled(first), pickled(count)});
  };
  const std::string four =
      little(4, 8) + little(0x3f800000, 4) + little(0x40000000, 4) + little(0x40400000, 4) + little(0x40800000, 4);
  const auto bytes =
      craft_stream({.code = pickled_tensor({.shape = {2}, .count = 4, .view = view(1, 3)}), .storages = {{"0", four}}});
  const WeightsFile file = parse_weights(bytes, "x");
  std::vector<float> values(2);
  file.read(file.tensors()[0], 0, std::span(values));
  CHECK(values == std::vector<float>{2, 3});
  refused({.code = pickled_tensor({.shape = {4}, .count = 4, .view = view(1, 3)}), .storages = {{"0", four}}},
          "within the 3 of its storage");
  refused({.code = pickled_tensor({.count = 4, .view = view(1, 4)}), .storages = {{"0", four}}},
          "expected elements within [0, 4), got 4 from 1 on");
  refused({.code = pickled_tensor({.count = 4, .view = view(-1, 4)}), .storages = {{"0", four}}}, "from 0 on, got -1");

  const Bytes whole = read_file(weights_fixture("stream.pth"));
  for (std::size_t size = 1; size < whole.size(); size += 7) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_THROWS_AS(parse_weights(cut, "x"), Error);
  }
}
