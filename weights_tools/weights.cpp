// Reads the weights that others have, says what is in them, and turns them into DeTrack's.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "detrack/io/compare_weights.hpp"
#include "detrack/io/open_weights.hpp"
#include "detrack/io/save_weights.hpp"
#include "examples/support/program.hpp"
#include "weights_tools/support/inspection.hpp"
#include "weights_tools/support/models.hpp"

namespace {

using namespace detrack;
using namespace detrack::program;
using detrack::detail::escaped;

/// Exit status of `diff` where something differs, as of diff(1).
constexpr int kDifferent = 1;

struct Options {
  std::string file, other, out, part, dtype, preset, vit, prefix, renamed;
  std::vector<std::string> files;  ///< those to merge, and at last the one to write
  InitOptions init;
  bool tensors = false, stats = false, json = false, replace = false, rename = false;

  std::optional<DType> floats() const {
    static const std::map<std::string, DType> types{{"f32", DType::f32}, {"bf16", DType::bf16}, {"f16", DType::f16}};
    return dtype.empty() ? std::optional<DType>() : types.at(dtype);
  }
  WeightsFile open(const std::string& path) const { return open_weights(path, {.part = part}); }
};

int inspect(const Options& options) {
  const WeightsFile file = options.open(options.file);
  if (options.json)
    std::printf("%s\n", inspection_json(file, options.tensors, options.stats)
                            .dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
                            .c_str());
  else
    print_inspection(file, options.tensors, options.stats);
  return kOk;
}

int saved(const std::string& path, const SaveReport& report) {
  for (const auto& [name, count] : report.overflowed)
    std::fprintf(stderr, "warning: %s: %lld values are beyond what the type holds and became infinite\n",
                 escaped(name, 200).c_str(), static_cast<long long>(count));
  std::printf("%s: %zu tensors, %s\n", path.c_str(), report.tensors, bytes_text(std::filesystem::file_size(path)).c_str());
  return kOk;
}

int convert(const Options& options) {
  const WeightsFile file = options.open(options.file);
  for (const auto& [part, count] : file.left_out())
    std::printf("%s: left out: %zu tensors under '%s' (--part takes them)\n", options.file.c_str(), count,
                escaped(part, 200).c_str());
  return saved(options.out, convert_weights(file, options.out, options.floats()));
}

int init(Options options) {
  options.init.dtype = options.floats();
  const ImportReport report = init_model(preset(options.preset), options.open(options.vit), options.out, options.init);
  std::printf("%s%s: %s, %s\n", report.summary().c_str(), options.out.c_str(), options.preset.c_str(),
              bytes_text(std::filesystem::file_size(options.out)).c_str());
  return kOk;
}

int diff(const Options& options) {
  using Kind = TensorDifference::Kind;
  const WeightsFile a = options.open(options.file), b = options.open(options.other);
  const WeightsDifference result = compare_weights(a, b);
  for (const TensorDifference& tensor : result.tensors) {
    std::printf("%s: ", escaped(tensor.name, 200).c_str());
    const TensorInfo *x = a.find(tensor.name), *y = b.find(tensor.name);
    const auto type = [](const TensorInfo* info) { return std::string(to_string(info->dtype)); };
    switch (tensor.kind) {
      case Kind::only_first: std::printf("only in %s\n", options.file.c_str()); break;
      case Kind::only_second: std::printf("only in %s\n", options.other.c_str()); break;
      case Kind::shape: std::printf("shapes %s and %s\n", to_string(x->shape).c_str(), to_string(y->shape).c_str()); break;
      case Kind::type: std::printf("the same values as %s and %s\n", type(x).c_str(), type(y).c_str()); break;
      case Kind::values:
        std::printf("%lld of %lld differ, by %.3g at most and %.3g in the mean, relative %.3g",
                    static_cast<long long>(tensor.different), static_cast<long long>(tensor.count), tensor.largest,
                    tensor.mean, tensor.relative);
        if (tensor.nan > 0) std::printf(", NaN in one alone %lld", static_cast<long long>(tensor.nan));
        if (x->dtype != y->dtype) std::printf(" (%s and %s)", type(x).c_str(), type(y).c_str());
        std::printf("\n");
    }
  }
  std::printf("%zu tensors are the same, %zu are not\n", result.equal, result.tensors.size());
  return result.tensors.empty() ? kOk : kDifferent;
}

int merge(const Options& options) {
  std::vector<WeightsFile> files;
  for (std::size_t i = 0; i + 1 < options.files.size(); ++i) files.push_back(options.open(options.files[i]));
  const std::string& out = options.files.back();
  return saved(out, merge_weights(files, out, options.replace, options.floats()));
}

int extract(const Options& options) {
  return saved(options.out,
               extract_weights(options.open(options.file), options.prefix, options.rename ? options.renamed : options.prefix,
                               options.out, options.floats()));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Reads weights of PyTorch (.pth, .pt), NumPy (.npz, .npy) and safetensors files, whatever they are called, says what "
      "is in them, and writes safetensors. Of a PyTorch checkpoint no code is executed.",
      "weights");
  app.require_subcommand(1);
  Options options;
  const auto add_part = [&](CLI::App* command) {
    command->add_option("--part", options.part, "Key of a PyTorch checkpoint to look under, instead of its state dict");
  };
  const auto add_dtype = [&](CLI::App* command) {
    command->add_option("--dtype", options.dtype, "Store floating numbers as f32, bf16 or f16")
        ->check(CLI::IsMember({"f32", "bf16", "f16"}));
  };

