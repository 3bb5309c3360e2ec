// Pictures that exist in memory only, and training data made of them: what tests of training learn on.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "detrack/core/rng.hpp"
#include "detrack/model/config.hpp"
#include "detrack/train/image_cache.hpp"
#include "detrack/train/options.hpp"
#include "detrack/train/training_data.hpp"

namespace detrack::test {

/// Picture "<number>" is noise of its own with a bright, textured target at box(number).
class Scene {
 public:
  static constexpr std::int64_t kWidth = 120, kHeight = 90;

  static Box box(int number) {
    Philox rng(5, static_cast<std::uint64_t>(number));
    return {20 + 50 * rng.uniform(), 15 + 35 * rng.uniform(), 18 + 14 * rng.uniform(), 18 + 14 * rng.uniform()};
  }

  static Image picture(int number) {
    Image image(kWidth, kHeight);
    Philox rng(6, static_cast<std::uint64_t>(number));
    const Box target = box(number);
    for (std::int64_t y = 0; y < kHeight; ++y)
      for (std::int64_t x = 0; x < kWidth; ++x) {
        const auto bits = rng.next();
        const auto px = static_cast<double>(x) + 0.5, py = static_cast<double>(y) + 0.5;
        const bool inside = px > target.x && px < target.right() && py > target.y && py < target.bottom();
        for (std::size_t c = 0; c < 3; ++c)
          image.pixel(y, x)[c] = static_cast<std::uint8_t>((inside ? (c == 0 ? 200 : 40) : 60) + bits[c] % 40);
      }
    return image;
  }

  /// Reads "<anything>/<number>"; "broken" in front of it is an error, as of a damaged file.
  static Image load(const std::filesystem::path& path) {
    if (path.string().starts_with("broken")) fail(ErrorCode::format, path.string(), ": JPEG file: damaged");
    return picture(std::stoi(path.filename().string()));
  }
  static std::shared_ptr<ImageCache> cache(std::size_t bytes = 1 << 24) { return std::make_shared<ImageCache>(load, bytes); }
  /// A preset with crops that take little time.
  static Config small_crops() {
    Config c = preset("detrack-n128");
    c.search_size = 64;
    c.template_size = 32;
    return c;
  }
  /// All that can be done to the crops of pictures with boxes, each often enough to be met in a few samples.
  static AugmentOptions every_change() {
    return {.flip = 0.5,
            .grayscale = 0.2,
            .brightness = 0.3,
            .colour = 0.1,
            .gamma = 0.2,
            .blur_prob = 0.4,
            .noise_prob = 0.4,
            .occlusion_prob = 0.4,
            .motion_blur_prob = 0.4,
            .low_resolution_prob = 0.4,
            .foreign_occlusion_prob = 0.4,
            .distractor_prob = 0.4,
            .rotation = 0.5,
            .aspect = 0.3};
  }
  static ImageSize size(const std::filesystem::path&) { return {kWidth, kHeight}; }

  /// `count` pictures with a box each.
  static std::vector<StillImage> stills(int count, const std::string& folder = "good") {
    std::vector<StillImage> images;
    for (int i = 0; i < count; ++i) images.push_back({folder + "/" + std::to_string(i), {box(i)}});
    return images;
  }
  static std::shared_ptr<const TrainingData> data(int count) {
    return std::make_shared<const TrainingData>(std::vector<TrainingSource>{{.name = "scene", .images = stills(count)}}, 6);
  }
};

}  // namespace detrack::test
