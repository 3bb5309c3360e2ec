// Decoded pictures, kept in memory as long as there is room.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "detrack/image/image.hpp"
#include "detrack/image/size.hpp"

namespace detrack {

/// Reads a picture; throws Error where it cannot. load_image of image/stb.hpp is one.
using LoadImage = std::function<Image(const std::filesystem::path&)>;
/// Asks a picture's size; throws as LoadImage does.
using SizeOfImage = std::function<ImageSize(const std::filesystem::path&)>;

/// For any number of threads. Pictures that were read stay until `most_bytes` are used; then further ones are read every
/// time, but for the last few: the crops of a sample are often of one picture. Nothing else is thrown out: training goes
/// round in all of its data, and whatever was thrown out would be missed as soon.
class ImageCache {
 public:
  ImageCache(LoadImage load, std::size_t most_bytes) : load_(std::move(load)), most_bytes_(most_bytes) {}

  /// Errors: those of the reader.
  std::shared_ptr<const Image> get(const std::filesystem::path& file) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = images_.find(file.native()); found != images_.end()) return found->second;
      for (const auto& [name, image] : recent_)
        if (name == file.native()) return image;
    }
    auto image = std::make_shared<const Image>(load_(file));
    const std::size_t bytes = static_cast<std::size_t>(3 * image->width() * image->height());
    const std::lock_guard lock(mutex_);
    if (bytes > most_bytes_ - used_bytes_) {
      recent_[next_recent_++ % kRecent] = {file.native(), image};
    } else if (images_.emplace(file.native(), image).second) {
      used_bytes_ += bytes;
    }
    return image;
  }

  std::size_t used_bytes() const {
    const std::lock_guard lock(mutex_);
    return used_bytes_;
  }

 private:
  static constexpr std::size_t kRecent = 8;
  LoadImage load_;
  std::size_t most_bytes_, used_bytes_ = 0;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const Image>> images_;
  std::array<std::pair<std::string, std::shared_ptr<const Image>>, kRecent> recent_;
  std::size_t next_recent_ = 0;
};

}  // namespace detrack
