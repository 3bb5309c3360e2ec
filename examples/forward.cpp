// Runs the whole model forward on a golden file and shows how the box is denoised, block by block.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <string>

#include "detrack/cpu/backend.hpp"
#include "detrack/model/plan.hpp"
#include "detrack/model/weights_file.hpp"

namespace {

using namespace detrack;

void print_box(const std::string& what, View<const float> box) {
  std::printf("  %-16s %8.4f %8.4f %8.4f %8.4f\n", what.c_str(), box(0), box(1), box(2), box(3));
}

void run(const std::string& path, int threads) {
  const auto file = SafetensorsFile::open(path);
  const Config config = read_config(file);
  DeTrack<float> model(config);
  load_state_dict(file, model, {.prefix = "param."});

  auto ctx = cpu::make_context<float>({.threads = threads});
  const auto extent = [&](const char* name, std::size_t axis) { return file.get(name).shape.at(axis); };
  const RunShape shape{extent("in.search", 0), extent("in.templates", 1), extent("in.trajectory", 1), true};
  const Plan plan = reserve(ctx, config, shape);
  InputBuffers<float> in(config, shape);
  OutputBuffers<float> out(config, shape);
  file.read("in.search", in.search.view());
  file.read("in.templates", in.templates.view());
  file.read("in.start_box", in.start_box.view());
  file.read("in.trajectory", in.trajectory.view());

  std::printf("%s: %.2f M parameters, %.4f GFLOP a forward pass, %.2f MiB of scratch memory\n%s\n", config.name.c_str(),
              static_cast<double>(model.parameter_count()) / 1e6, plan.cost.flops / 1e9,
              static_cast<double>(plan.arena_bytes) / 1048576, ctx.describe().c_str());
  const auto begin = std::chrono::steady_clock::now();
  model.forward(ctx, in.views(), out.views());
  model.predict_iou(ctx, in.start_box.view(), out.image.view(), out.iou.view());
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;

  for (std::int64_t b = 0; b < shape.batch; ++b) {
    std::printf("sample %ld: x1, y1, x2, y2 in search-crop units\n", static_cast<long>(b));
    const View<const double> start = in.start_box.view().select(0, b);
    std::printf("  %-16s %8.4f %8.4f %8.4f %8.4f\n", "start", start(0), start(1), start(2), start(3));
    for (std::int64_t j = 0; j < config.depth; ++j)
      print_box("after block " + std::to_string(j + 1), out.step_boxes.view().select(0, j).select(0, b));
    print_box("refined", out.box.view().select(0, b));
    std::printf("  softmax score %.4f, predicted IoU of the start box %.4f\n", out.confidence.view()(b),
                out.iou.view()(b, 0));
  }
  std::printf("%.2f ms, the first run included\n", took.count());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Runs the whole model forward on the parameters (param.*) and inputs (in.*) of a safetensors file and prints the box\n"
      "after each denoising block and after refinement. Exit status: 0, or 2 if the file cannot be used.\n"
      "Example: forward tests/data/tiny.safetensors");
  std::string file;
  int threads = 0;
  app.add_option("file", file, "safetensors file with a detrack.config")->required();
  app.add_option("--threads", threads, "CPU threads; 0: all")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    run(file, threads);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "forward: %s\n", error.what());
    return 2;
  }
  return 0;
}
