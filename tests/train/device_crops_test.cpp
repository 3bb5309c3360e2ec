// Batches whose crops a device makes of pictures that it holds: the samples of the other way, whatever there is room for.
#include "detrack/train/device_crops.hpp"

#include <doctest/doctest.h>

#include <atomic>

#include "detrack/cpu/backend.hpp"
#include "detrack/train/batch_loader.hpp"
#include "detrack/train/pixel_upload.hpp"
#include "detrack/train/sampler.hpp"
#include "tests/support/error_of.hpp"
#include "tests/train/scene.hpp"

using namespace detrack;
using detrack::test::Scene;

namespace {

constexpr std::size_t kPicture = (3 * Scene::kWidth * Scene::kHeight + 255) / 256 * 256;

/// Host memory of which there is as much as one likes.
class ShortAllocator final : public Allocator {
 public:
  explicit ShortAllocator(std::size_t bytes) : left_(bytes) {}
  void* allocate(std::size_t bytes) override {
    if (bytes > left_) fail(ErrorCode::out_of_memory, "short of memory");
    left_ -= bytes;
    return host_allocator()->allocate(bytes);
  }
  void deallocate(void* memory) noexcept override { host_allocator()->deallocate(memory); }
  Device device() const noexcept override { return {}; }

 private:
  std::size_t left_;
};

TrainOptions crop_options() {
  TrainOptions o;
  o.batch = 4;
  o.augment = Scene::every_change();
  return o;
}

/// Pictures of which one in eight cannot be read.
std::shared_ptr<const TrainingData> damaged_data() {
  auto images = Scene::stills(14);
  for (int i = 14; i < 16; ++i) images.push_back({"broken/" + std::to_string(i), {Scene::box(i)}});
  return std::make_shared<const TrainingData>(std::vector<TrainingSource>{{.name = "scene", .images = images}}, 6);
}

struct Taken {
  std::vector<float> pixels;
  std::vector<CropBox> boxes;
  std::vector<std::string> names;
  bool operator==(const Taken&) const = default;
};

/// What a trainer gets to see of a batch.
Taken take(Context<float>& ctx, PixelUpload<float>& upload, const Batch& batch) {
  const Config c = Scene::small_crops();
  const std::int64_t B = batch.size(), S = c.search_size, Z = c.template_size;
  Tensor<float> search({B, 3, S, S}), templates({B, 2, 3, Z, Z});
  upload.upload(ctx, c, batch, search.view(), templates.view());
  Taken taken{{search.data(), search.data() + search.numel()}, batch.truth, batch.names};
  taken.pixels.insert(taken.pixels.end(), templates.data(), templates.data() + templates.numel());
  taken.boxes.insert(taken.boxes.end(), batch.prior.begin(), batch.prior.end());
  return taken;
}

}  // namespace

TEST_CASE("device pictures: held up to the budget, found by name, and memory that ends is told once") {
  const Image image = Scene::picture(1);
  DevicePictures two(host_allocator(), 2 * kPicture + 5);
  CHECK_FALSE(two.find("a"));
  std::uint8_t *a = two.add("a", image), *b = two.add("b", image);
  REQUIRE(a);
  REQUIRE(b);
  CHECK(std::abs(b - a) >= static_cast<std::ptrdiff_t>(kPicture));
  CHECK(two.add("c", image) == nullptr);
  CHECK_FALSE(two.find("c"));
  CHECK(two.find("a")->data == a);
  CHECK(two.find("b")->width == Scene::kWidth);
  CHECK(two.find("b")->height == Scene::kHeight);
  CHECK(two.count() == 2);
  CHECK(two.bytes() <= 2 * kPicture + 5);
  CHECK(two.take_notice().empty());

  CHECK(DevicePictures(host_allocator(), 0).add("a", image) == nullptr);
  CHECK(DevicePictures(host_allocator(), std::numeric_limits<std::size_t>::max()).add("a", image) != nullptr);

  DevicePictures more(std::make_shared<ShortAllocator>(std::size_t{100} << 20), std::size_t{300} << 20);
  const Image large(4000, 2000);  // 24 MB: two in a block
  for (int i = 0; i < 6; ++i) CHECK((more.add(std::to_string(i), large) != nullptr) == (i < 2));
  CHECK(more.count() == 2);
  const std::string notice = more.take_notice();
  CHECK(notice.find("no memory for more than 64 MiB of pictures") != std::string::npos);
  CHECK(more.add("another", large) == nullptr);
  CHECK(more.take_notice().empty());
}

