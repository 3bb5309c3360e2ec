// The weights program, run as people run it: files of every format, of none, and of somebody else.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "detrack/core/rng.hpp"
#include "detrack/io/open_weights.hpp"
#include "detrack/io/safetensors_writer.hpp"
#include "detrack/model/plan.hpp"
#include "detrack/model/weights_file.hpp"
#include "tests/support/craft_archive.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/small_model.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace detrack;
using detrack::test::Outcome;

namespace {

namespace fs = std::filesystem;

/// A folder with copies of some fixtures, in which the program runs.
class WeightsWorkshop {
 public:
  WeightsWorkshop() {
    for (const char* name : {"vit.pth", "run.pth", "arrays.npz", "zip.pth", "stream.pth", "module.pth"})
      fs::copy_file(fs::path(DETRACK_SOURCE_DIR) / "tests/data/weights" / name, at(name));
  }
  fs::path at(const std::string& name) const { return folder_ / name; }
  Outcome run(const std::string& arguments) const {
    return test::run_program("cd '" + folder_.path().string() + "' && '" DETRACK_WEIGHTS "' " + arguments);
  }
  /// Status and output must be right.
  Outcome good(const std::string& arguments, int status = 0) const {
    const Outcome outcome = run(arguments);
    CAPTURE(arguments);
    CAPTURE(outcome.output);
    CHECK(outcome.status == status);
    return outcome;
  }
  void refused(const std::string& arguments, std::initializer_list<const char*> words) const {
    const Outcome outcome = good(arguments, 2);
    CAPTURE(arguments);
    CAPTURE(outcome.output);
    for (const char* word : words) CHECK(outcome.says(word));
  }
  void write(const std::string& name, const std::string& text) const { std::ofstream(at(name), std::ios::binary) << text; }

 private:
  test::TemporaryFolder folder_;
};

/// A DeiT-Tiny of random numbers, as shapes and bytes that formats are made of.
struct TimmVit {
  struct Entry {
    std::string name;
    std::vector<std::int64_t> shape;
    std::string bytes;
  };
  std::vector<Entry> entries;

  void add(const std::string& name, const std::vector<std::int64_t>& shape) {
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    Philox random(5, stream_of(name));
    std::string bytes(static_cast<std::size_t>(count) * 4, '\0');
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const auto value = static_cast<float>(random.uniform() - 0.5);
      std::memcpy(bytes.data() + 4 * i, &value, 4);
    }
    entries.push_back({name, shape, std::move(bytes)});
  }
  TimmVit() {
    constexpr std::int64_t C = 192;
    add("cls_token", {1, 1, C});
    add("pos_embed", {1, 197, C});
    add("patch_embed.proj.weight", {C, 3, 16, 16});
    add("patch_embed.proj.bias", {C});
    for (int block = 0; block < 12; ++block) {
      const std::string name = "blocks." + std::to_string(block) + ".";
      for (const char* norm : {"norm1", "norm2"})
        for (const char* end : {".weight", ".bias"}) add(name + norm + end, {C});
      for (const auto& [layer, out, in] :
           {std::tuple{"attn.qkv", 3 * C, C}, {"attn.proj", C, C}, {"mlp.fc1", 4 * C, C}, {"mlp.fc2", C, 4 * C}}) {
        add(name + layer + ".weight", {out, in});
        add(name + layer + ".bias", {out});
      }
    }
    add("norm.weight", {C});
    add("norm.bias", {C});
    add("head.weight", {10, C});
    add("head.bias", {10});
  }

  std::string code(std::vector<std::pair<std::string, std::string>>& storages, bool counted) const {
    std::vector<std::pair<std::string, std::string>> items;
    for (const Entry& entry : entries) {
      const auto count = static_cast<std::int64_t>(entry.bytes.size() / 4);
      std::vector<std::int64_t> strides(entry.shape.size());
      std::int64_t stride = 1;
      for (std::size_t i = strides.size(); i-- > 0; stride *= entry.shape[i]) strides[i] = stride;
      const std::string key = std::to_string(storages.size());
      items.emplace_back("module." + entry.name,
                         test::pickled_tensor({.shape = entry.shape, .strides = strides, .count = count, .key = key}));
      storages.emplace_back(key, (counted ? test::little(static_cast<std::uint64_t>(count), 8) : "") + entry.bytes);
    }
    return test::pickled_dictionary({{"model", test::pickled_dictionary(items)}, {"epoch", "K\x05"}});
  }
  test::Bytes checkpoint() const {
    std::vector<std::pair<std::string, std::string>> storages;
    const std::string pickled = code(storages, false);
    return test::craft_checkpoint(pickled, storages);
  }
  test::Bytes stream() const {
    test::CraftedStream stream{.storages = {}};
    stream.code = code(stream.storages, true);
    return test::craft_stream(stream);
  }
  test::Bytes archive() const {
    std::vector<test::CraftedMember> members;
    for (const Entry& entry : entries) {
      std::string shape = "(";
      for (const std::int64_t extent : entry.shape) shape += std::to_string(extent) + ", ";
      members.push_back(
          {.name = entry.name + ".npy",
           .data = test::craft_npy("{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ")}\n", entry.bytes)});
    }
    return test::to_bytes(test::craft_zip(members));
  }
};

}  // namespace

