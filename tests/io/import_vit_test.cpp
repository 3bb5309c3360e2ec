// Vision transformers' files of many naming schemes into a backbone, and those that must be refused with the model
// untouched.
#include "detrack/io/import_vit.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "detrack/io/safetensors_file.hpp"
#include "tests/fuzz/mutate.hpp"
#include "tests/io/any_model.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace detrack;
using test::error_of;

namespace {

using Outcome = ImportReport::Outcome;

constexpr std::int64_t kWidth = 4, kPatch = 2, kDepth = 2, kSearch = 4, kTemplate = 2;  // the last two: sides of grids

struct Tensors {
  std::vector<std::pair<std::string, Tensor<float>>> all;

  void add(const std::string& name, const Shape& shape) {
    Tensor<float> tensor(shape);
    Philox rng(7, stream_of(name));
    for (std::int64_t i = 0; i < shape.numel(); ++i) tensor.data()[i] = static_cast<float>(rng.normal());
    all.emplace_back(name, std::move(tensor));
  }
  Tensor<float>& at(const std::string& name) {
    for (auto& [known, tensor] : all)
      if (known == name) return tensor;
    throw std::out_of_range(name);
  }
  std::vector<float> values(const std::string& name) {
    const Tensor<float>& tensor = at(name);
    return {tensor.data(), tensor.data() + tensor.numel()};
  }
  void rename(const std::function<std::string(const std::string&)>& f) {
    for (auto& [name, tensor] : all) name = f(name);
  }
  void remove(const std::string& name) {
    std::erase_if(all, [&](const auto& entry) { return entry.first == name; });
  }
  void save(const std::filesystem::path& path, DType type = DType::f32) {
    std::vector<SafetensorsEntry> entries;
    for (auto& [name, tensor] : all) entries.emplace_back(name, tensor.view(), type);
    save_safetensors(path, std::move(entries));
  }
};

void add_block(Tensors& file, const std::string& block, std::int64_t C = kWidth) {
  for (const char* norm : {"norm1", "norm2"})
    for (const char* end : {".weight", ".bias"}) file.add(block + norm + end, {C});
  const auto linear = [&](const std::string& name, std::int64_t out, std::int64_t in) {
    file.add(block + name + ".weight", {out, in});
    file.add(block + name + ".bias", {out});
  };
  linear("attn.qkv", 3 * C, C);
  linear("attn.proj", C, C);
  linear("mlp.fc1", 2 * C, C);
  linear("mlp.fc2", C, 2 * C);
}

/// A classifier under timm's names. `tokens`: rows of the position embedding before its 3 x 3 grid.
Tensors classifier(std::int64_t tokens = 1, std::int64_t depth = kDepth, std::int64_t C = kWidth,
                   std::int64_t patch = kPatch, std::int64_t side = 3) {
  Tensors file;
  file.add("cls_token", {1, 1, C});
  file.add("pos_embed", {1, side * side + tokens, C});
  file.add("patch_embed.proj.weight", {C, 3, patch, patch});
  file.add("patch_embed.proj.bias", {C});
  for (std::int64_t j = 0; j < depth; ++j) add_block(file, "blocks." + std::to_string(j) + ".", C);
  file.add("norm.weight", {C});
  file.add("norm.bias", {C});
  file.add("head.weight", {10, C});
  file.add("head.bias", {10});
  return file;
}

/// Parameters as model.md names them; some of those that no ViT has are left out.
template <class T = float>
test::Model<T> backbone(std::int64_t depth = kDepth, std::int64_t search = kSearch) {
  test::Model<T> model;
  float start = 1000;
  const auto add = [&](const std::string& name, const Shape& shape) { model.add(name, shape, start += 100); };
  add("backbone.patch_embed.proj.weight", {kWidth, 3, kPatch, kPatch});
  add("backbone.patch_embed.proj.bias", {kWidth});
  add("backbone.pos_embed_search", {1, search * search, kWidth});
  add("backbone.pos_embed_template", {1, kTemplate * kTemplate, kWidth});
  add("backbone.template_embed", {2, kWidth});
  for (std::int64_t j = 0; j < depth; ++j) {
    const std::string name = "backbone.blocks." + std::to_string(j) + ".";
    Tensors shapes;
    add_block(shapes, name);
    for (const auto& [parameter, tensor] : shapes.all) add(parameter, tensor.shape());
    add(name + "denoise.q.weight", {kWidth, kWidth});
    add(name + "denoise.mlp.fc1.bias", {2 * kWidth});
  }
  add("backbone.norm.weight", {kWidth});
  add("backbone.norm.bias", {kWidth});
  add("box.norm.weight", {kWidth});
  add("refine.layers.0.norm1.weight", {kWidth});
  return model;
}

constexpr std::size_t kBlockTensors = 12, kShared = 4 + kBlockTensors * kDepth;  // the patch embedding and the norm: four

/// `file` saved, imported into `model`.
template <class T>
ImportReport import(Tensors& file, test::Model<T>& model, const ImportVitOptions& options = {}, DType type = DType::f32) {
  const test::TemporaryFolder folder;
  file.save(folder / "vit", type);
  return import_vit(SafetensorsFile::open(folder / "vit"), model, options);
}

/// The message of a refusal after the file's name; the model must be as it was.
std::string refusal(Tensors& file, const ImportVitOptions& options = {}, test::Model<float> model = backbone(),
                    DType type = DType::f32) {
  const test::TemporaryFolder folder;
  file.save(folder / "vit", type);
  const auto opened = SafetensorsFile::open(folder / "vit");
  const auto before = model.values();
  std::string message = error_of(ErrorCode::state_dict, [&] { import_vit(opened, model, options); });
  CHECK(model.values() == before);
  const std::string start = (folder / "vit").string() + ": ";
  return message.starts_with(start) ? message.substr(start.size()) : message;
}

/// The grid of a position embedding, resampled as resample_grid does.
std::vector<float> moved(const std::vector<float>& embedding, std::int64_t tokens, std::int64_t from, std::int64_t to) {
  const std::vector<double> grid(embedding.begin() + tokens * kWidth, embedding.end());
  std::vector<double> out(static_cast<std::size_t>(to * to * kWidth));
  resample_grid(grid, from, out, to, kWidth);
  return {out.begin(), out.end()};
}

}  // namespace

