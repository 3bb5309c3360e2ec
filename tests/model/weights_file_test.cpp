// Weights files: a model survives the round trip, a wrong file names what is wrong, and large models keep to their memory.
#include "detrack/model/weights_file.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <string>

#include "detrack/cpu/backend.hpp"
#include "detrack/model/initialise.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/small_model.hpp"
#include "tests/support/temporary_folder.hpp"

namespace {

using namespace detrack;

bool same_values(DeTrack<float>& a, DeTrack<float>& b) {
  const View<const float> x = a.parameters().values(), y = b.parameters().values();
  return x.shape() == y.shape() && std::equal(x.data(), x.data() + x.numel(), y.data());
}

#if !defined(__SANITIZE_ADDRESS__)  // whose shadow memory and slowness drown what these measure
/// Largest resident memory since reset_peak(), bytes.
double peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "VmHWM:") {
      double kib = 0;
      status >> kib;
      return kib * 1024;
    }
  return std::nan("");
}
bool reset_peak() {
  std::ofstream clear("/proc/self/clear_refs");
  clear << "5";
  return static_cast<bool>(clear.flush());
}
#endif

}  // namespace

TEST_CASE("weights file: a model comes back as it was, and in half the size within a rounding of it") {
  const test::TemporaryFolder folder;
  DeTrack<float> model(test::small_config());
  test::randomise(model);
  save_model(folder / "model.safetensors", model, {}, {{"note", "a test"}});
  DeTrack<float> again = load_model<float>(folder / "model.safetensors");
  CHECK(again.config() == model.config());
  CHECK(same_values(model, again));
  CHECK(SafetensorsFile::open(folder / "model.safetensors").metadata().at("note") == "a test");

  save_model(folder / "half.safetensors", model, DType::bf16);
  DeTrack<double> half = load_model<double>(folder / "half.safetensors");
  const double x = static_cast<double>(model.box.word_embed.value(5, 7)), y = half.box.word_embed.value(5, 7);
  CHECK(x != y);
  CHECK(std::abs(x - y) <= std::abs(x) * 0x1p-8);
}

TEST_CASE("weights file: a missing, unknown or misshapen tensor, or no configuration, is named") {
  const test::TemporaryFolder folder;
  Config c = test::small_config();
  DeTrack<float> model(c);
  const auto refused = [&](ErrorCode code, const std::string& part, auto&& save) {
    save();
    const std::string message = test::error_of(code, [&] { load_model<float>(folder / "x"); });
    CAPTURE(message);
    CHECK(message.find(part) != std::string::npos);
  };
  refused(ErrorCode::config, "detrack.config", [&] { save_state_dict(folder / "x", model); });
  refused(ErrorCode::config, "x: config: width: expected a value, got none", [&] {
    save_state_dict(folder / "x", model, {{Config::kMetadataKey, "{}"}});
  });
  const auto with_config = [&](auto change) {
    Config other = c;
    change(other);
    return [&folder, &model, other] { save_state_dict(folder / "x", model, {{Config::kMetadataKey, to_json(other)}}); };
  };
  refused(ErrorCode::state_dict, "missing: 'backbone.blocks.2.", with_config([](Config& o) { o.depth = 3; }));
  refused(ErrorCode::state_dict, "unexpected: 'refine.layers.1.", with_config([](Config& o) { o.refine_layers = 1; }));
  refused(ErrorCode::state_dict, "'box.word_embed.weight' (expected (42, 24), got (40, 24))",
          with_config([](Config& o) { o.bins_per_unit = 21; }));
  refused(ErrorCode::state_dict, "of another shape", with_config([](Config& o) {  // terabytes, if somebody made it
            o.width = 12288, o.depth = 256, o.search_size = o.template_size = 4096, o.patch = 1;
          }));
}

TEST_CASE("weights file: loading b256 takes its parameters and no more than the file besides") {
#if defined(__SANITIZE_ADDRESS__)
  MESSAGE("SKIPPED: memory is measured without sanitizers");
#else
  const test::TemporaryFolder folder;
  if (std::filesystem::space(folder.path()).available < (std::uintmax_t{2} << 30)) {
    MESSAGE("SKIPPED: less than 2 GiB free for a temporary file");
    return;
  }
  {
    DeTrack<float> model(preset("detrack-b256"));
    save_model(folder / "b256", model);
  }
  if (!reset_peak()) {
    MESSAGE("SKIPPED: this kernel does not reset a process's peak memory");
    return;
  }
  const double before = peak_bytes(), file = static_cast<double>(std::filesystem::file_size(folder / "b256"));
  const DeTrack<float> model = load_model<float>(folder / "b256");
  const double took = peak_bytes() - before;
  MESSAGE("file ", file / 1048576, " MiB, peak above the start ", took / 1048576, " MiB");
  CHECK(file > 0.9e9);
  CHECK(took > 0.9e9);
  CHECK(took < 2 * file);
#endif
}

TEST_CASE("weights file: b384 runs forward within 4 GiB") {
#if defined(__SANITIZE_ADDRESS__)
  MESSAGE("SKIPPED: memory is measured without sanitizers");
#else
  if (!reset_peak()) {
    MESSAGE("SKIPPED: this kernel does not reset a process's peak memory");
    return;
  }
  const Config c = preset("detrack-b384");
  DeTrack<float> model(c);
  initialise(model, 1);
  auto ctx = cpu::make_context<float>();
  const RunShape run{1, c.templates, c.trajectory, false};
  reserve(ctx, c, run);
  test::Sample<float> sample(c, run);
  model.forward(ctx, sample.in.views(), sample.out.views());
  MESSAGE("peak of the process ", peak_bytes() / 1048576, " MiB");
  for (int i = 0; i < 4; ++i) CHECK(std::isfinite(sample.out.box.view()(0, i)));
  CHECK(peak_bytes() < 4.0 * (1ull << 30));
#endif
}
