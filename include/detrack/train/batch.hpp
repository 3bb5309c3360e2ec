// The samples of one forward pass: in host memory, or planned for the device that makes them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "detrack/core/crop_box.hpp"
#include "detrack/core/tensor.hpp"
#include "detrack/model/config.hpp"
#include "detrack/train/device_pictures.hpp"
#include "detrack/train/planned_crop.hpp"

namespace detrack {

/// Everything about sample b stands at [b].
struct Batch {
  std::uint64_t number = 0;  ///< counts batches from 0; sample b is sample number * size() + b of the run
  Tensor<float> search;      ///< (B, 3, S, S), normalised RGB
  Tensor<float> templates;   ///< (B, n, 3, Z, Z)
  /// In place of the two where `pictures` is there, which then is where their pictures lie or go to: B, and B n.
  std::vector<PlannedCrop> planned_search{}, planned_templates{};
  std::shared_ptr<DevicePictures> pictures{};
  std::vector<CropBox> truth, prior;           ///< see SampleRecipe
  std::vector<std::vector<CropBox>> others{};  ///< see SampleRecipe
  std::vector<CropBox> trajectory{};           ///< (B, K) previous boxes, oldest first; stage sequences
  std::vector<std::uint8_t> absent;
  std::vector<std::string> names;

  Batch() = default;
  /// `pixels`: host memory, which a device may copy from faster where its backend has made it.
  Batch(const Config& c, std::int64_t size, std::int64_t n, const std::shared_ptr<Allocator>& pixels = host_allocator())
      : Batch(size) {
    search = Tensor<float>({size, 3, c.search_size, c.search_size}, pixels);
    templates = Tensor<float>({size, n, 3, c.template_size, c.template_size}, pixels);
  }
  /// Of planned crops.
  Batch(std::int64_t size, std::int64_t n, std::shared_ptr<DevicePictures> on_device) : Batch(size) {
    planned_search.resize(static_cast<std::size_t>(size));
    planned_templates.resize(static_cast<std::size_t>(size * n));
    pictures = std::move(on_device);
  }

  std::int64_t size() const { return static_cast<std::int64_t>(truth.size()); }
  /// Number of sample b in the whole run: what its random draws hang on.
  std::uint64_t sample(std::size_t b) const { return number * truth.size() + b; }

 private:
  /// Without crops.
  explicit Batch(std::int64_t size)
      : truth(static_cast<std::size_t>(size)),
        prior(truth.size()),
        others(truth.size()),
        absent(truth.size()),
        names(truth.size()) {}
};

}  // namespace detrack