TEST_CASE("importing a ViT: every tensor goes where its name says, bit for bit, and everything is accounted for") {
  auto file = classifier();
  auto model = backbone();
  const auto before = backbone();
  const ImportReport report = import(file, model);
  CHECK(report.count(Outcome::loaded) == kShared);
  CHECK(report.count(Outcome::interpolated) == 2);
  CHECK(report.count(Outcome::initialised) == 1 + 2 * kDepth + 2);
  CHECK(report.count(Outcome::unused) == 3);
  std::size_t seen = 0;
  for (const auto& entry : model.entries) {
    const auto* found = report.find(entry.name);
    REQUIRE(found);
    const auto got = model.values_of(entry.name);
    if (found->outcome == Outcome::loaded) {
      CHECK(entry.name == "backbone." + found->tensors.at(0));
      const auto expected = file.values(found->tensors[0]);
      REQUIRE(got.size() == expected.size());
      CHECK(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)) == 0);
      ++seen;
    } else if (found->outcome == Outcome::initialised) {
      CHECK(got == before.values_of(entry.name));
    }
  }
  CHECK(seen == kShared);
  CHECK(model.values_of("backbone.pos_embed_search") == moved(file.values("pos_embed"), 1, 3, kSearch));
  CHECK(model.values_of("backbone.pos_embed_template") == moved(file.values("pos_embed"), 1, 3, kTemplate));
  const auto* grid = report.find("backbone.pos_embed_template");
  CHECK(grid->from_grid == 3);
  CHECK(grid->to_grid == 2);
  std::vector<std::string> unused;
  for (const auto& entry : report.entries)
    if (entry.outcome == Outcome::unused) unused.push_back(entry.tensors.at(0));
  CHECK(unused == std::vector<std::string>{"cls_token", "head.bias", "head.weight"});
}