  CLI::App* inspecting =
      app.add_subcommand("inspect", "What a file holds: format, model, parameters, FLOPs, names, shapes, types");
  inspecting->add_option("FILE", options.file, "The file")->required();
  inspecting->add_flag("--tensors", options.tensors, "Each tensor by itself");
  inspecting->add_flag("--stats", options.stats,
                       "Each tensor with minimum, mean, maximum and the number of NaN (reads all of it)");
  inspecting->add_flag("--json", options.json, "As one JSON object");
  add_part(inspecting);

  CLI::App* converting = app.add_subcommand("convert", "A file as safetensors");
  converting->add_option("IN", options.file, "The file")->required();
  converting->add_option("OUT", options.out, "The safetensors file to write")->required();
  add_dtype(converting);
  add_part(converting);

  CLI::App* initialising =
      app.add_subcommand("init", "A DeTrack to train, whose backbone is a vision transformer (timm, DeiT, MAE, DINO)");
  initialising->add_option("--preset", options.preset, "detrack-n128, -t256, -s256, -b256 or -b384")->required();
  initialising->add_option("--vit", options.vit, "The transformer's weights")->required();
  initialising->add_option("OUT", options.out, "The safetensors file to write")->required();
  initialising->add_option("--seed", options.init.seed, "Of the random values of all the rest")->capture_default_str();
  initialising->add_flag("--allow-depth", options.init.allow_depth,
                         "Take the blocks that both have where their numbers differ");
  add_dtype(initialising);
  add_part(initialising);

  CLI::App* differing = app.add_subcommand("diff", "Tensors that differ, and by how much; status 1 if any do");
  differing->add_option("A", options.file, "A file")->required();
  differing->add_option("B", options.other, "Another")->required();
  add_part(differing);

  CLI::App* merging = app.add_subcommand("merge", "Several files as one");
  merging->add_option("FILES", options.files, "The files, and at last the safetensors file to write")
      ->required()
      ->expected(3, 1000);
  merging->add_flag("--replace", options.replace,
                    "Let tensors of later files take the place of earlier ones of the same name");
  add_dtype(merging);

  CLI::App* extracting = app.add_subcommand("extract", "The tensors under a prefix of names");
  extracting->add_option("IN", options.file, "The file")->required();
  extracting->add_option("OUT", options.out, "The safetensors file to write")->required();
  extracting->add_option("--prefix", options.prefix, "Such as backbone.")->required();
  const CLI::Option* as =
      extracting->add_option("--as", options.renamed, "Put this in its place (an empty one takes it off)");
  add_dtype(extracting);
  add_part(extracting);

  return run(app, argc, argv, [&] {
    if (*inspecting) return inspect(options);
    if (*converting) return convert(options);
    if (*initialising) return init(options);
    if (*differing) return diff(options);
    if (*merging) return merge(options);
    options.rename = as->count() > 0;
    return extract(options);
  });
}
