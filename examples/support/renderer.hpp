// Draws results on frames and writes the pictures, in a thread of its own so that tracking does not wait for encoders.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "detrack/image/contact_sheet.hpp"
#include "detrack/image/convert.hpp"
#include "detrack/image/frame_source.hpp"
#include "detrack/image/resize.hpp"
#include "detrack/image/stb.hpp"
#include "detrack/io/atomic_file.hpp"
#include "detrack/io/make_folder.hpp"
#include "detrack/video/writer.hpp"
#include "examples/support/overlay.hpp"

namespace detrack::program {

struct RenderOptions {
  std::filesystem::path video{};          ///< a video file, or a folder of JPEG pictures if it has no extension; empty: none
  std::filesystem::path contact_sheet{};  ///< PNG or JPEG; empty: none
  std::size_t tiles = 12;                 ///< frames on the contact sheet, spread over the whole run
  double frame_rate = 25;
  std::string title{};  ///< of the contact sheet
};

class Renderer {
 public:
  /// For frames of one size. Whatever would keep the files from being written shows here, not after hours of tracking.
  /// Errors: argument, io.
  Renderer(RenderOptions options, std::int64_t width, std::int64_t height) : options_(std::move(options)) {
    open(width, height);
    thread_ = std::thread([this] { work(); });
  }
  ~Renderer() { stop(); }
  Renderer(const Renderer&) = delete;
  Renderer& operator=(const Renderer&) = delete;

  /// Errors: those of writing an earlier frame.
  void add(const Frame& frame, std::span<const TrackResult> results) {
    Item item{frame, {results.begin(), results.end()}, {}};
    for (TrackResult& result : item.results) {  // the tracker's steps are gone with its next frame
      item.steps.emplace_back(result.steps.begin(), result.steps.end());
      result.steps = item.steps.back();
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return queue_.size() < kQueue || error_; });
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    queue_.push_back(std::move(item));
    changed_.notify_all();
  }

  /// Writes what is left. The files are good after any number of frames. Errors: io.
  void finish() {
    stop();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    if (writer_) writer_->finish();
    if (options_.contact_sheet.empty() || !last_) return;
    if (tiles_.back().frame != frames_ - 1) add_tile(frames_ - 1, *last_);
    ContactSheet sheet(options_.title, {tiles_[0].image.width(), tiles_[0].image.height()});
    for (std::size_t i = 0; i < options_.tiles && i < tiles_.size(); ++i) {
      // The first and the last frame, and between them evenly.
      const std::size_t last = tiles_.size() - 1, wanted = std::min(options_.tiles, tiles_.size());
      const Tile& tile = tiles_[wanted < 2 ? 0 : (i * last + (wanted - 1) / 2) / (wanted - 1)];
      sheet.add(tile.image, tile.caption);
    }
    save_image(options_.contact_sheet, sheet.draw());
  }

 private:
  struct Item {
    Frame frame;
    std::vector<TrackResult> results;
    std::deque<std::vector<Box>> steps;  ///< a deque: its elements stay where they are
  };
  struct Tile {
    std::int64_t frame;
    Image image;
    std::string caption;
  };
  static constexpr std::size_t kQueue = 8;

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  void open(std::int64_t width, std::int64_t height) {
    if (!options_.contact_sheet.empty()) {
      if (!has_png_extension(options_.contact_sheet) && !has_jpeg_extension(options_.contact_sheet))
        fail(ErrorCode::argument, "--contact-sheet: expected a name that ends in .png, .jpg or .jpeg, got ",
             options_.contact_sheet.string());
      const AtomicFile possible(options_.contact_sheet);  // removed again: the sheet comes last
    }
    if (options_.video.empty()) return;
    if (options_.video.has_extension()) {
      writer_ = std::make_unique<VideoWriter>(options_.video, width, height, options_.frame_rate);
      return;
    }
    detrack::detail::make_folder(options_.video);
    const AtomicFile possible(options_.video / "000000.jpg");
  }

  void work() {
    for (;;) {
      std::optional<Item> item;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return !queue_.empty() || ending_; });
        if (queue_.empty()) return;
        item = std::move(queue_.front());
        queue_.pop_front();
      }
      changed_.notify_all();
      try {
        draw(*item);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        error_ = std::current_exception();
        changed_.notify_all();
        return;
      }
    }
  }

  void draw(Item& item) {
    const std::int64_t number = frames_++;
    if (!options_.contact_sheet.empty() && number % every_ == 0) add_tile(number, item);
    write(item);
    if (!options_.contact_sheet.empty()) last_ = std::move(item);
  }

  void write(const Item& item) {
    if (options_.video.empty()) return;
    to_rgb(item.frame.image, canvas_);
    for (std::size_t i = 0; i < item.results.size(); ++i) draw_result(canvas_, item.results[i], i);
    if (writer_) {
      writer_->write(canvas_);
    } else {
      char name[32];
      std::snprintf(name, sizeof name, "%06lld.jpg", static_cast<long long>(item.frame.index));
      save_image(options_.video / name, canvas_);
    }
  }

  /// Every `every_`th frame is kept; when there are several times as many as wanted, every second of them goes.
  void add_tile(std::int64_t number, const Item& item) {
    const ImageView& frame = item.frame.image;
    const ImageSize size = fit({frame.width(), frame.height()}, {360, 360});
    Image tile = resize(to_rgb(frame), size.width, size.height);
    for (std::size_t i = 0; i < item.results.size(); ++i)
      draw_box(tile, item.results[i], i, static_cast<double>(size.width) / static_cast<double>(frame.width()));
    char caption[64];
    std::snprintf(caption, sizeof caption, number == 0 ? "frame %lld, given" : "frame %lld, score %.2f",
                  static_cast<long long>(item.frame.index), item.results.empty() ? 0.0 : item.results[0].score);
    tiles_.push_back({number, std::move(tile), caption});
    if (tiles_.size() <= 4 * options_.tiles) return;
    every_ *= 2;
    std::erase_if(tiles_, [&](const Tile& kept) { return kept.frame % every_ != 0; });
  }

  RenderOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> queue_;
  std::exception_ptr error_;
  bool ending_ = false;
  // The thread's own, and finish()'s once it has ended.
  Image canvas_;
  std::unique_ptr<VideoWriter> writer_;
  std::vector<Tile> tiles_;
  std::optional<Item> last_;
  std::int64_t frames_ = 0, every_ = 1;
  std::thread thread_;
};

}  // namespace detrack::program
