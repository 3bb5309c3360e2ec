// Damaged files: whatever they hold, there are frames or a detrack::Error, in bounded time.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "detrack/core/rng.hpp"
#include "detrack/video/reader.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/video/make_video.hpp"

using namespace detrack;

namespace {

/// Flips, overwrites, removes or repeats some bytes; half of the damage falls on the first kilobyte, where headers are.
test::Bytes damaged(test::Bytes bytes, std::uint64_t index) {
  Philox random(11, index);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random.below(std::max<std::size_t>(n, 1))); };
  for (std::size_t count = 1 + below(6), i = 0; i < count && !bytes.empty(); ++i) {
    const std::size_t at = below(2) ? below(bytes.size()) : below(std::min<std::size_t>(bytes.size(), 1024));
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    const auto length = static_cast<std::ptrdiff_t>(std::min(1 + below(below(2) ? 4 : 200), bytes.size() - at));
    switch (below(5)) {
      case 0: *begin ^= static_cast<std::byte>(1u << below(8)); break;
      case 1: std::fill_n(begin, length, below(2) ? std::byte{0xff} : std::byte{0}); break;
      case 2: bytes.erase(begin, begin + length); break;
      case 3: {
        const test::Bytes copy(begin, begin + length);
        bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(below(bytes.size())), copy.begin(), copy.end());
        break;
      }
      default: bytes.resize(below(4) ? at : bytes.size() / 2 + at / 2); break;
    }
  }
  return bytes;
}

}  // namespace

TEST_CASE("mutations: no frame of a file with an index is lost without a word") {
  const test::TemporaryFolder folder;
  constexpr int count = 26;
  for (const char* codec : {"libx264", "mpeg4"}) {
    const std::string path = (folder / "a.mp4").string(), damaged_path = (folder / "b.mp4").string();
    test::encode(path, {.codec = codec, .options = {{"g", "12"}, {"bf", "2"}}}, count,
                 [](int i) { return test::numbered(i); });
    std::vector<std::pair<std::size_t, std::size_t>> packets;  // position and size
    {
      detail::AvOptions options;
      detail::Av<AVFormatContext> input;
      REQUIRE(detail::open_input(input, path, nullptr, options) >= 0);
      const auto packet = detail::own(av_packet_alloc());
      for (; av_read_frame(input.get(), packet.get()) >= 0; av_packet_unref(packet.get()))
        packets.emplace_back(packet->pos, packet->size);
    }
    REQUIRE(packets.size() == count);
    const test::Bytes good = test::read_file(path);
    int errors = 0;
    for (const auto& [position, size] : packets)
      for (const bool all : {true, false})
        for (const int threads : {1, 3}) {
          test::Bytes bytes = good;
          const std::size_t skipped = all ? 0 : size / 2;
          std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(position + skipped), size - skipped,
                      all ? std::byte{0} : std::byte{0xff});
          test::write_file(damaged_path, bytes);
          CAPTURE(position);
          VideoReader reader(damaged_path, {.threads = threads});
          int frames = 0;
          try {
            while (reader.next()) ++frames;
            CHECK((frames == count || reader.ended_early()));
          } catch (const Error&) {
            ++errors;
          }
        }
    CHECK(errors > count);
  }
}

TEST_CASE("mutations: frames or an error, nothing else") {
  const test::TemporaryFolder folder;
  const auto frame_at = [](int i) { return test::numbered(i); };
  int read = 0, refused = 0;
  struct Case {
    const char* name;
    test::Encoding how;
  };
  for (const Case& c :
       {Case{"a.mp4", {.options = {{"g", "6"}, {"bf", "2"}}}},
        Case{"a.avi", {.codec = "mpeg4", .options = {{"g", "6"}, {"bf", "1"}}}},
        Case{"a.mkv", {.codec = "mjpeg", .format = AV_PIX_FMT_YUVJ420P}}, Case{"a.ts", {.codec = "mpeg2video"}}}) {
    encode(folder / c.name, c.how, 16, frame_at);
    const test::Bytes good = test::read_file(folder / c.name);
    for (std::uint64_t i = 0; i < 100; ++i) {
      const std::string path = (folder / ("mutation-" + std::to_string(i) + "-" + c.name)).string();
      CAPTURE(path);
      test::write_file(path, damaged(good, i));
      std::int64_t frames = 0;
      try {
        VideoReader reader(path, {.threads = 1 + static_cast<int>(i % 2), .max_pixels = 1 << 20});
        while (const auto frame = reader.next()) {
          CHECK(frame->index == frames++);
          CHECK(test::rgb_bytes(frame->image).size() == std::size_t(3 * frame->image.width() * frame->image.height()));
        }
        CHECK(frames > 0);
        ++read;
      } catch (const Error& error) {
        CHECK(std::string(error.what()).starts_with(path + ": "));
        ++refused;
      }
      CHECK(frames < 200);
      std::filesystem::remove(path);
    }
  }
  MESSAGE(read << " mutations read, " << refused << " refused");
  CHECK(read > 20);
  CHECK(refused > 20);
}
