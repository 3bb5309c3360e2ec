// Batches: what is in them, that threads make no difference, and what happens to pictures that cannot be read.
#include "detrack/train/batch_loader.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "detrack/train/sampler.hpp"
#include "tests/support/error_of.hpp"
#include "tests/train/bright_extent.hpp"
#include "tests/train/scene.hpp"

using namespace detrack;
using detrack::test::Scene;

namespace {

TrainOptions loader_options() {
  TrainOptions o;
  o.batch = 4;
  o.sampling.centre_jitter = 0.8;
  o.augment = {.colour = 0.1, .gamma = 0.2, .blur_prob = 0.5, .noise_prob = 0.5, .occlusion_prob = 0.5};
  return o;
}

std::vector<float> contents_of(const Batch& batch) {
  std::vector<float> all(batch.search.data(), batch.search.data() + batch.search.numel());
  all.insert(all.end(), batch.templates.data(), batch.templates.data() + batch.templates.numel());
  for (const auto* boxes : {&batch.truth, &batch.prior})
    for (const CropBox& box : *boxes)
      for (const double x : box) all.push_back(static_cast<float>(x));
  return all;
}

}  // namespace

TEST_CASE("batch loader: 1 and 4 threads give the same bits, and batch 3 is the same from the start or by itself") {
  TrainOptions o = loader_options();
  SUBCASE("as before") {}
  SUBCASE("turned, blurred and covered") {
    o.augment.rotation = 0.5, o.augment.aspect = 0.3;
    o.augment.motion_blur_prob = o.augment.low_resolution_prob = o.augment.foreign_occlusion_prob = 0.5;
  }
  const Sampler sampler(Scene::data(6), Scene::small_crops(), o, Scene::size);
  std::vector<std::vector<float>> expected;
  {
    BatchLoader loader(Scene::small_crops(), sampler, Scene::cache(),
                       {.batch = 4, .templates = 2, .threads = 1, .ahead = 1});
    for (std::uint64_t i = 0; i < 5; ++i) {
      const Batch& batch = loader.next();
      CHECK(batch.number == i);
      CHECK(batch.sample(1) == 4 * i + 1);
      expected.push_back(contents_of(batch));
    }
  }
  for (const int ahead : {1, 3}) {
    BatchLoader loader(Scene::small_crops(), sampler, Scene::cache(0),
                       {.batch = 4, .templates = 2, .threads = 4, .ahead = ahead});
    for (const auto& one : expected) CHECK(contents_of(loader.next()) == one);
  }
  BatchLoader late(Scene::small_crops(), sampler, Scene::cache(), {.batch = 4, .templates = 2, .threads = 3, .ahead = 2}, 3);
  CHECK(late.next().number == 3);
  CHECK_FALSE(expected[2] == expected[3]);
  const Sampler same(Scene::data(6), Scene::small_crops(), o, Scene::size);
  BatchLoader again(Scene::small_crops(), same, Scene::cache(), {.batch = 4, .templates = 2, .threads = 2, .ahead = 2}, 3);
  CHECK(contents_of(again.next()) == expected[3]);
}

TEST_CASE("batch loader: the target lies at the truth, mirrored or not, and is normalised") {
  TrainOptions o = loader_options();
  o.augment = {.flip = 0.5, .grayscale = 0, .brightness = 0};
  const Sampler sampler(Scene::data(6), Scene::small_crops(), o, Scene::size);
  BatchLoader loader(Scene::small_crops(), sampler, Scene::cache(), {.batch = 4, .templates = 2, .threads = 2, .ahead = 2});
  const Config c = Scene::small_crops();
  for (int i = 0; i < 6; ++i) {
    const Batch& batch = loader.next();
    for (std::int64_t b = 0; b < 4; ++b) {
      const CropBox& truth = batch.truth[static_cast<std::size_t>(b)];
      for (std::int64_t y = 0; y < 64; ++y)
        for (std::int64_t x = 0; x < 64; ++x) {
          const auto at = [&](std::int64_t channel) {
            const auto k = static_cast<std::size_t>(channel);
            return 255 * (static_cast<double>(batch.search.view()(b, channel, y, x)) * c.std[k] + c.mean[k]);
          };
          const double u = (static_cast<double>(x) + 0.5) / 64, v = (static_cast<double>(y) + 0.5) / 64;
          const double depth = std::min({u - truth[0], truth[2] - u, v - truth[1], truth[3] - v});
          if (depth > 0.05) {  // well inside: red
            CHECK(at(0) > 190);
            CHECK(at(1) < 90);
          }
          if (depth < -0.05) CHECK(at(0) < 110);  // well outside: noise, or black beyond the frame
          CHECK(at(0) > -0.01);
        }
    }
  }
}

