// VideoWriter: what is written comes back, whatever its format; and nothing is left behind when it cannot be written.
#include "detrack/video/writer.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include "detrack/video/reader.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/video/make_video.hpp"

using namespace detrack;
using test::counting;
using test::error_of;
using test::numbered;
using test::TemporaryFolder;

namespace {

/// The bars in any format, rows with gaps between them; bottom up on request.
class Bars {
 public:
  Bars(PixelFormat format, YuvColour colour, int width, int height, bool bottom_up = false) {
    const Image image = test::bars(width, height);
    // BT.601-7 and BT.709-6, written out here on purpose.
    const bool hd = colour.standard == YuvColour::Standard::bt709;
    const double kr = hd ? 0.2126 : 0.299, kb = hd ? 0.0722 : 0.114;
    const auto sample = [&](int row, int column, int which) {
      const std::uint8_t* p = image.pixel(std::min(row, height - 1), std::min(column, width - 1));
      const double y = kr * p[0] + (1 - kr - kb) * p[1] + kb * p[2];
      const double u = (p[2] - y) / (2 - 2 * kb), v = (p[0] - y) / (2 - 2 * kr);
      const double value = which == 0 ? (colour.full_range ? y : 16 + y * 219 / 255)
                                      : 128 + (which == 1 ? u : v) * (colour.full_range ? 1 : 224.0 / 255);
      return static_cast<std::uint8_t>(std::clamp(value + 0.5, 0.0, 255.0));
    };
    const auto plane = [&](int plane_width, int plane_height, auto&& at) {
      const std::ptrdiff_t stride = plane_width + 13;
      std::vector<std::uint8_t> bytes(static_cast<std::size_t>(stride * plane_height), 77);
      for (int row = 0; row < plane_height; ++row)
        for (int i = 0; i < plane_width; ++i)
          bytes[static_cast<std::size_t>((bottom_up ? plane_height - 1 - row : row) * stride + i)] = at(row, i);
      planes_.push_back(std::move(bytes));
      const std::uint8_t* data = planes_.back().data();
      return bottom_up ? std::pair(data + stride * (plane_height - 1), -stride) : std::pair(data, stride);
    };
    const int half_width = (width + 1) / 2, half_height = (height + 1) / 2;
    const auto luma = [&](int row, int column) { return sample(row, column, 0); };
    if (format == PixelFormat::nv12 || format == PixelFormat::i420) {
      const auto [y, y_stride] = plane(width, height, luma);
      if (format == PixelFormat::nv12) {
        const auto [uv, uv_stride] =
            plane(2 * half_width, half_height, [&](int row, int i) { return sample(2 * row, i / 2 * 2, 1 + i % 2); });
        view = ImageView::nv12(y, y_stride, uv, uv_stride, width, height, colour);
      } else {
        const auto [u, u_stride] = plane(half_width, half_height, [&](int row, int i) { return sample(2 * row, 2 * i, 1); });
        const auto [v, v_stride] = plane(half_width, half_height, [&](int row, int i) { return sample(2 * row, 2 * i, 2); });
        view = ImageView::i420(y, y_stride, u, u_stride, v, v_stride, width, height, colour);
      }
      return;
    }
    int bytes = 1;
    std::function<std::uint8_t(int, int)> at = [&](int row, int i) {
      const std::uint8_t* p = image.pixel(row, i);
      return static_cast<std::uint8_t>(0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2] + 0.5);
    };
    if (format == PixelFormat::rgb || format == PixelFormat::bgr) {
      bytes = 3;
      at = [&](int row, int i) { return image.pixel(row, i / 3)[format == PixelFormat::rgb ? i % 3 : 2 - i % 3]; };
    } else if (format == PixelFormat::rgba || format == PixelFormat::bgra) {
      bytes = 4;
      at = [&](int row, int i) {
        if (i % 4 == 3) return std::uint8_t{99};  // alpha is ignored
        return image.pixel(row, i / 4)[format == PixelFormat::rgba ? i % 4 : 2 - i % 4];
      };
    } else if (format == PixelFormat::yuyv) {
      bytes = 2;
      at = [&](int row, int i) { return i % 2 == 0 ? luma(row, i / 2) : sample(row, i / 4 * 2, 1 + i / 2 % 2); };
    }
    const auto [data, stride] = plane(bytes * width, height, at);
    view = ImageView::packed(data, width, height, format, stride, colour);
  }

  ImageView view;

 private:
  std::vector<std::vector<std::uint8_t>> planes_;
};

std::vector<int> numbers_in(const std::filesystem::path& path) {
  VideoReader reader(path.string());
  return test::numbers(reader);
}

}  // namespace