TEST_CASE("importing a ViT: the report's summary reads well") {
  auto file = classifier();
  auto model = backbone();
  const std::string text = import(file, model).summary();
  CHECK(text.find("  loaded: 28\n") != std::string::npos);
  CHECK(text.find("    backbone.blocks.*.attn.qkv.weight, 2 times\n") != std::string::npos);
  CHECK(text.find("  interpolated: 2\n    backbone.pos_embed_search from pos_embed, 3x3 to 4x4\n") != std::string::npos);
  CHECK(text.find("  initialised: 7 (not in the file)\n    backbone.template_embed\n") != std::string::npos);
  CHECK(text.find("  unused: 3 (of the file)\n    cls_token\n    head.bias\n    head.weight\n") != std::string::npos);

  Tensors strange = classifier();
  for (int i = 0; i < 100; ++i) strange.add("\x1b[31m" + std::string(1000, 'x') + std::to_string(i), {1});
  const std::string safe = import(strange, model).summary();
  CHECK(safe.find('\x1b') == std::string::npos);
  CHECK(safe.size() < 20000);
}

TEST_CASE("importing a ViT: wrappers before the names come off, however many") {
  auto plain = classifier();
  auto expected = backbone();
  import(plain, expected);
  for (const std::string prefix : {"module.", "encoder.", "backbone.", "model.", "module.encoder.",
                                   "model.backbone.encoder.", "module.module.", "backbone.model.encoder.module."}) {
    auto file = classifier();
    file.rename([&](const std::string& name) { return prefix + name; });
    file.add("decoder_pos_embed", {1, 10, 3});
    file.add("decoder_blocks.0.norm1.weight", {3});
    file.add("decoder.blocks.7.norm1.weight", {3});
    file.add("mask_token", {1, 1, kWidth});
    file.add("fc_norm.weight", {kWidth});
    file.add("dist_token", {1, 1, kWidth});
    auto model = backbone();
    const ImportReport report = import(file, model);
    CHECK(report.count(Outcome::unused) == 9);
    // Random values hang on names, so compare with the file, not with the plain one.
    CHECK(model.values_of("backbone.blocks.1.mlp.fc2.weight") == file.values(prefix + "blocks.1.mlp.fc2.weight"));
    CHECK(model.values_of("backbone.norm.bias") == file.values(prefix + "norm.bias"));
    CHECK(report.find("backbone.norm.bias")->tensors == std::vector<std::string>{prefix + "norm.bias"});
  }
}

TEST_CASE("importing a ViT: queries, keys and values stored apart are put together, in this order") {
  for (const std::string end : {"", "_proj"}) {
    auto file = classifier();
    for (int j = 0; j < kDepth; ++j) {
      const std::string attn = "blocks." + std::to_string(j) + ".attn.";
      file.remove(attn + "qkv.weight");
      file.remove(attn + "qkv.bias");
      for (const std::string which : {"q", "k", "v"}) {
        file.add(attn + which + end + ".weight", {kWidth, kWidth});
        file.add(attn + which + end + ".bias", {kWidth});
      }
    }
    auto model = backbone();
    const ImportReport report = import(file, model);
    CHECK(report.count(Outcome::loaded) == kShared);
    CHECK(report.count(Outcome::unused) == 3);
    for (const std::string kind : {".weight", ".bias"}) {
      std::vector<float> expected;
      for (const std::string which : {"q", "k", "v"}) {
        const auto part = file.values("blocks.1.attn." + which + end + kind);
        expected.insert(expected.end(), part.begin(), part.end());
      }
      CHECK(model.values_of("backbone.blocks.1.attn.qkv" + kind) == expected);
      CHECK(report.find("backbone.blocks.1.attn.qkv" + kind)->tensors.size() == 3);
    }
    file.remove("blocks.1.attn.k" + end + ".bias");
    CHECK(refusal(file) == "the file does not fit the model: 1 missing: 'blocks.1.attn.k" + end + ".bias'");
    file.add("blocks.1.attn.k" + end + ".bias", {kWidth + 1});
    CHECK(refusal(file) ==
          "the file does not fit the model: 1 of another shape: 'blocks.1.attn.k" + end + ".bias' (expected (4), got (5))");
  }
}

