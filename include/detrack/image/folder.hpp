// Opt-in: a folder of pictures, or a list of them, as a source of frames.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/image/frame_source.hpp"
#include "detrack/image/image_files.hpp"
#include "detrack/image/stb.hpp"

namespace detrack {

/// One picture after the other. Their sizes may differ.
class ImageFolder final : public FrameSource {
 public:
  /// Errors: io (no such folder, no pictures in it).
  explicit ImageFolder(const std::filesystem::path& folder, const ImageLimits& limits = {})
      : ImageFolder(image_files(folder), folder.string(), limits) {}
  /// These files in this order; `name` stands in messages. Errors: io (no files).
  ImageFolder(std::vector<std::filesystem::path> files, std::string name, const ImageLimits& limits = {})
      : files_(std::move(files)), name_(std::move(name)), limits_(limits) {
    if (files_.empty()) fail(ErrorCode::io, name_, ": expected pictures (jpg, jpeg, png, bmp, ppm or pgm), got none");
  }

  /// Errors: as load_image(), and again at every further call: a picture that cannot be read is not passed over.
  std::optional<Frame> next() override {
    if (next_ == files_.size()) return {};
    try {
      auto image = std::make_shared<const Image>(load_image(files_[next_], limits_));
      return Frame{image->view(), image, static_cast<std::int64_t>(next_++)};
    } catch (const Error& error) {
      fail(error.code(), name_, ": frame ", next_, ": ", error.what());
    }
  }
  /// Opens none of them.
  std::int64_t skip(std::int64_t count) override {
    const auto skipped = std::min(static_cast<std::size_t>(std::max<std::int64_t>(count, 0)), files_.size() - next_);
    next_ += skipped;
    return static_cast<std::int64_t>(skipped);
  }
  std::string name() const override { return name_; }
  std::optional<std::int64_t> frame_count() const override { return static_cast<std::int64_t>(files_.size()); }

 private:
  std::vector<std::filesystem::path> files_;
  std::string name_;
  ImageLimits limits_;
  std::size_t next_ = 0;
};

}  // namespace detrack
