// VideoReader: every frame once and in order, the colours that went in, and every way a file can be wrong.
#include "detrack/video/reader.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "detrack/video/writer.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/video/make_video.hpp"

using namespace detrack;
using test::counting;
using test::encode;
using test::Encoding;
using test::error_of;
using test::numbered;
using test::numbers;
using test::TemporaryFolder;

namespace {

/// Key frames every 12 frames and three B-frames between others: decoding order is far from display order.
const Encoding kReordered{.options = {{"g", "12"}, {"bf", "3"}, {"b_strategy", "0"}, {"crf", "16"}, {"sc_threshold", "0"}}};

Image numbered_frame(int i) {
  return numbered(i);
}

/// The first frame of a file of eight frames of bars.
Frame first_of_bars(const std::filesystem::path& path, const Encoding& how, int width = 128, int height = 32) {
  encode(path, how, 8, [&](int) { return test::bars(width, height); });
  VideoReader reader(path.string());
  std::optional<Frame> first = reader.next();
  REQUIRE(first);
  int count = 1;
  while (reader.next()) ++count;
  CHECK(count == 8);
  return *first;
}

std::string path_of(const TemporaryFolder& folder, const std::string& name) {
  return (folder / name).string();
}

void cut(const std::filesystem::path& from, const std::filesystem::path& to, double begin, double end) {
  const test::Bytes bytes = test::read_file(from);
  const auto place = [&](double part) { return bytes.begin() + static_cast<std::ptrdiff_t>(part * double(bytes.size())); };
  test::write_file(to, {place(begin), place(end)});
}

}  // namespace

TEST_CASE("reader: every frame of a video once and in order") {
  const TemporaryFolder folder;
  const std::string path = path_of(folder, "a.mp4");
  encode(path, kReordered, 100, numbered_frame);
  VideoReader reader(path);
  CHECK(reader.name() == path);
  CHECK(reader.frame_count() == 100);
  CHECK(reader.frame_rate() == 25);
  CHECK_FALSE(reader.ended_early());
  for (int i = 0; i < 100; ++i) {
    const auto frame = reader.next();
    REQUIRE(frame);
    CHECK(frame->index == i);
    CHECK(frame->image.width() == 64);
    CHECK(frame->image.height() == 48);
    CHECK(frame->image.format() == PixelFormat::i420);
    CHECK(test::number_of(frame->image) == i);
    const auto square = frame->image.pixels()(12, 2 * i % 56 + 4);
    CHECK(square[0] > 190);
    CHECK(square[1] < 60);
  }
  CHECK_FALSE(reader.next());
  CHECK_FALSE(reader.next());
  CHECK_FALSE(reader.ended_early());
}

TEST_CASE("reader: containers that do not know their length") {
  const TemporaryFolder folder;
  for (const char* name : {"a.mkv", "a.ts", "a.h264"}) {
    CAPTURE(name);
    encode(folder / name, kReordered, 40, numbered_frame);
    VideoReader reader(path_of(folder, name));
    CHECK_FALSE(reader.frame_count());
    CHECK(numbers(reader) == counting(40));
    CHECK_FALSE(reader.ended_early());
  }
}

TEST_CASE("reader: held frames stay as they are, on any thread, after the reader has gone") {
  const TemporaryFolder folder;
  const std::string path = path_of(folder, "a.mp4");
  encode(path, kReordered, 60, numbered_frame);
  for (const int threads : {1, 3}) {
    std::vector<Frame> held;
    std::vector<std::vector<std::uint8_t>> bytes;
    {
      VideoReader reader(path, {.threads = threads});
      while (auto frame = reader.next()) {
        bytes.push_back(test::rgb_bytes(frame->image));
        held.push_back(std::move(*frame));
      }
    }
    REQUIRE(held.size() == 60);
    std::vector<int> found;
    std::thread([&] {
      for (std::size_t i = 0; i < held.size(); ++i) {
        found.push_back(test::rgb_bytes(held[i].image) == bytes[i] ? test::number_of(held[i].image) : -1);
        held[i] = {};
      }
    }).join();
    CHECK(found == counting(60));
  }
}