TEST_CASE("importing a ViT: position embeddings with no, one and two tokens before the grid") {
  for (const std::int64_t tokens : {0, 1, 2}) {
    for (const std::int64_t side : {1, 2, 3, 4, 7}) {
      auto file = classifier(tokens, kDepth, kWidth, kPatch, side);
      auto model = backbone();
      const ImportReport report = import(file, model);
      const auto embedding = file.values("pos_embed");
      const std::vector<float> grid(embedding.begin() + tokens * kWidth, embedding.end());
      CHECK(report.find("backbone.pos_embed_search")->outcome == (side == 4 ? Outcome::loaded : Outcome::interpolated));
      CHECK(report.find("backbone.pos_embed_template")->outcome == (side == 2 ? Outcome::loaded : Outcome::interpolated));
      CHECK(model.values_of("backbone.pos_embed_search") == (side == 4 ? grid : moved(embedding, tokens, side, kSearch)));
      CHECK(model.values_of("backbone.pos_embed_template") ==
            (side == 2 ? grid : moved(embedding, tokens, side, kTemplate)));
    }
  }
  auto file = classifier();
  file.remove("pos_embed");
  CHECK(refusal(file) == "the file does not fit the model: 1 missing: 'pos_embed'");
  const std::string expected = "(expected (1, n * n and 0, 1 or 2 tokens, 4), got ";
  for (const Shape& shape : {Shape{1, 12, kWidth}, Shape{10, kWidth}, Shape{2, 10, kWidth}, Shape{1, 10, kWidth + 1},
                             Shape{1, 0, kWidth}, Shape{1, 10, kWidth, 1}}) {
    file.add("pos_embed", shape);
    CHECK(refusal(file).find("'pos_embed' " + expected + to_string(shape) + ")") != std::string::npos);
    file.remove("pos_embed");
  }
}

TEST_CASE("importing a ViT: a file of this library brings its own grids and denoising halves") {
  Tensors file;
  {
    const auto source = backbone(kDepth, 5);
    for (const auto& entry : source.entries) file.add(entry.name, entry.memory.shape());
  }
  SUBCASE("grids that differ are resampled each from its own") {
    auto model = backbone();
    const auto before = backbone();
    const ImportReport report = import(file, model);
    CHECK(report.count(Outcome::loaded) == kShared + 2 + 2 * kDepth);  // the template's grid, template_embed
    CHECK(report.count(Outcome::interpolated) == 1);
    CHECK(report.count(Outcome::unused) == 2);
    CHECK(model.values_of("backbone.pos_embed_search") == moved(file.values("backbone.pos_embed_search"), 0, 5, kSearch));
    CHECK(model.values_of("backbone.pos_embed_template") == file.values("backbone.pos_embed_template"));
    CHECK(model.values_of("backbone.blocks.0.denoise.q.weight") == file.values("backbone.blocks.0.denoise.q.weight"));
    CHECK(model.values_of("box.norm.weight") == before.values_of("box.norm.weight"));
  }
  SUBCASE("the grid of the search image alone gives both") {
    file.remove("backbone.pos_embed_template");
    auto model = backbone(kDepth, 5);
    const ImportReport report = import(file, model);
    CHECK(report.find("backbone.pos_embed_search")->outcome == Outcome::loaded);
    CHECK(report.find("backbone.pos_embed_template")->from_grid == 5);
    CHECK(model.values_of("backbone.pos_embed_search") == file.values("backbone.pos_embed_search"));
    CHECK(model.values_of("backbone.pos_embed_template") ==
          moved(file.values("backbone.pos_embed_search"), 0, 5, kTemplate));
  }
  SUBCASE("another number of templates") {
    file.remove("backbone.template_embed");
    file.add("backbone.template_embed", {3, kWidth});
    auto model = backbone();
    const ImportReport report = import(file, model);
    CHECK(report.find("backbone.template_embed")->outcome == Outcome::initialised);
    CHECK(report.count(Outcome::unused) == 3);
  }
  SUBCASE("our grids have no class token") {
    file.remove("backbone.pos_embed_search");
    file.add("backbone.pos_embed_search", {1, 26, kWidth});
    CHECK(refusal(file).find("'backbone.pos_embed_search' (expected (1, n * n, 4), got (1, 26, 4))") != std::string::npos);
  }
}

