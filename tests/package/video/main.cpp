// Writes a video of one frame and reads it back.
#include <cstdio>
#include <detrack/video/camera.hpp>
#include <detrack/video/reader.hpp>
#include <detrack/video/writer.hpp>

int main() {
  detrack::VideoWriter writer("consumer.mp4", 64, 48, 25);
  writer.write(detrack::Image(64, 48));
  writer.finish();
  detrack::VideoReader reader("consumer.mp4");
  const auto frame = reader.next();
  if (!frame || frame->image.width() != 64 || reader.next()) return 1;
  try {
    detrack::Camera("/dev/no-such-camera");
    return 1;
  } catch (const detrack::Error& error) {
    std::puts(error.what());
  }
  return 0;
}