TEST_CASE("reader: frames do not depend on the number of threads") {
  const TemporaryFolder folder;
  const std::string path = path_of(folder, "a.mp4");
  encode(path, kReordered, 30, numbered_frame);
  VideoReader one(path, {.threads = 1}), four(path, {.threads = 4});
  for (int i = 0; i < 30; ++i) CHECK(test::rgb_bytes(one.next()->image) == test::rgb_bytes(four.next()->image));
  CHECK_FALSE(one.next());
  CHECK_FALSE(four.next());
}

TEST_CASE("reader: skip(n) is reading n frames") {
  const TemporaryFolder folder;
  const std::string path = path_of(folder, "a.mp4");
  encode(path, kReordered, 40, numbered_frame);
  std::vector<std::vector<std::uint8_t>> all;
  VideoReader sequential(path);
  while (const auto frame = sequential.next()) all.push_back(test::rgb_bytes(frame->image));
  REQUIRE(all.size() == 40);
  for (int n = 0; n < 40; ++n) {
    VideoReader reader(path);
    CHECK(reader.skip(n) == n);
    const auto frame = reader.next();
    REQUIRE(frame);
    CHECK(frame->index == n);
    CHECK(test::rgb_bytes(frame->image) == all[static_cast<std::size_t>(n)]);
  }
  VideoReader reader(path);
  CHECK(reader.skip(5) == 5);
  CHECK(test::number_of(reader.next()->image) == 5);
  CHECK(reader.skip(20) == 20);
  const auto frame = reader.next();
  CHECK(frame->index == 26);
  CHECK(test::rgb_bytes(frame->image) == all[26]);
  CHECK(reader.skip(100) == 13);
  CHECK(reader.skip(1) == 0);
  CHECK_FALSE(reader.next());
}

TEST_CASE("reader: pixel formats that ImageView knows are not converted") {
  const TemporaryFolder folder;
  struct Case {
    const char* file;
    const char* codec;
    AVPixelFormat stored;
    PixelFormat delivered;
  };
  for (const Case& c : {
           Case{"yuv420p.mp4", "libx264", AV_PIX_FMT_YUV420P, PixelFormat::i420},
           Case{"yuvj420p.avi", "mjpeg", AV_PIX_FMT_YUVJ420P, PixelFormat::i420},
           Case{"nv12.nut", "rawvideo", AV_PIX_FMT_NV12, PixelFormat::nv12},
           Case{"yuyv.nut", "rawvideo", AV_PIX_FMT_YUYV422, PixelFormat::yuyv},
           Case{"rgb.nut", "rawvideo", AV_PIX_FMT_RGB24, PixelFormat::rgb},
           Case{"bgr.nut", "rawvideo", AV_PIX_FMT_BGR24, PixelFormat::bgr},
           Case{"bgr.avi", "rawvideo", AV_PIX_FMT_BGR24, PixelFormat::bgr},  // bottom up
           Case{"rgba.nut", "rawvideo", AV_PIX_FMT_RGBA, PixelFormat::rgba},
           Case{"bgra.nut", "rawvideo", AV_PIX_FMT_BGRA, PixelFormat::bgra},
           Case{"bgr0.mkv", "ffv1", AV_PIX_FMT_BGR0, PixelFormat::bgra},
       }) {
    CAPTURE(std::string(c.file));
    const AVColorRange range = c.stored == AV_PIX_FMT_YUVJ420P ? AVCOL_RANGE_JPEG : AVCOL_RANGE_UNSPECIFIED;
    const Frame frame = first_of_bars(folder / c.file, {.codec = c.codec, .format = c.stored, .range = range});
    CHECK(to_string(frame.image.format()) == to_string(c.delivered));
    CHECK(test::off_bars(frame.image) <= 4);
  }
  const Frame gray = first_of_bars(folder / "gray.mkv", {.codec = "ffv1", .format = AV_PIX_FMT_GRAY8});
  CHECK(to_string(gray.image.format()) == "gray");
  CHECK(test::off_bars(gray.image, true) <= 2);
}

