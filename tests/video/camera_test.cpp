// Camera: its errors, and FFmpeg's test picture in place of a device (no machine that runs tests has a camera).
#include "detrack/video/camera.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <optional>
#include <string>

#include "tests/support/error_of.hpp"

using namespace detrack;
using test::error_of;

TEST_CASE("camera: what is not there, or not a camera") {
  CHECK(error_of(ErrorCode::io, [] { Camera("/dev/no-such-camera"); }) ==
        "/dev/no-such-camera: cannot open: No such file or directory");
  CHECK(error_of(ErrorCode::io, [] { Camera("/dev/null"); }).starts_with("/dev/null: cannot open: "));
  CHECK(error_of(ErrorCode::not_available, [] { Camera("/dev/video0", {.driver = "no-such-driver"}); }) ==
        "/dev/video0: this build of FFmpeg has no input device 'no-such-driver'");
  CHECK(
      error_of(ErrorCode::argument, [] { Camera("no such filter", {.driver = "lavfi"}); }).starts_with("no such filter: "));
}

TEST_CASE("camera: frames of a device, the newest of those that wait") {
  const std::string device = "color=red:size=96x64:rate=10:duration=1,format=rgb24";
  Camera camera(device, {.driver = "lavfi"});
  CHECK(camera.name() == device);
  CHECK_FALSE(camera.frame_count());
  const auto frame = camera.next();
  REQUIRE(frame);
  CHECK(frame->index == 0);
  CHECK(frame->image.width() == 96);
  CHECK(frame->image.height() == 64);
  CHECK(to_string(frame->image.format()) == "rgb");
  const auto pixel = frame->image.pixels()(32, 48);
  CHECK(pixel[0] >= 253);
  CHECK(pixel[1] <= 2);
  CHECK(pixel[2] <= 2);
  CHECK_FALSE(camera.next());  // all ten were there at once

  std::optional<Frame> held;
  {
    Camera other(device, {.driver = "lavfi"});
    held = other.next();
  }
  REQUIRE(held);
  CHECK(held->image.pixels()(32, 48) == pixel);  // frames outlive their camera
}
