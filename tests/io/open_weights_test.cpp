// Recognising what a weights file is by its contents, and loading models from any format.
#include "detrack/io/open_weights.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "detrack/io/compare_weights.hpp"
#include "detrack/io/import_vit.hpp"
#include "detrack/io/save_weights.hpp"
#include "detrack/io/state_dict.hpp"
#include "tests/io/any_model.hpp"
#include "tests/io/weights_support.hpp"

using namespace detrack;
using namespace detrack::test;

namespace {

/// Parameters that tests/data/weights/vit.pth fits.
Model<float> small_backbone(const std::string& prefix = "backbone.") {
  constexpr std::int64_t C = 16;
  Model<float> model;
  model.add(prefix + "patch_embed.proj.weight", {C, 3, 4, 4});
  model.add(prefix + "patch_embed.proj.bias", {C});
  model.add(prefix + "pos_embed_search", {1, 36, C});
  model.add(prefix + "pos_embed_template", {1, 16, C});
  for (const char* block : {"blocks.0.", "blocks.1."}) {
    for (const char* norm : {"norm1", "norm2"})
      for (const char* end : {".weight", ".bias"}) model.add(prefix + block + norm + end, {C});
    const auto linear = [&](const std::string& name, std::int64_t out, std::int64_t in) {
      model.add(prefix + block + name + ".weight", {out, in});
      model.add(prefix + block + name + ".bias", {out});
    };
    linear("attn.qkv", 3 * C, C);
    linear("attn.proj", C, C);
    linear("mlp.fc1", 2 * C, C);
    linear("mlp.fc2", C, 2 * C);
  }
  model.add(prefix + "norm.weight", {C});
  model.add(prefix + "norm.bias", {C});
  return model;
}

std::vector<std::byte> all_elements(const WeightsFile& file) {
  std::vector<std::byte> all;
  for (const TensorInfo& info : file.tensors()) {
    const auto elements = stored_elements(file, info, 1000);
    all.insert(all.end(), elements.begin(), elements.end());
  }
  return all;
}

}  // namespace

TEST_CASE("open_weights: what is no file of weights is named for what it is") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& contents, const std::string& because) {
    std::ofstream(folder / "f.pth", std::ios::binary) << contents;
    const std::string message = error_of(ErrorCode::format, [&] { open_weights(folder / "f.pth"); });
    CAPTURE(message);
    CHECK(message.starts_with((folder / "f.pth").string() + ": expected weights (safetensors, PyTorch, NumPy), got "));
    CHECK(message.ends_with(because));
  };
  refused("", "an empty file");
  refused("hello\n", "a text file that begins with 'hello\\x0a'");
  refused("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 3\n",
          "a Git LFS pointer (the file itself was not fetched: run git lfs pull)");
  refused(std::string("\x1f\x8b\x08\x00", 4) + std::string(20, 'x'), "data packed by gzip (unpack them first)");
  refused("\x89HDF\r\n\x1a\n" + std::string(20, 'x'), "an HDF5 file (perhaps of Keras)");
  refused(std::string(257, '\0') + "ustar" + std::string(20, '\0'),
          "a tar archive (unpack it first; PyTorch before 0.2 wrote such checkpoints, which are not read)");
  refused(std::string(20, '\xff'), "a file that begins with '\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff'");
  CHECK(error_of(ErrorCode::io, [&] { open_weights(folder / "none"); }).find("cannot open: No such file") !=
        std::string::npos);
  error_of(ErrorCode::io, [&] { open_weights(folder.path()); });
  CHECK(parse_weights(good_file(), "x").format() == WeightsFormat::safetensors);
  // A length of 640 is how a pickle begins.
  CHECK(parse_weights(craft("{}" + std::string(638, ' '), 0), "x").format() == WeightsFormat::safetensors);
  for (const char* name : {"arrays.npz", "array.npy"})
    error_of(ErrorCode::state_dict, [&] { open_weights(weights_fixture(name), {.part = "x"}); });
}

