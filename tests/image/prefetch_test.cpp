// Decoding ahead: the same frames in the same order, errors in their place, and a prompt end.
#include "detrack/image/prefetch.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/image/image_support.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;

namespace {

/// What a source did, for the test to see while and after it lives.
struct SourceLog {
  std::atomic<int> delivered{0}, alive{0};
};

/// `count` frames, their number in every pixel; then the end, or an error.
class CountingSource final : public FrameSource {
 public:
  CountingSource(int count, bool fails, std::shared_ptr<SourceLog> log)
      : count_(count), fails_(fails), log_(std::move(log)) {
    ++log_->alive;
  }
  ~CountingSource() override { --log_->alive; }
  std::optional<Frame> next() override {
    if (next_ == count_) {
      if (fails_) fail(ErrorCode::format, "counting: frame ", next_, ": broken");
      return {};
    }
    const auto number = static_cast<std::uint8_t>(next_);
    auto image = std::make_shared<const Image>(test::plain_image(5, 4, {number, number, number}));
    ++log_->delivered;
    return Frame{image->view(), image, next_++};
  }
  std::string name() const override { return "counting"; }
  std::optional<std::int64_t> frame_count() const override { return count_; }
  double frame_rate() const override { return 25; }
  bool ended_early() const override {
    if (count_ == 3) fail(ErrorCode::io, "counting: cannot tell");
    return count_ == 4;
  }

 private:
  int count_;
  bool fails_;
  std::shared_ptr<SourceLog> log_;
  int next_ = 0;
};

std::unique_ptr<FrameSource> counting(int count, bool fails, const std::shared_ptr<SourceLog>& log) {
  return std::make_unique<CountingSource>(count, fails, log);
}

/// Waits for what another thread does; false if it does not within ten seconds.
template <class Condition>
bool happens(Condition condition) {
  for (int i = 0; i < 10000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

}  // namespace

TEST_CASE("prefetching changes neither frames nor their order") {
  for (const int capacity : {1, 2, 4, 100}) {
    const auto log = std::make_shared<SourceLog>();
    PrefetchSource source(counting(60, false, log), capacity);
    CHECK(source.name() == "counting");
    CHECK(source.frame_count() == 60);
    CHECK(source.frame_rate() == 25);
    std::vector<Frame> held;
    for (int i = 0; i < 60; ++i) {
      const auto frame = source.next();
      REQUIRE(frame.has_value());
      CHECK(frame->index == i);
      CHECK(test::colour_at(frame->image.pixels(), 2, 3).r == i);
      held.push_back(*frame);
    }
    CHECK_FALSE(source.next().has_value());
    CHECK_FALSE(source.next().has_value());
    for (int i = 0; i < 60; ++i) CHECK(test::colour_at(held[static_cast<std::size_t>(i)].image.pixels(), 0, 0).g == i);
  }
}

TEST_CASE("no more frames are decoded in advance than there is room for") {
  const auto log = std::make_shared<SourceLog>();
  PrefetchSource source(counting(50, false, log), 3);
  CHECK(happens([&] { return log->delivered == 3; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(log->delivered == 3);
  CHECK(source.next()->index == 0);
  CHECK(happens([&] { return log->delivered == 4; }));
}

TEST_CASE("an error comes after the frames before it, and stays") {
  const auto log = std::make_shared<SourceLog>();
  PrefetchSource source(counting(6, true, log), 4);
  for (int i = 0; i < 6; ++i) CHECK(source.next()->index == i);
  for (int i = 0; i < 2; ++i)
    CHECK(test::error_of(ErrorCode::format, [&] { source.next(); }) == "counting: frame 6: broken");
}

TEST_CASE("whether a source ended early is told after its frames, and so is that it cannot tell") {
  const auto log = std::make_shared<SourceLog>();
  for (const int count : {3, 4, 5}) {
    PrefetchSource source(counting(count, false, log), 2);
    for (int i = 0; i < count; ++i) CHECK(source.next()->index == i);
    if (count == 3) {
      CHECK(test::error_of(ErrorCode::io, [&] { source.next(); }) == "counting: cannot tell");
    } else {
      CHECK_FALSE(source.next().has_value());
      CHECK(source.ended_early() == (count == 4));
    }
  }
}

TEST_CASE("it may be dropped at any time") {
  const auto log = std::make_shared<SourceLog>();
  for (int taken = 0; taken < 12; ++taken)
    for (int i = 0; i < 20; ++i) {
      PrefetchSource source(counting(10, taken % 2 == 0, log), 1 + i % 5);
      for (int k = 0; k < std::min(taken, 10); ++k) source.next();
    }
  CHECK(log->alive == 0);
  {
    PrefetchSource full(counting(1000, false, log), 2);
    CHECK(happens([&, before = log->delivered.load()] { return log->delivered >= before; }));
  }
  CHECK(log->alive == 0);
}

TEST_CASE("prefetching needs a source and room") {
  const auto log = std::make_shared<SourceLog>();
  CHECK(test::error_of(ErrorCode::argument, [] { PrefetchSource source(nullptr); }) ==
        "PrefetchSource: source: expected one, got a null pointer");
  CHECK(test::error_of(ErrorCode::argument, [&] { PrefetchSource source(counting(1, false, log), 0); }) ==
        "PrefetchSource: capacity: expected at least 1 frame, got 0");
  CHECK(log->alive == 0);
}