TEST_CASE(
    "device crops: the loader's samples bit for bit, with any budget and number of threads, broken pictures replaced") {
  const Sampler sampler(damaged_data(), Scene::small_crops(), crop_options(), Scene::size);
  auto ctx = cpu::make_context<float>({.threads = 2});
  std::vector<Taken> expected;
  std::map<std::string, std::int64_t> problems;
  {
    BatchLoader loader(Scene::small_crops(), sampler, Scene::cache(),
                       {.batch = 4, .templates = 2, .threads = 1, .ahead = 1});
    PixelUpload<float> upload;
    for (int i = 0; i < 12; ++i) expected.push_back(take(ctx, upload, loader.next()));
    problems = loader.problems();
  }
  REQUIRE_FALSE(problems.empty());
  for (const std::size_t budget : {std::size_t{0}, 3 * kPicture, std::size_t{1} << 30})
    for (const int threads : {1, 4}) {
      CAPTURE(budget);
      const auto pictures = std::make_shared<DevicePictures>(host_allocator(), budget);
      BatchLoader loader(Scene::small_crops(), sampler, Scene::cache(0),
                         {.batch = 4, .templates = 2, .threads = threads, .ahead = 1, .pictures = pictures});
      PixelUpload<float> upload;
      for (const Taken& one : expected) CHECK(take(ctx, upload, loader.next()) == one);
      if (budget < 4 * kPicture)
        CHECK(pictures->count() == budget / kPicture);
      else
        CHECK(pictures->count() > 10);  // of 14, those that were drawn
      if (threads == 1) CHECK(loader.problems() == problems);
    }
}

TEST_CASE("device crops: what the device holds is not decoded again") {
  std::atomic<int> reads = 0;
  const auto images = std::make_shared<ImageCache>(
      [&](const std::filesystem::path& path) {
        ++reads;
        return Scene::load(path);
      },
      0);
  const Sampler sampler(Scene::data(6), Scene::small_crops(), crop_options(), Scene::size);
  const auto pictures = std::make_shared<DevicePictures>(host_allocator(), std::size_t{1} << 30);
  BatchLoader loader(Scene::small_crops(), sampler, images,
                     {.batch = 4, .templates = 2, .threads = 2, .ahead = 1, .pictures = pictures});
  auto ctx = cpu::make_context<float>({.threads = 1});
  PixelUpload<float> upload;
  for (int i = 0; i < 20; ++i) take(ctx, upload, loader.next());
  CHECK(pictures->count() == 6);
  const int until_all_are_held = reads;
  for (int i = 0; i < 20; ++i) take(ctx, upload, loader.next());
  CHECK(reads == until_all_are_held);
}

TEST_CASE("device crops: pictures that are not held pass by in turns, and each crop gets its own") {
  // 20 MB each: one of them at a time has room on its way.
  const auto flat = [](int value) {
    auto image = std::make_shared<Image>(2600, 2600);
    std::fill_n(image->data(), 3 * 2600 * 2600, static_cast<std::uint8_t>(value));
    return std::shared_ptr<const Image>(image);
  };
  const std::shared_ptr<const Image> pictures[] = {flat(51), flat(102), flat(204)};
  std::vector<PlannedCrop> crops;
  for (const int number : {0, 0, 1, 2, 2, 0}) {
    PlannedCrop& crop = crops.emplace_back();
    crop.missing[0] = {std::to_string(number), pictures[number]};
    crop.plan.picture = {nullptr, 2600, 2600};
    crop.plan.region = {1300, 1300, 500};
  }
  crops[3].plan.patches = 1;  // needs two of them: more than usually has room
  crops[3].plan.patch[0] = {{nullptr, 2600, 2600}, {1300, 1300, 100}, {0, 0, 0.5, 1}};
  crops[3].missing[1] = {"1", pictures[1]};
  Config config = Scene::small_crops();
  config.mean = {}, config.std = {1, 1, 1};
  auto ctx = cpu::make_context<float>({.threads = 1});
  DevicePictures none(host_allocator(), 0);
  DeviceCrops<float> maker;
  Tensor<float> y({6, 3, 4, 4});
  maker.make(ctx, config, none, crops, y.view());
  const float expected[] = {0.2f, 0.2f, 0.4f, 0.8f, 0.8f, 0.2f};
  for (std::int64_t n = 0; n < 6; ++n)
    for (std::int64_t c = 0; c < 3; ++c)
      for (std::int64_t i = 0; i < 4; ++i)
        for (std::int64_t j = 0; j < 4; ++j)
          CHECK(y.view()(n, c, i, j) == doctest::Approx(n == 3 && j < 2 ? 0.4f : expected[n]));
}