TEST_CASE("importing a ViT: other depths only where they are allowed") {
  auto deep = classifier(1, 3), shallow = classifier(1, 1);
  CHECK(refusal(deep) == "the vision transformer does not fit the model: depth: expected 2 blocks, got 3 blocks");
  CHECK(refusal(shallow) == "the vision transformer does not fit the model: depth: expected 2 blocks, got 1 blocks");
  auto model = backbone();
  CHECK(import(deep, model, {.allow_depth = true}).count(Outcome::unused) == 3 + kBlockTensors);
  CHECK(model.values_of("backbone.blocks.1.attn.proj.bias") == deep.values("blocks.1.attn.proj.bias"));
  auto half = backbone();
  const auto before = backbone();
  const ImportReport report = import(shallow, half, {.allow_depth = true});
  CHECK(report.count(Outcome::initialised) == 7 + kBlockTensors);
  CHECK(half.values_of("backbone.blocks.0.attn.proj.bias") == shallow.values("blocks.0.attn.proj.bias"));
  CHECK(half.values_of("backbone.blocks.1.attn.proj.bias") == before.values_of("backbone.blocks.1.attn.proj.bias"));
  auto hole = classifier(1, 3);
  std::erase_if(hole.all, [](const auto& entry) { return entry.first.starts_with("blocks.1."); });
  CHECK(refusal(hole, {.allow_depth = true}).starts_with("the file does not fit the model: 12 missing: 'blocks.1."));
}

TEST_CASE("importing a ViT: what is no ViT or not this one is refused with the numbers") {
  auto sizes = classifier(1, 5, 8, 4);
  CHECK(refusal(sizes) ==
        "the vision transformer does not fit the model: width: expected 4, got 8; depth: expected 2 blocks, got 5 blocks; "
        "patch size: expected 2x2, got 4x4");
  Tensors grey = classifier();
  grey.remove("patch_embed.proj.weight");
  CHECK(
      refusal(grey).starts_with("expected a vision transformer (patch_embed.proj.weight, blocks.0.*, ...), got no such "
                                "patch embedding among 31 tensors"));
  grey.add("patch_embed.proj.weight", {kWidth, 1, kPatch, kPatch});
  CHECK(refusal(grey) == "the vision transformer does not fit the model: image channels: expected 3, got 1");
  grey.remove("patch_embed.proj.weight");
  grey.add("patch_embed.proj.weight", {kWidth, 3 * kPatch * kPatch});
  CHECK(refusal(grey) == "'patch_embed.proj.weight': expected (width, channels, patch size, patch size), got (4, 12)");
  Tensors headless = classifier(1, 0);
  CHECK(refusal(headless).find("got no blocks among 8 tensors") != std::string::npos);
  Tensors none;
  none.add("conv1.weight", {8, 3, 7, 7});
  CHECK(refusal(none).find("among 1 tensors") != std::string::npos);
  for (const std::string part : {"ls1.gamma", "attn.relative_position_bias_table", "attn.q_norm.weight", "mlp.w12.weight",
                                 "0.norm1.weight", "attn.q.weight.x"}) {
    auto other = classifier();
    other.add("blocks.0." + part, {kWidth});
    CHECK(refusal(other) ==
          "'blocks.0." + part + "': expected blocks of norm1, attn, norm2 and mlp alone, got a transformer of another kind");
  }
  for (const std::string block : {"blocks.00.", "blocks.x.", "blocks..", "blocks.-1.", "blocks.99999999999999999999."}) {
    auto other = classifier();
    other.add(block + "norm1.weight", {kWidth});
    CHECK(refusal(other).find("got a transformer of another kind") != std::string::npos);
  }
}

