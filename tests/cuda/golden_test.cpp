// The golden fixtures on the CUDA backend.
#include "tests/support/golden.hpp"

#include "tests/cuda/machine.hpp"

using namespace detrack;

namespace {

void require_holds(const std::vector<test::GoldenRow>& rows) {
  REQUIRE(rows.size() > 100);
  CAPTURE(rows.back().name);
  CAPTURE(rows.back().error);
  CAPTURE(rows.back().bound);
  CHECK(rows.back().holds());
}

}  // namespace

TEST_CASE("cuda: the golden fixtures hold in float32 and bfloat16") {
  for (const std::string name : {"tiny.safetensors", "tiny-short-trajectory.safetensors"}) {
    CAPTURE(name);
    const auto file = SafetensorsFile::open(DETRACK_SOURCE_DIR "/tests/data/" + name);
    auto f32 = cuda::make_context<float>();
    require_holds(test::GoldenRun<float>(file, f32).run());
    auto bf16 = cuda::make_context<bfloat16>();
    require_holds(test::golden_bf16(file, bf16));
  }
}
