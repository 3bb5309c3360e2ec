// Loading and saving all parameters of a model: nothing is written unless everything fits.
#include "detrack/io/state_dict.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "detrack/core/tensor.hpp"
#include "detrack/io/safetensors_file.hpp"
#include "tests/io/any_model.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace detrack;
using test::error_of;
using test::Model;

namespace {

template <class T>
Model<T> small_model(float value = 0) {
  Model<T> model;
  model.add("b.weight", {2, 3}, value);
  model.add("a.bias", {3}, value * 2);
  model.add("scale", {}, value * 3);
  model.add("none", {0, 4});
  return model;
}

std::size_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  in >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("state dict: a model makes a round trip, with its metadata") {
  const test::TemporaryFolder folder;
  auto saved = small_model<float>(1.5f);
  save_state_dict(folder / "x", saved, {{"detrack.config", "{}"}});
  auto loaded = small_model<float>();
  CHECK(saved.values() != loaded.values());
  const auto file = SafetensorsFile::open(folder / "x");
  load_state_dict(file, loaded);
  CHECK(saved.values() == loaded.values());
  CHECK(file.metadata().at("detrack.config") == "{}");
  save_state_dict(folder / "y", loaded, {{"detrack.config", "{}"}});
  CHECK(test::read_file(folder / "x") == test::read_file(folder / "y"));
}

TEST_CASE("state dict: types convert on the way in and on the way out") {
  const test::TemporaryFolder folder;
  auto saved = small_model<float>(2);
  save_state_dict(folder / "x", saved, {}, DType::bf16);
  const auto file = SafetensorsFile::open(folder / "x");
  CHECK(file.get("b.weight").dtype == DType::bf16);
  auto as_float = small_model<float>();
  load_state_dict(file, as_float);
  CHECK(as_float.values() == saved.values());  // small whole numbers: exact in every type
  auto as_double = small_model<double>();
  load_state_dict(file, as_double);
  CHECK(as_double.values()[5] == 7.0);
  auto as_brain = small_model<bfloat16>();
  load_state_dict(file, as_brain);
  CHECK(static_cast<float>(as_brain.values()[5]) == 7.0f);
}

TEST_CASE("state dict: a prefix selects part of a file") {
  const test::TemporaryFolder folder;
  Model<float> whole;
  whole.add("model.x", {2}, 1);
  whole.add("optimizer.x", {2}, 5);
  save_state_dict(folder / "x", whole);
  const auto file = SafetensorsFile::open(folder / "x");
  Model<float> part;
  part.add("x", {2});
  load_state_dict(file, part, {.prefix = "optimizer."});
  CHECK(part.values() == std::vector<float>{5, 6});
  const std::string message = error_of(ErrorCode::state_dict, [&] { load_state_dict(file, part); });
  CHECK(message ==
        (folder / "x").string() +
            ": the file does not fit the model: 1 missing: 'x' (2); 2 unexpected: 'model.x' (2), 'optimizer.x' (2)");
}

TEST_CASE("state dict: what does not fit is refused, named and counted, and nothing is written") {
  const test::TemporaryFolder folder;
  auto saved = small_model<float>(1);
  save_state_dict(folder / "x", saved);
  const auto file = SafetensorsFile::open(folder / "x");
  const auto refused = [&](Model<float>& model, const StateDictOptions& options = {}) {
    const auto before = model.values();
    std::string message = error_of(ErrorCode::state_dict, [&] { load_state_dict(file, model, options); });
    CHECK(model.values() == before);
    return message.substr(std::min(message.size(), message.find(": the file does not fit the model: ") + 35));
  };
  SUBCASE("a missing tensor") {
    auto model = small_model<float>();
    model.add("extra", {7});
    CHECK(refused(model) == "1 missing: 'extra' (7)");
  }
  SUBCASE("an unexpected tensor") {
    auto model = small_model<float>();
    model.entries.erase(model.entries.begin());
    CHECK(refused(model) == "1 unexpected: 'b.weight' (2, 3)");
    load_state_dict(file, model, {.allow_unexpected = true});
    CHECK(model.values()[0] == 2.0f);
  }
  SUBCASE("shapes must match exactly") {
    for (const Shape& shape : {Shape{3, 2}, Shape{6}, Shape{1, 2, 3}, Shape{2, 3, 1}}) {
      Model<float> model;
      model.add("b.weight", shape);
      CHECK(refused(model, {.allow_unexpected = true}) ==
            "1 of another shape: 'b.weight' (expected " + to_string(shape) + ", got (2, 3))");
    }
  }
  SUBCASE("many problems of every kind") {
    Model<float> model;
    model.add("b.weight", {9});
    model.add("b.weight", {2, 3});
    for (int i = 0; i < 8; ++i) model.add("m" + std::to_string(i), {1});
    CHECK(refused(model) ==
          "8 missing: 'm0' (1), 'm1' (1), 'm2' (1), 'm3' (1), 'm4' (1), and 3 more; "
          "3 unexpected: 'a.bias' (3), 'none' (0, 4), 'scale' (); "
          "1 of another shape: 'b.weight' (expected (9), got (2, 3)); 1 named more than once by the model: 'b.weight'");
  }
  SUBCASE("the last of several parameters") {  // the ones before it would fit
    auto model = small_model<float>();
    model.entries.back().parameter.value = View<float>(model.entries.back().memory.data(), Shape{4, 0});
    CHECK(refused(model) == "1 of another shape: 'none' (expected (4, 0), got (0, 4))");
  }
}

TEST_CASE("state dict: integers are not parameters") {
  const test::TemporaryFolder folder;
  Tensor<std::int64_t> counts = Tensor<std::int64_t>::zeros({3});
  save_safetensors(folder / "x", {{"a", counts.view()}});
  Model<float> model;
  model.add("a", {3}, 4);
  const auto file = SafetensorsFile::open(folder / "x");
  const std::string message = error_of(ErrorCode::state_dict, [&] { load_state_dict(file, model); });
  CHECK(message.find("1 of another type: 'a' (expected F32, got I64)") != std::string::npos);
  CHECK(model.values() == std::vector<float>{4, 5, 6});
}

TEST_CASE("state dict: devices need a copy function, and are handed pieces in order") {
  const test::TemporaryFolder folder;
  Model<float> saved;
  saved.add("first", {3}, 1);
  saved.add("large", {2, 700000}, 0);  // more than one piece
  save_state_dict(folder / "x", saved);
  const auto file = SafetensorsFile::open(folder / "x");

  Model<float> model;  // host memory that says it is a device's
  model.add("first", {3});
  model.add("large", {2, 700000});
  const Device device{DeviceKind::cuda, 0};
  for (auto& entry : model.entries) entry.parameter.value = View<float>(entry.memory.data(), entry.memory.shape(), device);
  const auto before = model.values();
  CHECK(error_of(ErrorCode::device, [&] {
          load_state_dict(file, model);
        }).find("'first': expected cpu memory or an upload function, got cuda:0") != std::string::npos);
  CHECK(error_of(ErrorCode::device, [&] { save_state_dict(folder / "y", model); }).find("got cuda:0") != std::string::npos);
  CHECK(model.values() == before);

  int uploads = 0;
  load_state_dict(file, model, {}, [&](View<float> to, View<const float> from) {
    CHECK(to.device() == device);
    CHECK(from.device() == Device{});
    REQUIRE(to.shape() == from.shape());
    std::memcpy(to.data(), from.data(), static_cast<std::size_t>(to.numel()) * sizeof(float));
    ++uploads;
  });
  CHECK(uploads == 3);
  CHECK(model.values() == saved.values());
  save_state_dict(folder / "y", model, {}, {}, [](View<const float> from, View<float> to) {
    REQUIRE(to.shape() == from.shape());
    std::memcpy(to.data(), from.data(), static_cast<std::size_t>(to.numel()) * sizeof(float));
  });
  CHECK(test::read_file(folder / "x") == test::read_file(folder / "y"));

  for (auto& entry : model.entries)
    entry.parameter.value = View<float>(entry.memory.data(), entry.memory.shape(), Device{DeviceKind::plan, 0});
  error_of(ErrorCode::device, [&] { load_state_dict(file, model, {}, [](View<float>, View<const float>) {}); });
}

TEST_CASE("state dict: loading keeps no more than pieces of the file in memory") {
  const test::TemporaryFolder folder;
  constexpr std::int64_t kCount = 6 << 20;  // 24 MiB a tensor
  {
    Model<float> saved;
    saved.add("a", {kCount}, 1);
    saved.add("b", {kCount}, 2);
    save_state_dict(folder / "x", saved);
  }
  Model<float> model;
  model.add("a", {kCount});
  model.add("b", {kCount});  // written to: their pages are resident before the measurement
  const std::size_t before = resident_bytes();
  const auto file = SafetensorsFile::open(folder / "x");
  load_state_dict(file, model);
  const std::size_t after = resident_bytes();
  CHECK(model.values().back() == static_cast<float>(kCount - 1) + 2.0f);
  const std::size_t growth = after > before ? after - before : 0;
  MESSAGE("resident memory grew by ", growth >> 10, " KiB for a file of ", 2 * kCount * 4 >> 20, " MiB");
  CHECK(growth < std::size_t{16} << 20);  // the file is 48 MiB: had it stayed mapped in, this would fail
}