TEST_CASE("writer: all frames come back in order, at their rate") {
  const TemporaryFolder folder;
  for (const double rate : {25.0, 29.97, 30000 / 1001.0, 0.5, 240.0})
    for (const char* name : {"a.mp4", "a.mov", "a.mkv", "a.avi"}) {
      CAPTURE(name);
      CAPTURE(rate);
      VideoWriter writer(folder / name, 64, 48, rate);
      for (int i = 0; i < 40; ++i) writer.write(numbered(i));
      CHECK(writer.frames() == 40);
      writer.finish();
      VideoReader reader(folder.path() / name);
      CHECK(reader.frame_rate() == doctest::Approx(rate).epsilon(1e-3));
      CHECK(numbers_in(folder / name) == counting(40));
    }
}

TEST_CASE("writer: the colours of every format come back") {
  const TemporaryFolder folder;
  const YuvColour colours[] = {{YuvColour::Standard::bt601, false},
                               {YuvColour::Standard::bt601, true},
                               {YuvColour::Standard::bt709, false},
                               {YuvColour::Standard::bt709, true}};
  const auto check = [&](const ImageView& view, bool gray) {
    VideoWriter writer(folder / "a.mp4", view.width(), view.height(), 25, {.quality = 10});
    for (int i = 0; i < 3; ++i) writer.write(view);
    writer.finish();
    VideoReader reader((folder / "a.mp4").string());
    int count = 0;
    while (const auto frame = reader.next()) {
      CHECK(to_string(frame->image.format()) == "i420");
      CHECK((frame->image.colour().standard == YuvColour::Standard::bt709) == (view.height() >= 720));
      CHECK(test::off_bars(frame->image, gray) <= 4);
      ++count;
    }
    CHECK(count == 3);
  };
  for (const auto& [width, height] : {std::pair(128, 32), std::pair(128, 720)}) {
    CAPTURE(height);
    for (const PixelFormat format :
         {PixelFormat::rgb, PixelFormat::bgr, PixelFormat::rgba, PixelFormat::bgra, PixelFormat::gray}) {
      CAPTURE(std::string(to_string(format)));
      for (const bool bottom_up : {false, true})
        check(Bars(format, {}, width, height, bottom_up).view, format == PixelFormat::gray);
    }
    for (const PixelFormat format : {PixelFormat::nv12, PixelFormat::i420, PixelFormat::yuyv})
      for (const YuvColour& colour : colours) {
        CAPTURE(std::string(to_string(format)));
        CAPTURE(colour.full_range);
        check(Bars(format, colour, width, height).view, false);
      }
  }
  check(Bars(PixelFormat::i420, {}, 128, 32, true).view, false);
}

TEST_CASE("writer: a container without tags is read back in the right colours, too") {
  const TemporaryFolder folder;
  for (const int height : {64, 720}) {
    CAPTURE(height);
    VideoWriter writer(folder / "a.avi", 128, height, 25, {.codec = "mpeg4"});
    for (int i = 0; i < 3; ++i) writer.write(test::bars(128, height));
    writer.finish();
    VideoReader reader((folder / "a.avi").string());
    const auto frame = reader.next();
    REQUIRE(frame);
    CHECK(test::off_bars(frame->image) <= 6);
  }
}

TEST_CASE("writer: odd sides grow by a pixel that repeats its neighbour") {
  const TemporaryFolder folder;
  for (const auto& [width, height] : {std::pair(1, 1), std::pair(33, 17), std::pair(32, 17), std::pair(33, 16)}) {
    CAPTURE(width);
    CAPTURE(height);
    Image image(width, height);
    test::fill(image, 0, 0, width, height, {200, 60, 90});
    VideoWriter writer(folder / "a.mp4", width, height, 25, {.quality = 5});
    for (int i = 0; i < 3; ++i) writer.write(image);
    writer.finish();
    VideoReader reader((folder / "a.mp4").string());
    const auto frame = reader.next();
    REQUIRE(frame);
    CHECK(frame->image.width() == (width + 1) / 2 * 2);
    CHECK(frame->image.height() == (height + 1) / 2 * 2);
    const std::vector<std::uint8_t> bytes = test::rgb_bytes(frame->image);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
      CHECK(std::abs(bytes[i] - 200) <= 4);
      CHECK(std::abs(bytes[i + 1] - 60) <= 4);
      CHECK(std::abs(bytes[i + 2] - 90) <= 4);
    }
  }
}

TEST_CASE("writer: an MP4 file begins with its index") {
  const TemporaryFolder folder;
  VideoWriter writer(folder / "a.mp4", 64, 48, 25);
  for (int i = 0; i < 10; ++i) writer.write(numbered(i));
  writer.finish();
  const test::Bytes bytes = test::read_file(folder / "a.mp4"), index = test::to_bytes("moov"),
                    media = test::to_bytes("mdat");
  const auto place = [&](const test::Bytes& tag) { return std::search(bytes.begin(), bytes.end(), tag.begin(), tag.end()); };
  REQUIRE(place(index) != bytes.end());
  CHECK(place(index) < place(media));
}

