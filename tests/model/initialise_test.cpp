// Starting values: what each kind of parameter gets, and the same from the same seed.
#include "detrack/model/initialise.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "detrack/model/plan.hpp"
#include "detrack/ops/reference_backend.hpp"
#include "tests/support/small_model.hpp"

using namespace detrack;

TEST_CASE("initialise: each kind of parameter gets its values") {
  const Config c = test::small_config();
  DeTrack<float> model(c);
  initialise(model, 5);
  const auto all = [](const Param<float>& p, auto&& ok) {
    bool good = true;
    for (std::int64_t i = 0; i < p.shape.numel(); ++i) good &= ok(p.value.data()[i]);
    return good;
  };
  model.visit([&](const std::string& name, Param<float>& p) {
    CAPTURE(name);
    if (name.ends_with("noise.fc2.weight") || name.ends_with(".bias")) {
      CHECK(all(p, [](float x) { return x == 0; }));
    } else if (p.shape.rank() == 1) {
      CHECK(all(p, [](float x) { return x == 1; }));
    } else if (name.find("pos_embed") == std::string::npos) {
      CHECK(all(p, [](float x) { return std::abs(x) <= 0.04f; }));
      CHECK_FALSE(all(p, [](float x) { return std::abs(x) <= 0.01f; }));
    }
  });
}

TEST_CASE("initialise: position embeddings are sines and cosines of row and column") {
  const Config c = test::small_config();  // 4 x 4 search grid, width 24: quarters of 6
  DeTrack<double> model(c);
  initialise(model, 5);
  const View<double> grid = model.backbone.pos_embed_search.value;
  for (const auto& [token, row, column] : {std::tuple{0, 0, 0}, {7, 1, 3}, {14, 3, 2}})
    for (int i : {0, 1, 5}) {
      const double wave = std::pow(10000.0, -i / 6.0);
      CHECK(grid(0, token, i) == doctest::Approx(std::sin(row * wave)));
      CHECK(grid(0, token, 6 + i) == doctest::Approx(std::cos(row * wave)));
      CHECK(grid(0, token, 12 + i) == doctest::Approx(std::sin(column * wave)));
      CHECK(grid(0, token, 18 + i) == doctest::Approx(std::cos(column * wave)));
    }
}

TEST_CASE("initialise: a seed decides every value, and no other parameter moves one") {
  Config c = test::small_config();
  DeTrack<float> a(c), b(c), other(c);
  initialise(a, 5), initialise(b, 5), initialise(other, 6);
  c.refine_layers = 1;
  DeTrack<float> shallow(c);
  initialise(shallow, 5);
  const auto first = [](DeTrack<float>& m) { return m.box.word_embed.value(3, 4); };
  CHECK(first(a) == first(b));
  CHECK(first(a) == first(shallow));
  CHECK(first(a) != first(other));
}

TEST_CASE("initialise: after an import, only what it left, with the values of a model without weights") {
  const Config c = test::small_config();
  DeTrack<float> fresh(c), imported(c);
  initialise(fresh, 5);
  const auto is_left = [](const std::string& name) { return name.find("noise.fc1") != std::string::npos; };
  ImportReport report;
  imported.visit([&](const std::string& name, Param<float>& p) {
    std::fill_n(p.value.data(), p.shape.numel(), 7.0f);
    const auto outcome = is_left(name) ? ImportReport::Outcome::initialised : ImportReport::Outcome::loaded;
    report.entries.push_back({outcome, name, {}});
  });
  report.entries.push_back({ImportReport::Outcome::unused, "", {"head.weight"}});
  initialise(imported, 5, report);
  std::map<std::string, const float*> wanted;
  fresh.visit([&](const std::string& name, Param<float>& p) { wanted[name] = p.value.data(); });
  imported.visit([&](const std::string& name, Param<float>& p) {
    CAPTURE(name);
    for (std::int64_t i = 0; i < p.shape.numel(); ++i)
      if (p.value.data()[i] != (is_left(name) ? wanted.at(name)[i] : 7.0f)) FAIL("value ", i);
  });
}

TEST_CASE("initialise: a fresh block predicts no noise") {
  const Config c = test::small_config();
  DeTrack<double> model(c);
  initialise(model, 5);
  auto ctx = reference_context<double>();
  const RunShape run{1, 2, 0, true};
  reserve(ctx, c, run);
  test::Sample<double> sample(c, run);
  model.forward(ctx, sample.in.views(), sample.out.views());
  const double before = sample.out.step_boxes.view()(0, 0, 0);
  std::fill_n(model.backbone.blocks[0].denoise.noise.fc1.weight.value.data(), 24 * 24, 1.0);  // fc2 is zero: no effect
  model.forward(ctx, sample.in.views(), sample.out.views());
  CHECK(sample.out.step_boxes.view()(0, 0, 0) == before);
}