TEST_CASE("reader: other pixel formats come as RGB") {
  const TemporaryFolder folder;
  struct Case {
    const char* file;
    const char* codec;
    AVPixelFormat stored;
  };
  for (const Case& c : {
           Case{"yuv444p.mp4", "libx264", AV_PIX_FMT_YUV444P},
           Case{"yuv420p10.mp4", "libx264", AV_PIX_FMT_YUV420P10},
           Case{"yuv422p.mkv", "ffv1", AV_PIX_FMT_YUV422P},
           Case{"yuv411p.mkv", "ffv1", AV_PIX_FMT_YUV411P},
           Case{"yuva420p.mkv", "ffv1", AV_PIX_FMT_YUVA420P},
           Case{"gbrp.mkv", "ffv1", AV_PIX_FMT_GBRP12},
           Case{"uyvy.nut", "rawvideo", AV_PIX_FMT_UYVY422},
       }) {
    CAPTURE(std::string(c.file));
    const Frame frame = first_of_bars(folder / c.file, {.codec = c.codec, .format = c.stored});
    CHECK(to_string(frame.image.format()) == "rgb");
    CHECK(test::off_bars(frame.image) <= 6);  // chroma is interpolated across four pixels
  }
  encode(folder / "palette.gif", {.codec = "gif", .format = AV_PIX_FMT_RGB8}, 1, [](int) {
    Image image(16, 16);
    test::fill(image, 0, 0, 16, 16, {5 * 255 / 7, 2 * 255 / 7, 255});  // one of its 256 colours
    return image;
  });
  const auto palette = VideoReader(path_of(folder, "palette.gif")).next();
  REQUIRE(palette);
  const auto colour = palette->image.pixels()(8, 8);
  CHECK(std::abs(colour[0] - 182) <= 4);
  CHECK(std::abs(colour[1] - 72) <= 4);
  CHECK(std::abs(colour[2] - 255) <= 4);
  const Frame deep = first_of_bars(folder / "gray16.mkv", {.codec = "ffv1", .format = AV_PIX_FMT_GRAY16});
  CHECK(test::off_bars(deep.image, true) <= 2);
}

TEST_CASE("reader: matrix and range are those of the tags") {
  const TemporaryFolder folder;
  struct Case {
    AVColorSpace colorspace;
    AVColorRange range;
    const char* delivered;
  };
  int number = 0;
  for (const int height : {32, 720})  // what an untagged video would be taken for must not matter
    for (const Case& c : {
             Case{AVCOL_SPC_BT709, AVCOL_RANGE_MPEG, "i420"},
             Case{AVCOL_SPC_BT709, AVCOL_RANGE_JPEG, "i420"},
             Case{AVCOL_SPC_SMPTE170M, AVCOL_RANGE_MPEG, "i420"},
             Case{AVCOL_SPC_BT470BG, AVCOL_RANGE_JPEG, "i420"},
             Case{AVCOL_SPC_BT2020_NCL, AVCOL_RANGE_MPEG, "rgb"},
             Case{AVCOL_SPC_SMPTE240M, AVCOL_RANGE_JPEG, "rgb"},
         }) {
      CAPTURE(static_cast<int>(c.colorspace));
      CAPTURE(static_cast<int>(c.range));
      const Encoding how{.colorspace = c.colorspace, .range = c.range, .options = {{"preset", "ultrafast"}, {"crf", "10"}}};
      const Frame frame = first_of_bars(folder / (std::to_string(number++) + ".mp4"), how, 128, height);
      CHECK(to_string(frame.image.format()) == c.delivered);
      CHECK(test::off_bars(frame.image) <= 6);
    }
  const Frame studio_gray =
      first_of_bars(folder / "gray.mkv", {.codec = "ffv1", .format = AV_PIX_FMT_GRAY8, .range = AVCOL_RANGE_MPEG});
  CHECK(test::off_bars(studio_gray.image, true) <= 2);
}

