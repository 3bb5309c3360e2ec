// Sequences from later starts on.
#include "detrack/data/starts.hpp"

#include <doctest/doctest.h>

using namespace detrack;

namespace {

/// The target is at x = its frame's number, absent in frames 4 and 5, and not in the picture in frame 8.
Sequence twelve_frames() {
  Sequence s;
  s.name = "walk";
  s.other_names = {"walk_1"};
  s.first_frame = 100;
  for (int i = 0; i < 12; ++i) {
    s.frames.push_back(std::to_string(i) + ".jpg");
    s.truth.push_back(i == 4 || i == 5 ? no_box() : Box{static_cast<double>(i), 0, 5, 5});
    s.out_of_view.push_back(i == 8);
    s.cover.push_back(static_cast<std::uint8_t>(1 + i % 8));
  }
  return s;
}

}  // namespace

TEST_CASE("starts: at equal distances, moved on to where the target can be seen, with all that belongs to the frames") {
  const Sequence whole = twelve_frames();
  const auto parts = from_starts(whole, 3);
  REQUIRE(parts.size() == 3);
  CHECK(parts[0].name == "walk");
  CHECK(parts[0].frames == whole.frames);
  CHECK(parts[1].name == "walk@6");  // from 4 on
  CHECK(parts[2].name == "walk@9");  // from 8 on
  CHECK(parts[1].frames.size() == 6);
  CHECK(parts[1].frames[0] == "6.jpg");
  CHECK(parts[1].truth[0] == Box{6, 0, 5, 5});
  CHECK(parts[1].first_frame == 106);
  CHECK(parts[1].cover == std::vector<std::uint8_t>{7, 8, 1, 2, 3, 4});
  CHECK(parts[1].out_of_view == std::vector<std::uint8_t>{0, 0, 1, 0, 0, 0});
  CHECK(parts[1].absent.empty());
  CHECK(parts[1].other_names.empty());
  for (const Sequence& part : parts) CHECK(part.usable(0));
}

TEST_CASE("starts: none twice, and none without a frame to follow") {
  const Sequence whole = twelve_frames();
  const auto parts = from_starts(whole, 1000);
  CHECK(parts.size() == 8);  // 0, 1, 2, 3, 6, 7, 9, 10: the last frame is followed by none
  for (std::size_t i = 1; i < parts.size(); ++i) CHECK(parts[i].frames.size() < parts[i - 1].frames.size());
  CHECK(from_starts(whole, 1).size() == 1);
  Sequence first_box_alone = whole;  // as test sets are published
  first_box_alone.truth.resize(1);
  CHECK(from_starts(first_box_alone, 5).size() == 1);
  Sequence without_pictures = whole;
  without_pictures.frames.clear();
  CHECK(from_starts(without_pictures, 3)[2].truth.size() == 3);
  CHECK(from_starts(Sequence{}, 3).size() == 1);
}
