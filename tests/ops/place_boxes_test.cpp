// Predicted boxes placed in the frame.
#include "tests/ops/cases/place_boxes.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("place boxes") {
  check_op(place_boxes_cases());
}

TEST_CASE("place boxes: what the frame's edge cuts, and what is no box and so is the last one") {
  auto ctx = reference_context<double>();
  const double nan = std::nan("");
  const double box[12] = {0.25, 0.25, 0.75, 0.75, -1, 0.25, 0.5, 0.75, nan, 0, 1, 1};
  // The crop covers the pixels from (30, 40) to (50, 60) of a frame of 100 x 80.
  double placement[27], placed[12];
  for (int b = 0; b < 3; ++b) {
    const double row[9] = {40, 50, 20, 100, 80, 35, 45, 10, 10};
    std::copy_n(row, 9, placement + 9 * b);
  }
  placement[9] = 8;  // the second crop sticks out to the left: from -2 to 18
  ops::run(ctx, PlaceBoxes<double>{.box = View<const double>(box, {3, 4}),
                                   .placement = View<const double>(placement, {3, 9}),
                                   .placed = View<double>(placed, {3, 4})});
  const auto row = [&](int b) { return std::vector<double>(placed + 4 * b, placed + 4 * b + 4); };
  CHECK(row(0) == std::vector<double>{0.25, 0.25, 0.75, 0.75});
  // -22 to 8 pixels becomes 0 to 10, the least margin; 45 to 55 stays.
  CHECK(row(1)[0] == doctest::Approx(0.1));
  CHECK(row(1)[2] == doctest::Approx(0.6));
  CHECK(row(1)[1] == doctest::Approx(0.25));
  CHECK(row(2) == row(0));  // the last box: 35 to 45, 45 to 55
}