TEST_CASE("reader: untagged video is BT.601 below a height of 720, and BT.709 from there on") {
  const TemporaryFolder folder;
  const Frame low = first_of_bars(folder / "low.avi", {.codec = "ffv1"}, 128, 718);
  CHECK(test::off_bars(low.image) <= 4);
  const Frame high = first_of_bars(folder / "high.avi", {.codec = "ffv1"}, 128, 720);
  CHECK(high.image.colour().standard == YuvColour::Standard::bt709);
  CHECK(test::off_bars(high.image) > 10);  // the encoder of this test took BT.601
}

TEST_CASE("reader: frames are shown upright") {
  const TemporaryFolder folder;
  const test::Colour red{200, 30, 30}, green{30, 200, 30}, blue{30, 30, 200}, grey{150, 150, 150};
  const auto corners = [&](int) {
    Image image(64, 32);
    test::fill(image, 0, 0, 32, 16, red);
    test::fill(image, 32, 0, 32, 16, green);
    test::fill(image, 0, 16, 32, 16, blue);
    test::fill(image, 32, 16, 32, 16, grey);
    return image;
  };
  constexpr std::int32_t one = 1 << 16;
  struct Case {
    const char* what;
    std::int32_t a, b, c, d;               // shown x = a x + c y, shown y = b x + d y
    std::array<test::Colour, 4> expected;  // top left, top right, bottom left, bottom right
  };
  for (const Case& c : {
           Case{"as it is", one, 0, 0, one, {red, green, blue, grey}},
           Case{"a quarter clockwise", 0, one, -one, 0, {blue, red, grey, green}},
           Case{"half a turn", -one, 0, 0, -one, {grey, blue, green, red}},
           Case{"a quarter anticlockwise", 0, -one, one, 0, {green, grey, red, blue}},
           Case{"mirrored", -one, 0, 0, one, {green, red, grey, blue}},
           Case{"upside down", one, 0, 0, -one, {blue, grey, red, green}},
           Case{"transposed", 0, one, one, 0, {red, blue, green, grey}},
       }) {
    CAPTURE(c.what);
    Encoding how{.options = {{"crf", "10"}}};
    how.display_matrix = {c.a, c.b, 0, c.c, c.d, 0, 0, 0, 1 << 30};
    encode(folder / "a.mov", how, 3, corners);
    VideoReader reader(path_of(folder, "a.mov"));
    const bool transposed = c.a == 0;
    int count = 0;
    while (const auto frame = reader.next()) {
      ++count;
      const std::int64_t width = frame->image.width(), height = frame->image.height();
      CHECK(width == (transposed ? 32 : 64));
      CHECK(height == (transposed ? 64 : 32));
      const Pixels pixels = frame->image.pixels();
      for (std::size_t corner = 0; corner < 4; ++corner) {
        const auto got = pixels(corner / 2 == 0 ? 2 : height - 3, corner % 2 == 0 ? 2 : width - 3);
        for (std::size_t i = 0; i < 3; ++i) CHECK(std::abs(got[i] - c.expected[corner][i]) <= 6);
      }
    }
    CHECK(count == 3);
  }
}

TEST_CASE("reader: rotated frames of odd sizes, pixel by pixel") {
  const TemporaryFolder folder;
  const auto noise = [](int) {
    Image image(37, 19);
    for (int i = 0; i < 37 * 19 * 3; ++i) image.data()[i] = static_cast<std::uint8_t>(i * 97 + i / 7);
    return image;
  };
  Encoding how{.codec = "png", .format = AV_PIX_FMT_RGB24};
  how.display_matrix = {0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30};
  encode(folder / "a.mov", how, 1, noise);
  const auto frame = VideoReader(path_of(folder, "a.mov")).next();
  REQUIRE(frame);
  REQUIRE(frame->image.width() == 19);
  REQUIRE(frame->image.height() == 37);
  const Image stored = noise(0);
  const Pixels shown = frame->image.pixels(), before = stored.view().pixels();
  for (int row = 0; row < 37; ++row)
    for (int column = 0; column < 19; ++column) CHECK(shown(row, column) == before(18 - column, row));
}