TEST_CASE("weights: help, and what nobody can use") {
  const WeightsWorkshop work;
  const Outcome help = work.good("--help");
  for (const char* word : {"inspect", "convert", "init", "diff", "merge", "extract", "PyTorch"}) CHECK(help.says(word));
  for (const char* command : {"inspect", "convert", "init", "diff", "merge", "extract"})
    CHECK(work.good(std::string(command) + " --help").says(command));
  work.refused("", {"subcommand"});
  work.refused("explain vit.pth", {"subcommand"});
  work.refused("inspect", {"FILE"});
  work.refused("convert vit.pth x --dtype f8", {"f8", "bf16"});

  work.write("text.pth", "hello\n");
  work.write("empty.pth", "");
  work.write("pointer.pth", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 350000000\n");
  const std::string torn = test::read_text(work.at("zip.pth"));
  work.write("torn.pth", torn.substr(0, torn.size() / 2));
  for (const char* command : {"inspect ", "convert "}) {
    const std::string out = std::string(command) == "convert " ? " out" : "";
    work.refused(command + std::string("none.pth") + out, {"weights: none.pth: cannot open: No such file"});
    work.refused(command + std::string(".") + out, {"weights: .: expected a regular file, got a directory"});
    work.refused(command + std::string("text.pth") + out,
                 {"text.pth: expected weights", "a text file that begins with 'hello"});
    work.refused(command + std::string("empty.pth") + out, {"empty.pth: expected weights", "an empty file"});
    work.refused(command + std::string("pointer.pth") + out, {"pointer.pth: ", "a Git LFS pointer", "git lfs pull"});
    work.refused(command + std::string("torn.pth") + out, {"torn.pth: ", "a file cut short?"});
    work.refused(command + std::string("module.pth") + out, {"'Whole'", "save model.state_dict() instead"});
  }
  CHECK_FALSE(fs::exists(work.at("out")));
  work.refused("convert vit.pth none/out", {"none/out: cannot create"});
  work.refused("inspect run.pth --part x", {"expected a part 'x'", "'model_ema'"});
  save_safetensors(work.at("odd"), {}, {{Config::kMetadataKey, "{}"}});
  work.refused("inspect odd", {"odd: config"});
}

TEST_CASE("weights inspect: for people and for programs") {
  const WeightsWorkshop work;
  Outcome outcome = work.good("inspect vit.pth");
  for (const char* word : {"PyTorch (zip)", "part 'model'", "vision transformer", "width 16, 2 blocks, patch 4",
                           "pictures of 16 x 16", "FLOP", "32 tensors", "blocks.*.attn.qkv.weight (48, 16), 2 times"})
    CHECK_MESSAGE(outcome.says(word), outcome.output);
  outcome = work.good("inspect run.pth");
  CHECK(outcome.says("12 tensors under 'optimizer'"));
  CHECK(work.good("inspect zip.pth --tensors").says("transposed F32 (8, 6)"));
  CHECK(work.good("inspect zip.pth --stats").says("float F32 (6)  min -2.25 mean "));
  CHECK(work.good("inspect zip.pth --stats").says("NaN 1 infinite 1"));

  const auto json = nlohmann::json::parse(work.good("inspect zip.pth --json --stats").output);
  CHECK(json.at("format") == "PyTorch (zip)");
  CHECK(json.at("tensor_count") == 29);
  CHECK(json.at("types").at("BF16") == 4);
  for (const auto& tensor : json.at("tensors")) {
    if (tensor.at("name") == "float") {
      CHECK(tensor.at("shape") == nlohmann::json{6});
      CHECK(tensor.at("nan") == 1);
      CHECK(tensor.at("min") == -2.25);
    }
    if (tensor.at("name") == "empty") CHECK(tensor.at("mean").is_null());
  }
  CHECK_FALSE(nlohmann::json::parse(work.good("inspect arrays.npz --json").output).contains("tensors"));

  DeTrack<float> model(test::small_config());
  test::randomise(model);
  save_model(work.at("small.safetensors"), model);
  const auto whole = nlohmann::json::parse(work.good("inspect small.safetensors --json").output);
  CHECK(whole.at("model").at("kind") == "DeTrack small");
  CHECK(whole.at("model").at("parameters") == model.parameter_count());
  CHECK(whole.at("model").at("flops") == plan<float>(model.config(), RunShape::of(model.config())).cost.flops);
  CHECK(whole.at("configuration").at("width") == 24);
  CHECK(work.good("inspect small.safetensors").says("model: DeTrack small"));
}

TEST_CASE("weights convert, diff, extract, merge: round trips") {
  const WeightsWorkshop work;
  for (const char* name : {"zip.pth", "stream.pth", "arrays.npz", "vit.pth"}) {
    CHECK(work.good(std::string("convert ") + name + " out").says(" tensors, "));
    CHECK(work.good(std::string("diff out ") + name).says("tensors are the same, 0 are not"));
    CHECK(open_weights(work.at("out")).format() == WeightsFormat::safetensors);
  }
  CHECK(work.good("convert run.pth ema --part model_ema").says("2 tensors"));
  CHECK(work.good("convert run.pth ema").says("left out: 12 tensors under 'optimizer'"));
  CHECK(work.good("convert zip.pth half --dtype f16").says("warning: float: 1 values are beyond"));
  work.good("convert vit.pth brain --dtype bf16");
  CHECK(work.good("diff brain vit.pth", 1).says("relative 0.00"));
  CHECK(work.good("diff zip.pth vit.pth", 1).says("only in zip.pth"));
  work.refused("diff vit.pth none", {"none: cannot open"});

  work.good("convert vit.pth all");
  work.good("extract all blocks --prefix blocks. --as backbone.blocks.");
  CHECK(work.good("inspect blocks --tensors").says("backbone.blocks.1.norm2.bias F32 (16)"));
  work.good("extract blocks blocks --prefix backbone. --as ''");
  for (const char* part : {"cls_token", "head", "norm", "patch_embed", "pos_embed"})
    work.good(std::string("extract all ") + part + " --prefix " + part);
  CHECK(work.good("merge blocks cls_token head norm patch_embed pos_embed again").says("again: 32 tensors"));
  CHECK(test::read_file(work.at("again")) == test::read_file(work.at("all")));
  work.refused("merge all head again", {"tensor 'head.bias'", "expected a name of its own"});
  CHECK(test::read_file(work.at("again")) == test::read_file(work.at("all")));  // it stayed
  work.good("merge all head again --replace");
  work.refused("extract all out --prefix none", {"'none*', got none"});
}

TEST_CASE("weights init: a DeTrack from a timm-style transformer in each format") {
  const WeightsWorkshop work;
  const TimmVit vit;
  test::write_file(work.at("zip"), vit.checkpoint());
  test::write_file(work.at("stream"), vit.stream());
  test::write_file(work.at("npz"), vit.archive());
  work.good("convert npz safetensors");
  for (const char* format : {"zip", "stream", "npz", "safetensors"}) {
    const Outcome outcome =
        work.good(std::string("init --preset detrack-n128 --dtype bf16 --seed 3 --vit ") + format + " " + format + ".out");
    for (const char* word : {"loaded: 148", "interpolated: 2", "unused: 3 (of the file)", "initialised: ", "cls_token"})
      CHECK_MESSAGE(outcome.says(word), outcome.output);
    if (std::string(format) != "zip")
      CHECK(test::read_file(work.at(std::string(format) + ".out")) == test::read_file(work.at("zip.out")));
  }
  const WeightsFile made = open_weights(work.at("zip.out")), given = open_weights(work.at("npz"));
  CHECK(read_config(made).name == "detrack-n128");
  std::vector<float> got(192 * 768), wanted(192 * 768);
  made.read(made.get("backbone.blocks.11.mlp.fc2.weight"), 0, std::span(got));
  given.read(given.get("blocks.11.mlp.fc2.weight"), 0, std::span(wanted));
  for (std::size_t i = 0; i < got.size(); ++i) REQUIRE(std::abs(got[i] - wanted[i]) <= std::abs(wanted[i]) / 256);
  CHECK(work.good("inspect zip.out").says("model: DeTrack detrack-n128"));

  work.refused("init --preset detrack-b256 --vit zip out", {"width: expected 768, got 192"});
  work.refused("init --preset detrack-x --vit zip out", {"detrack-n128, detrack-t256"});
  work.refused("init --preset detrack-n128 --vit vit.pth out",
               {"width: expected 192, got 16", "depth: expected 12 blocks, got 2 blocks"});
  work.refused("init --preset detrack-n128 --vit arrays.npz out", {"expected a vision transformer"});
  CHECK_FALSE(fs::exists(work.at("out")));
}