TEST_CASE("writer: the file appears when it is finished, which may be after any frame") {
  const TemporaryFolder folder;
  test::write_file(folder / "a.mp4", test::to_bytes("old"));
  {
    VideoWriter writer(folder / "a.mp4", 64, 48, 25);
    for (int i = 0; i < 7; ++i) writer.write(numbered(i));
    CHECK(test::read_file(folder / "a.mp4") == test::to_bytes("old"));
    CHECK(folder.count() == 2);
  }
  CHECK(test::read_file(folder / "a.mp4") == test::to_bytes("old"));
  CHECK(folder.count() == 1);

  VideoWriter writer(folder / "a.mp4", 64, 48, 25);
  for (int i = 0; i < 7; ++i) writer.write(numbered(i));
  const std::string path = (folder / "a.mp4").string();
  CHECK(error_of(ErrorCode::argument, [&] { writer.write(numbered(7, 80, 60)); }) ==
        path + ": frame 7: expected 64x48 pixels, got 80x60");
  writer.finish();
  CHECK(numbers_in(folder / "a.mp4") == counting(7));
  CHECK(folder.count() == 1);
  writer.finish();
  CHECK(error_of(ErrorCode::argument, [&] { writer.write(numbered(7)); }) ==
        path + ": frame 7: expected no frame after finish()");
  CHECK(numbers_in(folder / "a.mp4") == counting(7));
}

TEST_CASE("writer: one frame is a video, none is no file") {
  const TemporaryFolder folder;
  VideoWriter none(folder / "none.mp4", 64, 48, 25);
  none.finish();
  CHECK(folder.count() == 0);
  VideoWriter one(folder / "one.mp4", 64, 48, 25);
  one.write(numbered(200));
  one.finish();
  CHECK(numbers_in(folder / "one.mp4") == std::vector<int>{200});
}

TEST_CASE("writer: what it refuses") {
  const TemporaryFolder folder;
  const auto refusal = [&](ErrorCode code, const std::string& name, double rate = 25, const VideoWriterOptions& options = {},
                           int width = 64) {
    const std::string path = (folder / name).string();
    const std::string message = error_of(code, [&] { VideoWriter(path, width, 48, rate, options); });
    REQUIRE(message.starts_with(path));
    return message.substr(path.size());
  };
  CHECK(refusal(ErrorCode::argument, "a.xyz") == ": expected the extension of a video file, such as .mp4, got '.xyz'");
  CHECK(refusal(ErrorCode::argument, "a") == ": expected the extension of a video file, such as .mp4, got ''");
  CHECK(refusal(ErrorCode::argument, "a.png") == ": expected the extension of a video file, such as .mp4, got '.png'");
  CHECK(refusal(ErrorCode::io, "no/a.mp4") == ": cannot create: No such file or directory");
  CHECK(refusal(ErrorCode::argument, "a.mp4", 0) == ": frame rate: expected a number in [0.001, 10000], got 0");
  CHECK(refusal(ErrorCode::argument, "a.mp4", std::nan("")).starts_with(": frame rate: expected"));
  CHECK(refusal(ErrorCode::argument, "a.mp4", 25, {.quality = 0}) == ": quality: expected a number in [1, 51], got 0");
  CHECK(refusal(ErrorCode::not_available, "a.mp4", 25, {.codec = "x"}) == ": this build of FFmpeg has no encoder 'x'");
  CHECK(refusal(ErrorCode::argument, "a.mp4", 25, {}, 0).starts_with(": size: expected sides in"));
  CHECK(
      refusal(ErrorCode::argument, "a.mp4", 25, {.codec = "mpeg4"}, 20000).starts_with(": encoder mpeg4 refuses 20000x48"));
  CHECK(refusal(ErrorCode::argument, "a.gif").starts_with(": encoder gif refuses"));
  CHECK(refusal(ErrorCode::argument, "a.webm", 25, {.codec = "mpeg4"}).starts_with(": cannot hold video of encoder mpeg4"));
  CHECK(folder.count() == 0);
  std::filesystem::create_directory(folder / "folder.mp4");
  CHECK(refusal(ErrorCode::io, "folder.mp4") == ": expected a regular file or none, got a directory");
}

TEST_CASE("writer: no room: a limit on file sizes stands in for a full disk") {
  const TemporaryFolder folder;
  const std::string path = (folder / "a.mp4").string();
  test::write_file(path, test::to_bytes("old"));
  struct rlimit old {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit tight = old;
  tight.rlim_cur = 1 << 14;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
  std::string message, again;
  {
    VideoWriter writer(path, 128, 128, 25);
    message = error_of(ErrorCode::io, [&] {
      for (int frame = 0; frame < 200; ++frame) {
        Image noise(128, 128);
        for (int i = 0; i < 3 * 128 * 128; ++i)
          noise.data()[i] = static_cast<std::uint8_t>(i * (frame + 3) * 2654435761u >> 13);
        writer.write(noise);
      }
      writer.finish();
    });
    again = error_of(ErrorCode::io, [&] { writer.finish(); });
  }
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  CHECK(message.starts_with(path + ": frame "));
  CHECK(message.ends_with("File too large"));
  CHECK(again.starts_with(path));
  CHECK(test::read_file(path) == test::to_bytes("old"));
  CHECK(folder.count() == 1);
}