TEST_CASE("reader: odd and tiny sizes") {
  const TemporaryFolder folder;
  const std::pair<int, int> sizes[] = {{1, 1}, {2, 1}, {1, 3}, {3, 5}, {33, 17}};
  for (const AVPixelFormat format : {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV444P, AV_PIX_FMT_GRAY8, AV_PIX_FMT_YUV422P10})
    for (const auto& [width, height] : sizes) {
      CAPTURE(width);
      CAPTURE(height);
      const auto flat = [&](int) {
        Image image(width, height);
        test::fill(image, 0, 0, width, height, {120, 120, 120});
        return image;
      };
      encode(folder / "a.mkv", {.codec = "ffv1", .format = format}, 2, flat);
      VideoReader reader(path_of(folder, "a.mkv"));
      const auto frame = reader.next();
      REQUIRE(frame);
      CHECK(frame->image.width() == width);
      CHECK(frame->image.height() == height);
      for (const std::uint8_t sample : test::rgb_bytes(frame->image)) CHECK(std::abs(sample - 120) <= 1);
      CHECK(reader.next());
      CHECK_FALSE(reader.next());
    }
}

TEST_CASE("reader: numbered pictures") {
  const TemporaryFolder folder;
  Encoding how{.codec = "png", .container = "image2", .format = AV_PIX_FMT_RGB24};
  encode(folder / "img_%04d.png", how, 60, numbered_frame);
  const std::string pattern = path_of(folder, "img_%04d.png");
  VideoReader reader(pattern);
  CHECK(reader.frame_count() == 60);
  CHECK(reader.frame_rate() == 0);
  CHECK(reader.skip(3) == 3);
  for (int i = 3; i < 60; ++i) CHECK(test::rgb_bytes(reader.next()->image) == test::rgb_bytes(numbered(i)));
  CHECK_FALSE(reader.next());
  CHECK_FALSE(reader.ended_early());

  SUBCASE("that start anywhere") {
    for (int i = 1; i <= 60; ++i)
      std::filesystem::rename(folder / ("img_00" + std::string(i < 10 ? "0" : "") + std::to_string(i) + ".png"),
                              folder / ("img_" + std::to_string(3000 + i) + ".png"));
    VideoReader later(pattern);
    CHECK(later.frame_count() == 60);
    CHECK(numbers(later) == counting(60));
  }
  SUBCASE("one of which is damaged") {
    cut(folder / "img_0005.png", folder / "img_0005.png", 0, 0.1);
    VideoReader damaged(pattern);
    CHECK(damaged.skip(4) == 4);
    CHECK(error_of(ErrorCode::format, [&] { damaged.next(); }).find(pattern + ": frame 4") == 0);
  }
  SUBCASE("one of which is empty") {
    std::ofstream(folder / "img_0005.png");
    for (const int threads : {1, 3}) {
      VideoReader damaged(pattern, {.threads = threads});
      CHECK(damaged.skip(4) == 4);
      CHECK(error_of(ErrorCode::format, [&] { damaged.next(); }) ==
            pattern + ": frame 4: expected a picture, got an empty file");
    }
  }
  SUBCASE("one of which has gone since") {
    for (const int threads : {1, 3}) {
      VideoReader damaged(pattern, {.threads = threads});
      std::filesystem::rename(folder / "img_0055.png", folder / "away.png");
      CHECK(damaged.skip(54) == 54);
      CHECK(error_of(ErrorCode::io, [&] { damaged.next(); }) == pattern + ": frame 54: cannot be read: Input/output error");
      std::filesystem::rename(folder / "away.png", folder / "img_0055.png");
    }
  }
  SUBCASE("one of which has another size") {
    encode(folder / "other_%d.png", how, 1, [](int i) { return numbered(i, 80, 60); });
    std::filesystem::rename(folder / "other_1.png", folder / "img_0005.png");
    VideoReader changed(pattern);
    CHECK(changed.skip(4) == 4);
    CHECK(error_of(ErrorCode::format, [&] { changed.next(); }) ==
          pattern + ": frame 4: expected 64x48 pixels as in frame 0, got 80x60");
  }
}