TEST_CASE("importing a ViT: tensors that are missing, misshapen, of another type, or there twice") {
  auto file = classifier();
  SUBCASE("missing") {
    for (const std::string name : {"blocks.1.norm2.bias", "patch_embed.proj.bias", "norm.bias"}) {
      file.remove(name);
      CHECK(refusal(file) == "the file does not fit the model: 1 missing: '" + name + "'");
      file.add(name, {kWidth});
    }
    file.remove("norm.weight");  // of a pooled classifier
    file.remove("norm.bias");
    auto model = backbone();
    CHECK(import(file, model).find("backbone.norm.bias")->outcome == Outcome::initialised);
  }
  SUBCASE("misshapen") {
    file.remove("blocks.1.mlp.fc1.weight");
    file.add("blocks.1.mlp.fc1.weight", {4 * kWidth, kWidth});
    CHECK(refusal(file) ==
          "the file does not fit the model: 1 of another shape: 'blocks.1.mlp.fc1.weight' (expected (8, 4), got (16, 4))");
  }
  SUBCASE("twice") {
    file.add("module.norm.bias", {kWidth});
    CHECK(refusal(file) ==
          "the file does not fit the model: 1 under more than one name: 'module.norm.bias' and 'norm.bias'");
    file.remove("module.norm.bias");
    file.add("blocks.0.attn.q.weight", {kWidth, kWidth});
    CHECK(refusal(file).find("1 under more than one name: 'blocks.0.attn.qkv.weight' and 'blocks.0.attn.q.weight'") !=
          std::string::npos);
    file.add("module.head.weight", {3});  // of no use: no matter
    file.remove("blocks.0.attn.q.weight");
    auto model = backbone();
    CHECK(import(file, model).count(Outcome::unused) == 4);
  }
  SUBCASE("of another type") {
    const test::TemporaryFolder folder;
    Tensor<std::int64_t> counts = Tensor<std::int64_t>::zeros({1, 10, kWidth});
    std::vector<SafetensorsEntry> entries{{"pos_embed", counts.view()}};
    for (auto& [name, tensor] : file.all)
      if (name != "pos_embed") entries.emplace_back(name, tensor.view());
    save_safetensors(folder / "vit", std::move(entries));
    auto model = backbone();
    const auto before = model.values();
    const auto opened = SafetensorsFile::open(folder / "vit");
    CHECK(error_of(ErrorCode::state_dict, [&] {
            import_vit(opened, model);
          }).find("1 of another type: 'pos_embed' (expected F32, got I64)") != std::string::npos);
    CHECK(model.values() == before);
  }
}

TEST_CASE("importing a ViT: floating types convert, in the file and in the model") {
  auto file = classifier();
  auto wide = backbone<double>();
  import(file, wide);
  CHECK(static_cast<float>(wide.values_of("backbone.norm.bias")[1]) == file.values("norm.bias")[1]);
  auto brain = backbone<bfloat16>();
  import(file, brain, {}, DType::f64);
  CHECK(static_cast<float>(brain.values_of("backbone.norm.bias")[1]) ==
        static_cast<float>(bfloat16(file.values("norm.bias")[1])));
  auto half = backbone();
  import(file, half, {}, DType::f16);
  CHECK(half.values_of("backbone.norm.bias")[1] == doctest::Approx(file.values("norm.bias")[1]).epsilon(1e-3));
  CHECK(half.values_of("backbone.pos_embed_search")[5] ==
        doctest::Approx(moved(file.values("pos_embed"), 1, 3, kSearch)[5]).epsilon(1e-2));
}

