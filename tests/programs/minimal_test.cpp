// The first program of the README: it is examples/minimal.cpp, letter by letter, and it runs.
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "detrack/image/stb.hpp"
#include "detrack/model/weights_file.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/small_model.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace detrack;

TEST_CASE("the README's first program is examples/minimal.cpp") {
  const std::filesystem::path root(DETRACK_SOURCE_DIR);
  const std::string readme = test::read_text(root / "README.md"), fence = "```cpp\n";
  const std::size_t begin = readme.find(fence) + fence.size(), end = readme.find("```", begin);
  REQUIRE(end != std::string::npos);
  CHECK(readme.substr(begin, end - begin) == test::read_text(root / "examples/minimal.cpp"));
}

#ifdef DETRACK_MINIMAL  // the optimised build

TEST_CASE("minimal: runs on weights and pictures, and says what is missing") {
  const detrack::test::TemporaryFolder folder;
  const std::string command = "cd '" + folder.path().string() + "' && '" DETRACK_MINIMAL "'";
  const auto without = detrack::test::run_program(command);
  CHECK(without.status != 0);
  CHECK(without.says("detrack-t256.safetensors"));

  DeTrack<float> model(detrack::test::small_config());
  detrack::test::randomise(model);
  save_model(folder / "detrack-t256.safetensors", model);
  Image image(320, 240);
  for (std::int64_t i = 0; i < 3 * 320 * 240; ++i) image.data()[i] = static_cast<std::uint8_t>(i % 251);
  save_image(folder / "0001.jpg", image);
  save_image(folder / "0002.jpg", image);
  const auto outcome = detrack::test::run_program(command);
  CHECK_MESSAGE(outcome.status == 0, outcome.output);
  CHECK(outcome.says(" score 0."));
}

#endif