TEST_CASE("reader: a video that changes its size") {
  const TemporaryFolder folder;
  for (const char* extension : {".h264", ".ts"}) {
    CAPTURE(extension);
    const std::string name = std::string("joined") + extension, path = path_of(folder, name);
    encode(folder / ("a" + std::string(extension)), kReordered, 20, numbered_frame);
    encode(folder / ("b" + std::string(extension)), kReordered, 20, [](int i) { return numbered(i, 96, 64); });
    test::Bytes joined = test::read_file(folder / ("a" + std::string(extension)));
    const test::Bytes second = test::read_file(folder / ("b" + std::string(extension)));
    joined.insert(joined.end(), second.begin(), second.end());
    test::write_file(path, joined);
    VideoReader reader(path);
    for (int i = 0; i < 20; ++i) CHECK(test::number_of(reader.next()->image) == i);
    CHECK(error_of(ErrorCode::format, [&] { reader.next(); }) ==
          path + ": frame 20: expected 64x48 pixels as in frame 0, got 96x64");
    CHECK_FALSE(reader.next());
    VideoReader skipping(path);
    CHECK(error_of(ErrorCode::format, [&] { skipping.skip(30); }).find("frame 20: expected 64x48") != std::string::npos);
  }
}

TEST_CASE("reader: files that are cut off") {
  const TemporaryFolder folder;
  encode(folder / "a.mp4", kReordered, 50, numbered_frame);  // its index lies at the end
  cut(folder / "a.mp4", folder / "cut.mp4", 0, 0.3);
  CHECK(error_of(ErrorCode::format, [&] { VideoReader(path_of(folder, "cut.mp4")); }) ==
        path_of(folder, "cut.mp4") + ": not a video that FFmpeg can read: Invalid data found when processing input");

  {
    VideoWriter writer(folder / "b.mp4", 64, 48, 25);  // its index lies in front
    for (int i = 0; i < 50; ++i) writer.write(numbered(i));
    writer.finish();
  }
  encode(folder / "c.avi", {.codec = "mpeg4", .options = {{"g", "5"}}}, 50, numbered_frame);
  for (const std::string name : {"b.mp4", "c.avi"}) {
    CAPTURE(name);
    cut(folder / name, folder / ("cut-" + name), 0, 0.7);
    VideoReader reader(path_of(folder, "cut-" + name));
    CHECK(reader.frame_count() == 50);
    const std::vector<int> found = numbers(reader);
    CHECK(found.size() > 10);
    CHECK(found.size() < 50);
    CHECK(found == counting(static_cast<int>(found.size())));
    CHECK(reader.ended_early());
  }
}

