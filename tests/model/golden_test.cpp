// The golden fixtures hold on every backend and scalar, and the checker refuses what is wrong.
#include "tests/support/golden.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "detrack/cpu/backend.hpp"
#include "detrack/ops/reference_backend.hpp"

namespace {

using namespace detrack;

const std::string kFixture = DETRACK_SOURCE_DIR "/tests/data/tiny.safetensors";

template <class T>
std::vector<test::GoldenRow> rows_of(const SafetensorsFile& file, Context<T> ctx) {
  return test::GoldenRun<T>(file, ctx).run();
}

template <class T>
void require_holds(const std::string& path, Context<T> ctx) {
  const auto rows = rows_of<T>(SafetensorsFile::open(path), std::move(ctx));
  REQUIRE(rows.size() > 100);
  CAPTURE(path);
  CAPTURE(rows.back().name);
  CAPTURE(rows.back().error);
  CHECK(rows.back().holds());
}

void require_holds(const std::string& path) {
  require_holds(path, reference_context<double>());
  require_holds(path, reference_context<float>());
  require_holds(path, cpu::make_context<double>({}));
  require_holds(path, cpu::make_context<float>({}));
}

}  // namespace

TEST_CASE("golden: the fixtures hold on both backends, in float and double") {
  require_holds(kFixture);
  require_holds(DETRACK_SOURCE_DIR "/tests/data/tiny-short-trajectory.safetensors");
}

TEST_CASE("golden: one wrong byte of an output, a gradient, an input or a parameter is found") {
  std::ifstream stream(kFixture, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(stream)), {});
  REQUIRE(!good.empty());
  const auto parsed = SafetensorsFile::open(kFixture);
  const std::size_t data_begin = good.size() - [&] {
    std::size_t total = 0;
    for (const TensorInfo& t : parsed.tensors()) total += t.bytes.size();
    return total;
  }();
  const std::byte* first = nullptr;
  for (const TensorInfo& t : parsed.tensors())
    if (!first || t.bytes.data() < first) first = t.bytes.data();
  for (const std::string name : {"out.logits", "out.loss.denoise", "grad.box.slot_embed", "grad.refine.time_embed",
                                 "param.backbone.blocks.1.denoise.noise.fc2.weight", "in.search", "in.loss_pred"}) {
    CAPTURE(name);
    const TensorInfo& info = parsed.get(name);
    std::string bad = good;
    // The top byte of the first number: its sign and most of its exponent.
    const auto at = data_begin + static_cast<std::size_t>(info.bytes.data() - first) + size_of(info.dtype) - 1;
    bad[at] = static_cast<char>(bad[at] ^ 0x01);
    const auto file = SafetensorsFile::parse(std::as_bytes(std::span(bad)));
    CHECK_FALSE(rows_of<double>(file, reference_context<double>()).back().holds());
  }
}

TEST_CASE("golden: the norm comparison refuses NaN, other sizes and nothing") {
  const double nan = std::nan("");
  CHECK(test::norm_error({1, 2}, {1, 2}, 1e-6) == 0);
  CHECK(test::norm_error({1, 2.5}, {1, 2}, 1e-6) > 0.2);
  for (const auto& [a, b] :
       {std::pair<std::vector<double>, std::vector<double>>{{nan}, {1}}, {{1}, {nan}}, {{1}, {1, 1}}, {{}, {}}}) {
    const test::GoldenRow row{"x", test::norm_error(a, b, 1e-6), 1e9};
    CHECK_FALSE(row.holds());
    CHECK(row.badness() == std::numeric_limits<double>::infinity());
  }
}

TEST_CASE("golden: files of the shared folder hold, where there is one") {
  const std::filesystem::path shared = DETRACK_SOURCE_DIR "/../shared/golden";
  if (!std::filesystem::is_directory(shared)) {
    MESSAGE("SKIPPED: no folder of further golden files beside the repository");
    return;
  }
  for (const auto& entry : std::filesystem::directory_iterator(shared))
    if (entry.path().extension() == ".safetensors") require_holds(entry.path().string());
}
