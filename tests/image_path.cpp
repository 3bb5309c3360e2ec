// Compares the backbone's image path, with a vision transformer's weights imported, with what PyTorch made of the same ones.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "detrack/cpu/backend.hpp"
#include "detrack/io/import_vit.hpp"
#include "detrack/io/open_weights.hpp"
#include "detrack/model/initialise.hpp"
#include "detrack/model/plan.hpp"

namespace {

using namespace detrack;

/// The smallest model around such a backbone.
Config config_of(const WeightsFile& vit, std::int64_t heads, std::int64_t side) {
  const detail::VitTensors tensors(vit);
  const detail::VitSizes sizes = detail::sizes_of_file(vit, tensors);
  Config config;
  config.name = "image path";
  config.width = sizes.width;
  config.depth = sizes.depth;
  config.heads = config.refine_heads = heads;
  config.mlp_ratio = tensors.find("blocks.0.mlp.fc1.weight").at(0)->shape.at(0) / sizes.width;
  config.patch = config.template_size = sizes.patch_rows;
  config.search_size = side;
  config.templates = 1;
  config.bins_per_unit = 10;
  config.trajectory = 0;
  config.refine_layers = 0;
  return config;
}

int compare(const std::string& vit_path, const std::string& golden_path) {
  const WeightsFile vit = open_weights(vit_path), golden = open_weights(golden_path);
  const TensorInfo &picture = golden.get("image"), &tokens = golden.get("tokens");
  const Config config = config_of(vit, std::stoll(golden.metadata().at("heads")), picture.shape.at(3));
  DeTrack<float> model(config);
  initialise(model, 1);
  const ImportReport report = import_vit(vit, model);

  Context<float> ctx = cpu::make_context<float>();
  reserve(ctx, config, {.batch = 1});
  Tensor<float> search({1, 3, config.search_size, config.search_size}), image({1, config.search_tokens(), config.width});
  golden.read("image", search.view());
  model.encode_image(ctx, search.view(), {}, image.view());

  std::vector<double> expected(static_cast<std::size_t>(tokens.numel()));
  golden.read(tokens, 0, std::span(expected));
  if (tokens.numel() != image.numel())
    fail(ErrorCode::shape, golden_path, ": tokens: expected ", image.numel(), " numbers, got ", tokens.numel());
  double largest = 0, squares = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double difference = static_cast<double>(image.data()[i]) - expected[i];
    largest = std::max(largest, std::isfinite(difference) ? std::abs(difference) : INFINITY);
    squares += difference * difference;
    norm += expected[i] * expected[i];
  }
  const double relative = std::sqrt(squares / norm);
  std::printf(
      "%s: width %lld, %lld blocks, %zu tensors loaded; %lld numbers: relative error %.3g (bound 1e-5), largest difference "
      "%.3g\n",
      vit_path.c_str(), static_cast<long long>(config.width), static_cast<long long>(config.depth),
      report.count(ImportReport::Outcome::loaded), static_cast<long long>(image.numel()), relative, largest);
  return relative <= 1e-5 ? 0 : 1;
}

}  // namespace

/// usage: image_path VIT GOLDEN; tests/image_path.py makes both, of real sizes
int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s VIT GOLDEN\n", argv[0]);
    return 2;
  }
  try {
    return compare(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "image_path: %s\n", error.what());
    return 2;
  }
}