TEST_CASE("importing a ViT: models that cannot take it") {
  auto file = classifier();
  test::Model<float> none;
  none.add("weight", {2});
  CHECK(
      refusal(file, {}, std::move(none)) ==
      "import_vit: model: expected parameters backbone.patch_embed.proj.weight and backbone.blocks.*, got a model without");
  auto oblong = backbone();
  for (auto& entry : oblong.entries)
    if (entry.name == "backbone.pos_embed_search") entry.parameter.value = View<float>(entry.memory.data(), {1, 15, kWidth});
  CHECK(refusal(file, {}, std::move(oblong)).find("expected the shape (1, n * n, 4), got (1, 15, 4)") != std::string::npos);
  auto twice = backbone();
  twice.add("backbone.norm.bias", {kWidth});
  CHECK(refusal(file, {}, std::move(twice)).find("1 named more than once by the model") != std::string::npos);

  const test::TemporaryFolder folder;
  file.save(folder / "vit");
  const auto opened = SafetensorsFile::open(folder / "vit");
  auto away = backbone();
  auto& last = away.entries.back();
  last.parameter.value = View<float>(last.memory.data(), last.memory.shape(), Device{DeviceKind::cuda, 0});
  const auto before = away.values();
  error_of(ErrorCode::device, [&] { import_vit(opened, away); });
  CHECK(away.values() == before);
}

TEST_CASE("importing a ViT: seeded damage to names and shapes is refused or harmless, never half done") {
  const test::TemporaryFolder folder;
  int refused = 0, imported = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    Philox rng(seed, 11);
    auto file = classifier(static_cast<std::int64_t>(rng.below(4)));
    const auto damage = 1 + rng.below(3);
    for (std::uint64_t i = 0; i < damage; ++i) {
      const std::size_t victim = rng.below(file.all.size());
      const std::string name = file.all[victim].first;
      const Shape shape = file.all[victim].second.shape();
      switch (rng.below(5)) {
        case 0: file.remove(name); break;
        case 1: {
          Shape longer;
          const auto axis = static_cast<int>(rng.below(static_cast<std::uint64_t>(shape.rank())));
          for (int k = 0; k < shape.rank(); ++k) longer.append(shape[k] + (k == axis ? 1 : 0));
          file.remove(name);
          file.add(name, longer);
          break;
        }
        case 2: file.all[victim].first[rng.below(name.size())] = "019.xq"[rng.below(6)]; break;
        case 3: file.add("module." + name, shape); break;
        default: file.all[victim].first = "model." + name; break;
      }
    }
    std::set<std::string> names;
    std::erase_if(file.all, [&](const auto& entry) { return !names.insert(entry.first).second; });
    file.save(folder / "vit");
    const auto opened = SafetensorsFile::open(folder / "vit");
    auto model = backbone();
    const auto before = model.values();
    try {
      const ImportReport report = import_vit(opened, model);
      ++imported;
      CHECK(report.entries.size() - report.count(Outcome::unused) == model.entries.size());
      CHECK(report.find("backbone.blocks.1.norm1.bias")->outcome == Outcome::loaded);
      CHECK(model.values() != before);
    } catch (const Error& error) {
      ++refused;
      CHECK(error.code() == ErrorCode::state_dict);
      CHECK(model.values() == before);
    }
  }
  MESSAGE(refused, " refused, ", imported, " imported");
  CHECK(refused > 200);
  CHECK(imported > 20);
}

TEST_CASE("importing a ViT: seeded damage to the bytes of the file") {
  const test::TemporaryFolder folder;
  auto good = classifier();
  good.save(folder / "vit");
  const test::Mutator mutate(test::read_file(folder / "vit"), 5);
  int opened = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const test::Bytes bytes = mutate(i);
    auto model = backbone();
    const auto before = model.values();
    bool whole = false;
    try {
      const auto file = SafetensorsFile::parse(bytes);
      whole = true;
      ++opened;
      import_vit(file, model).summary();
    } catch (const Error& error) {
      CHECK(error.code() == (whole ? ErrorCode::state_dict : ErrorCode::format));
      CHECK(std::memcmp(model.values().data(), before.data(), before.size() * sizeof(float)) == 0);
    }
  }
  CHECK(opened > 100);
}