TEST_CASE("open_weights: one vision transformer in four formats fills a model alike") {
  const TemporaryFolder folder;
  const WeightsFile torch = open_weights(weights_fixture("vit.pth"));
  convert_weights(torch, folder / "vit.safetensors");
  // The same again as NumPy's archives, stored and deflated (in stored blocks).
  std::vector<CraftedMember> stored, packed;
  for (const TensorInfo& info : torch.tensors()) {
    const auto elements = stored_elements(torch, info, 1000);
    std::string shape = "(";
    for (const std::int64_t extent : info.shape) shape += std::to_string(extent) + ", ";
    const std::string array = craft_npy("{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ")}\n",
                                        std::string(detail::as_text(elements)));
    stored.push_back({.name = info.name + ".npy", .data = array});
    packed.push_back({.name = info.name + ".npy",
                      .data = "\x01" + little(array.size(), 2) + little(array.size() ^ 0xffff, 2) + array,
                      .method = 8,
                      .size = static_cast<std::int64_t>(array.size()),
                      .crc = detail::crc32(std::as_bytes(std::span(array)))});
  }
  write_file(folder / "stored.npz", to_bytes(craft_zip(stored)));
  write_file(folder / "packed.npz", to_bytes(craft_zip(packed)));

  auto expected = small_backbone();
  const ImportReport report = import_vit(torch, expected);
  CHECK(report.count(ImportReport::Outcome::loaded) == 29);
  CHECK(report.count(ImportReport::Outcome::interpolated) == 1);
  CHECK(report.count(ImportReport::Outcome::unused) == 3);
  for (const char* name : {"vit.safetensors", "stored.npz", "packed.npz"}) {
    CAPTURE(name);
    auto model = small_backbone();
    import_vit(open_weights(folder / name), model);
    CHECK(model.values() == expected.values());
  }

  // The state dict of a model by its own names.
  Model<double> head;
  head.add("head.weight", {3, 16});
  head.add("head.bias", {3});
  load_state_dict(open_weights(folder / "packed.npz"), head, {.allow_unexpected = true});
  std::vector<double> weights(48);
  torch.read(torch.get("head.weight"), 0, std::span(weights));
  CHECK(head.values_of("head.weight") == weights);
  CHECK(error_of(ErrorCode::state_dict, [&] { load_state_dict(torch, head); }).find("unexpected") != std::string::npos);
}

TEST_CASE("convert_weights: every fixture keeps its bits as safetensors; floats convert where asked") {
  const TemporaryFolder folder;
  for (const char* name : {"zip.pth", "stream.pth", "arrays.npz", "packed.npz", "array.npy", "vit.pth"}) {
    CAPTURE(name);
    const WeightsFile file = open_weights(weights_fixture(name));
    const SaveReport report = convert_weights(file, folder / "out");
    CHECK(report.tensors == file.tensors().size());
    const WeightsFile back = open_weights(folder / "out");
    CHECK(back.format() == WeightsFormat::safetensors);
    CHECK(all_elements(back) == all_elements(file));
    CHECK(compare_weights(back, file).tensors.empty());
  }
  const WeightsFile file = open_weights(weights_fixture("zip.pth"));
  const SaveReport report = convert_weights(file, folder / "half", DType::f16);
  CHECK(report.overflowed == std::map<std::string, std::int64_t>{{"brain", 1}, {"double", 1}, {"float", 1}});
  const WeightsFile half = open_weights(folder / "half");
  CHECK(half.get("base").dtype == DType::f16);
  CHECK(half.get("long").dtype == DType::i64);
  const auto difference = compare_weights(half, file);
  for (const auto& tensor : difference.tensors)
    if (tensor.name == "base") {
      CHECK(tensor.kind == TensorDifference::Kind::values);
      CHECK(tensor.relative > 1e-5);
      CHECK(tensor.relative < 5e-4);
      CHECK(tensor.largest < 2e-3);
    }
  // Onto itself: what is read stays readable until the new file is complete.
  convert_weights(half, folder / "half");
  CHECK(compare_weights(open_weights(folder / "half"), half).tensors.empty());
}

TEST_CASE("merge_weights and extract_weights: apart and together again") {
  const TemporaryFolder folder;
  Model<float> model;
  model.add("backbone.a", {2, 3}, 1);
  model.add("backbone.b", {4}, 2);
  model.add("iou.c", {5}, 3);
  save_state_dict(folder / "all", model, {{"detrack.config", "{}"}});
  const WeightsFile all = open_weights(folder / "all");
  CHECK(extract_weights(all, "backbone.", "backbone.", folder / "backbone").tensors == 2);
  CHECK(extract_weights(all, "iou.", "", folder / "head").tensors == 1);
  CHECK(open_weights(folder / "head").find("c") != nullptr);
  extract_weights(open_weights(folder / "head"), "", "iou.", folder / "head");
  std::vector<WeightsFile> parts;
  parts.push_back(open_weights(folder / "backbone"));
  parts.push_back(open_weights(folder / "head"));
  merge_weights(parts, folder / "again");
  CHECK(read_file(folder / "again") == read_file(folder / "all"));

  parts.push_back(open_weights(folder / "all"));
  const std::string message = error_of(ErrorCode::argument, [&] { merge_weights(parts, folder / "again"); });
  CHECK(message.find("tensor 'backbone.a': expected a name of its own") != std::string::npos);
  merge_weights(parts, folder / "again", true);
  CHECK(read_file(folder / "again") == read_file(folder / "all"));
  CHECK(error_of(ErrorCode::state_dict, [&] {
          extract_weights(all, "none.", "", folder / "x");
        }).find("'none.*', got none") != std::string::npos);
  CHECK(folder.count() == 4);
}

