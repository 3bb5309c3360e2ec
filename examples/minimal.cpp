#include <cstdio>
#include <detrack/detrack.hpp>
#include <detrack/image/stb.hpp>

int main() {
  auto tracker = detrack::Tracker::load("detrack-t256.safetensors");
  tracker.init(detrack::load_image("0001.jpg"), {120, 80, 40, 60});  // x, y, w, h in pixels, from the top left
  const auto result = tracker.update(detrack::load_image("0002.jpg"));
  const detrack::Box box = result.box;
  std::printf("%.1f,%.1f,%.1f,%.1f score %.2f\n", box.x, box.y, box.w, box.h, result.score);
}