TEST_CASE("batch loader: a turned and stretched target lies at the truth, and in the middle of its templates") {
  const auto place = [](int number) {
    Philox rng(11, static_cast<std::uint64_t>(number));
    return Box{60 + 60 * rng.uniform(), 50 + 40 * rng.uniform(), 30 + 40 * rng.uniform(), 30 + 40 * rng.uniform()};
  };
  std::vector<StillImage> images;
  for (int i = 0; i < 6; ++i) images.push_back({std::to_string(i), {place(i)}});
  const auto data =
      std::make_shared<const TrainingData>(std::vector<TrainingSource>{{.name = "ellipses", .images = images}}, 6);
  const auto cache = std::make_shared<ImageCache>(
      [&](const std::filesystem::path& path) {
        return detrack::test::bright_ellipse(240, 200, place(std::stoi(path.string())));
      },
      1 << 24);
  TrainOptions o = loader_options();
  o.augment = {.flip = 0.5, .grayscale = 0, .brightness = 0, .rotation = 1.5, .aspect = 0.4};
  Config c = Scene::small_crops();
  c.search_size = 128, c.template_size = 64;
  BatchLoader loader(c, Sampler(data, c, o, Scene::size), cache, {.batch = 4, .templates = 2, .threads = 2, .ahead = 2});
  const auto half_way = (140.0 / 255 - c.mean[0]) / c.std[0];
  int whole = 0;
  for (int i = 0; i < 20; ++i) {
    const Batch& batch = loader.next();
    for (std::int64_t b = 0; b < 4; ++b) {
      const CropBox& truth = batch.truth[static_cast<std::size_t>(b)];
      if (std::min({truth[0], truth[1], 1 - truth[2], 1 - truth[3]}) < 0) continue;  // partly out of sight
      ++whole;
      const CropBox seen = detrack::test::bright_extent(batch.search.view().select(0, b), half_way);
      for (std::size_t k = 0; k < 4; ++k) CHECK(std::abs(seen[k] - truth[k]) * 128 < 2);
      const CropBox fixed = detrack::test::bright_extent(batch.templates.view().select(0, b).select(0, 0), half_way);
      CHECK(std::abs(fixed[0] + fixed[2] - 1) * 64 < 3);
      CHECK(std::abs(fixed[1] + fixed[3] - 1) * 64 < 3);
      CHECK(std::abs(std::sqrt((fixed[2] - fixed[0]) * (fixed[3] - fixed[1])) - 1 / c.template_factor) * 64 < 2);
    }
  }
  CHECK(whole > 40);
}

TEST_CASE("batch loader: a picture that cannot be read is replaced, named and counted") {
  auto images = Scene::stills(6);
  images.push_back({"broken/0", {Scene::box(0)}});
  const auto data =
      std::make_shared<const TrainingData>(std::vector<TrainingSource>{{.name = "scene", .images = images}}, 6);
  const Sampler sampler(data, Scene::small_crops(), loader_options(), Scene::size);
  std::vector<std::vector<float>> expected;
  for (const int threads : {1, 4}) {
    BatchLoader loader(Scene::small_crops(), sampler, Scene::cache(),
                       {.batch = 4, .templates = 2, .threads = threads, .ahead = 1});
    for (std::size_t i = 0; i < 8; ++i) {
      const auto batch = contents_of(loader.next());
      if (threads == 1)
        expected.push_back(batch);
      else
        CHECK(batch == expected[i]);
    }
    const auto problems = loader.problems();
    REQUIRE(problems.size() == 1);
    CHECK(problems.begin()->first == "broken/0: JPEG file: damaged");
    CHECK(problems.begin()->second > 0);
  }

  const auto hopeless = std::make_shared<const TrainingData>(
      std::vector<TrainingSource>{{.name = "scene", .images = {{"broken/0", {Scene::box(0)}}}}}, 6);
  BatchLoader loader(Scene::small_crops(), Sampler(hopeless, Scene::small_crops(), loader_options(), Scene::size),
                     Scene::cache(), {.batch = 4, .templates = 2, .threads = 2, .ahead = 2});
  const std::string message = detrack::test::error_of(ErrorCode::io, [&] { loader.next(); });
  CHECK(message.find("20 samples in a row cannot be made") != std::string::npos);
  CHECK(message.find("broken/0: JPEG file: damaged") != std::string::npos);
}

TEST_CASE("batch loader: recipes with more or fewer templates than it makes are refused, planned or not") {
  const Sampler sampler(Scene::data(6), Scene::small_crops(), loader_options(), Scene::size);
  for (const std::int64_t templates : {1, 3})
    for (const bool planned : {false, true}) {
      LoaderOptions options{.batch = 4, .templates = templates, .threads = 2, .ahead = 1};
      if (planned) options.pictures = std::make_shared<DevicePictures>(host_allocator(), 0);
      BatchLoader loader(Scene::small_crops(), sampler, Scene::cache(), options);
      CHECK(detrack::test::error_of(ErrorCode::argument, [&] {
              loader.next();
            }).starts_with("BatchLoader: templates: expected " + std::to_string(templates) + " in a recipe, got 2 (scene"));
      CHECK(loader.problems().empty());
    }
}

TEST_CASE("image cache: reads again what it had no room for, but for the last few") {
  int reads = 0;
  ImageCache cache(
      [&](const std::filesystem::path& path) {
        ++reads;
        return Scene::load(path);
      },
      2 * 3 * Scene::kWidth * Scene::kHeight + 1);
  for (int round = 0; round < 3; ++round)
    for (int i = 0; i < 12; ++i)  // ten of them more than there is room for
      for (int again = 0; again < 2; ++again) CHECK(cache.get("good/" + std::to_string(i))->width() == Scene::kWidth);
  CHECK(reads == 2 + 3 * 10);
  CHECK(cache.used_bytes() == 2 * 3 * Scene::kWidth * Scene::kHeight);
}