TEST_CASE("statistics: range, mean, and what is no number") {
  const WeightsFile file = open_weights(weights_fixture("zip.pth"));
  const TensorStatistics floats = statistics(file, file.get("float"));
  CHECK(floats.count == 6);
  CHECK(floats.nan == 1);
  CHECK(floats.infinite == 1);
  CHECK(floats.min == -2.25);
  CHECK(floats.max == static_cast<double>(3e38f));
  const TensorStatistics bytes = statistics(file, file.get("byte"));
  CHECK(bytes.mean == (0 + 128 + 200 + 255) / 4.0);
  CHECK(bytes.zero == 1);
  CHECK(statistics(file, file.get("bool")).mean == doctest::Approx(2 / 3.0));
  CHECK(statistics(file, file.get("repeated")).count == 35);
  CHECK(std::isnan(statistics(file, file.get("empty")).mean));
}

TEST_CASE("compare_weights: what differs, and by how much") {
  const TemporaryFolder folder;
  const auto save = [&](const char* name, float bias, std::int64_t rows, std::int64_t number, bool more) {
    Model<float> model;
    model.add("same", {3}, 1);
    model.add("values", {2}, bias);
    model.add("shape", {rows, 2});
    if (more) model.add("more", {1});
    std::vector<SafetensorsEntry> entries;
    Tensor<std::int64_t> count(Shape{1});
    count.data()[0] = number;
    model.visit([&](const std::string& tensor, auto& p) { entries.emplace_back(tensor, p.value); });
    entries.emplace_back("count", count.view());
    save_safetensors(folder / name, std::move(entries));
  };
  const std::int64_t big = std::int64_t{1} << 60;
  save("a", 3, 2, big, true);
  save("b", 3.5f, 3, big + 1, false);
  const auto result = compare_weights(open_weights(folder / "a"), open_weights(folder / "b"));
  CHECK(result.equal == 1);
  REQUIRE(result.tensors.size() == 4);
  using Kind = TensorDifference::Kind;
  CHECK(result.tensors[0].name == "count");
  CHECK(result.tensors[0].different == 1);  // although both are the same double
  CHECK(result.tensors[1].kind == Kind::only_first);
  CHECK(result.tensors[2].kind == Kind::shape);
  CHECK(result.tensors[3].kind == Kind::values);
  CHECK(result.tensors[3].largest == 0.5);
  CHECK(result.tensors[3].mean == 0.5);
  CHECK(result.tensors[3].relative == doctest::Approx(std::sqrt(0.5) / std::hypot(3.5, 4.5)));
}

TEST_CASE("compare_weights: the mean is of what is finite in both, and nothing is small beside zeros") {
  const TemporaryFolder folder;
  const auto save = [&](const char* name, std::array<float, 4> values) {
    std::vector<SafetensorsEntry> entries;
    entries.emplace_back("x", View<const float>(values.data(), Shape{4}));
    save_safetensors(folder / name, std::move(entries));
  };
  constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  save("a", {1, 2, nan, 4});
  save("b", {1, 2.5f, 3, infinity});
  save("zeros", {0, 0, 0, 0});
  const auto difference = [&](const char* first, const char* second) {
    return compare_weights(open_weights(folder / first), open_weights(folder / second)).tensors.at(0);
  };
  const TensorDifference some = difference("a", "b");
  CHECK(some.different == 3);
  CHECK(some.nan == 1);
  CHECK(some.largest == 0.5);
  CHECK(some.mean == 0.25);
  CHECK(difference("a", "zeros").mean == doctest::Approx(7 / 3.0));
  CHECK(std::isinf(difference("a", "zeros").relative));
}