TEST_CASE("reader: a frame that cannot be decoded is an error, not a gap") {
  const TemporaryFolder folder;
  encode(folder / "a.avi", {.codec = "ffv1"}, 20, numbered_frame);
  test::Bytes bytes = test::read_file(folder / "a.avi");
  std::vector<std::size_t> chunks;  // "00dc", size, data
  const test::Bytes tag = test::to_bytes("00dc"), movie = test::to_bytes("movi");
  for (auto at = std::search(bytes.begin(), bytes.end(), movie.begin(), movie.end());
       (at = std::search(at, bytes.end(), tag.begin(), tag.end())) != bytes.end(); ++at)
    chunks.push_back(static_cast<std::size_t>(at - bytes.begin()));
  REQUIRE(chunks.size() >= 20);
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(chunks[7] + 8), chunks[8] - chunks[7] - 8, std::byte{0xff});
  test::write_file(folder / "b.avi", bytes);
  VideoReader reader(path_of(folder, "b.avi"), {.threads = 1});
  std::vector<int> found;
  const std::string message = error_of(ErrorCode::format, [&] {
    while (const auto frame = reader.next()) found.push_back(test::number_of(frame->image));
  });
  CHECK(found == counting(7));
  CHECK(message == path_of(folder, "b.avi") + ": frame 7: cannot be decoded: Invalid data found when processing input");
  CHECK_FALSE(reader.next());
  CHECK_FALSE(reader.ended_early());
}

TEST_CASE("reader: damage that the decoder conceals costs no frame") {
  const TemporaryFolder folder;
  encode(folder / "a.avi", {.codec = "mpeg4", .options = {{"g", "10"}}}, 40, numbered_frame);
  test::Bytes bytes = test::read_file(folder / "a.avi");
  for (std::size_t i = bytes.size() / 3; i < bytes.size() / 2; i += 211) bytes[i] ^= std::byte{0x10};
  test::write_file(folder / "b.avi", bytes);
  VideoReader reader(path_of(folder, "b.avi"));
  CHECK(numbers(reader).size() == 40);
  CHECK_FALSE(reader.ended_early());
}

TEST_CASE("reader: a transport stream that lost some of its packets goes on to its end") {
  const TemporaryFolder folder;
  encode(folder / "a.ts", {.codec = "mpeg2video", .options = {{"g", "5"}, {"b", "2000000"}}}, 40, numbered_frame);
  test::Bytes bytes = test::read_file(folder / "a.ts");
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 3 / 188 * 188);
  bytes.erase(begin, begin + 188);
  test::write_file(folder / "b.ts", bytes);
  VideoReader reader(path_of(folder, "b.ts"));
  const std::vector<int> found = numbers(reader);
  CHECK(found.size() >= 39);
  CHECK(found.back() == 39);
  CHECK_FALSE(reader.ended_early());
}

TEST_CASE("reader: a recording that starts in the middle of a stream starts at its first key frame") {
  const TemporaryFolder folder;
  encode(folder / "a.ts", {.options = {{"g", "12"}, {"bf", "0"}, {"sc_threshold", "0"}}}, 60, numbered_frame);
  const test::Bytes bytes = test::read_file(folder / "a.ts");
  const std::size_t begin = bytes.size() / 4 / 188 * 188;
  test::write_file(folder / "b.ts", {bytes.begin() + static_cast<std::ptrdiff_t>(begin), bytes.end()});
  VideoReader reader(path_of(folder, "b.ts"));
  const std::vector<int> found = numbers(reader);
  REQUIRE(!found.empty());
  CHECK(found.front() > 0);
  CHECK(found.front() % 12 == 0);
  CHECK(found.back() == 59);
  for (std::size_t i = 1; i < found.size(); ++i) CHECK(found[i] == found[i - 1] + 1);
}

TEST_CASE("reader: what is not a video") {
  const TemporaryFolder folder;
  const auto refusal = [&](ErrorCode code, const std::string& name) {
    const std::string path = path_of(folder, name), message = error_of(code, [&] { VideoReader reader(path); });
    REQUIRE(message.starts_with(path));
    return message.substr(path.size());
  };
  CHECK(refusal(ErrorCode::io, "none.mp4") == ": cannot open: No such file or directory");
  CHECK(refusal(ErrorCode::io, "none_%03d.png") == ": cannot open: No such file or directory");
  CHECK(refusal(ErrorCode::io, "") == ": cannot open: Is a directory");

  std::ofstream(folder / "empty.mp4");
  CHECK(refusal(ErrorCode::format, "empty.mp4").starts_with(": not a video that FFmpeg can read: "));
  std::ofstream(folder / "text.mp4") << "This is no video.\n";
  CHECK(refusal(ErrorCode::format, "text.mp4").starts_with(": not a video that FFmpeg can read: "));
  test::Bytes garbage;
  for (unsigned i = 0, x = 1; i < 100000; ++i)
    garbage.push_back(static_cast<std::byte>((x = x * 1664525 + 1013904223) >> 24));
  test::write_file(folder / "garbage.bin", garbage);
  CHECK(refusal(ErrorCode::format, "garbage.bin").starts_with(": not a video that FFmpeg can read: "));

  // One second of silence, 8 kHz, 8 bits.
  std::string wav("RIFF\x64\x1f\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0data\x40\x1f\0\0", 44);
  wav.append(8000, '\x80');
  test::write_file(folder / "sound.wav", test::to_bytes(wav));
  CHECK(refusal(ErrorCode::format, "sound.wav") == ": expected a video stream, got 1 of other kinds");

  // A codec that nobody knows: its four letters in the header of an AVI file.
  encode(folder / "a.avi", {.codec = "mpeg4"}, 3, numbered_frame);
  test::Bytes bytes = test::read_file(folder / "a.avi");
  const test::Bytes tag = test::to_bytes("FMP4");
  for (auto at = bytes.begin(); (at = std::search(at, bytes.end(), tag.begin(), tag.end())) != bytes.end();)
    std::fill_n(at, 4, std::byte{'?'});
  test::write_file(folder / "unknown.avi", bytes);
  CHECK(refusal(ErrorCode::format, "unknown.avi") == ": FFmpeg has no decoder for codec none");
}

TEST_CASE("reader: limits") {
  const TemporaryFolder folder;
  const std::string path = path_of(folder, "a.mp4");
  encode(path, kReordered, 3, numbered_frame);
  CHECK(error_of(ErrorCode::format, [&] { VideoReader(path, {.max_pixels = 64 * 48 - 1}); }) ==
        path + ": expected at most 3071 pixels, got 64x48");
  VideoReader exact(path, {.max_pixels = 64 * 48});
  CHECK(numbers(exact) == counting(3));
  CHECK(error_of(ErrorCode::argument, [&] { VideoReader(path, {.max_pixels = 0}); }).find("max_pixels") !=
        std::string::npos);
  CHECK(error_of(ErrorCode::argument, [&] { VideoReader(path, {.threads = -1}); }).find("threads") != std::string::npos);
}

TEST_CASE("reader: a file whose name looks like something else") {
  const TemporaryFolder folder;
  encode(folder / "a.mp4", kReordered, 3, numbered_frame);
  for (const char* name : {"http:b.mp4", "50%d.mp4", "no extension", "-"}) {
    CAPTURE(name);
    std::filesystem::copy_file(folder / "a.mp4", folder / name);
    VideoReader reader(path_of(folder, name));
    CHECK(numbers(reader) == counting(3));
  }
}

TEST_CASE("reader: FFmpeg's log stays silent unless the program asks for it") {
  detail::silence_log();
  CHECK(av_log_get_level() == AV_LOG_QUIET);
  av_log_set_level(AV_LOG_VERBOSE);
  detail::silence_log();
  CHECK(av_log_get_level() == AV_LOG_VERBOSE);
  av_log_set_level(AV_LOG_QUIET);
}

TEST_CASE("reader: a surveillance clip of 2009") {
  const std::string path = "/usr/share/doc/opencv-doc/examples/data/vtest.avi";
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: Debian's package opencv-doc is not installed");
    return;
  }
  VideoReader reader(path);
  CHECK(reader.frame_count() == 795);
  CHECK(reader.frame_rate() == 10);
  const auto first = reader.next();
  REQUIRE(first);
  CHECK(first->image.width() == 768);
  CHECK(first->image.height() == 576);
  CHECK(reader.skip(10000) == 794);
  CHECK_FALSE(reader.ended_early());
}
