// Shapes: bounds and overflow.
#include "detrack/core/shape.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

#include "core/error_of.hpp"

using namespace detrack;
using test::error_of;

TEST_CASE("shape: extents, elements, comparison, text") {
  static_assert(Shape{2, 3}.numel() == 6);  // usable at compile time
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape{}.rank() == 0);
  CHECK(Shape{4, 0, 5}.numel() == 0);
  CHECK(Shape{1, 2, 3, 4, 5}.numel() == 120);
  CHECK(Shape{2, 3} == Shape{2, 3});
  CHECK_FALSE(Shape{2, 3} == Shape{3, 2});
  CHECK_FALSE(Shape{2, 3} == Shape{2, 3, 1});
  CHECK(to_string(Shape{}) == "()");
  CHECK(to_string(Shape{7}) == "(7)");
  CHECK(to_string(Shape{3, 0, 4}) == "(3, 0, 4)");
}

TEST_CASE("shape: what is refused") {
  CHECK(error_of(ErrorCode::shape, [] { Shape{2, -1}; }) == "Shape: expected extents >= 0, got -1");
  error_of(ErrorCode::shape, [] { Shape{std::numeric_limits<std::int64_t>::min()}; });
  CHECK(error_of(ErrorCode::shape, [] { Shape{1, 1, 1, 1, 1, 1}; }) == "Shape: expected a rank of at most 5");
  CHECK(Shape{std::numeric_limits<std::int64_t>::max()}.numel() == std::numeric_limits<std::int64_t>::max());
  const std::int64_t half = std::int64_t{1} << 32;
  CHECK(Shape{half, half / 2 - 1}.numel() == half * (half / 2 - 1));
  CHECK(error_of(ErrorCode::shape, [=] { Shape{half, half / 2}; }) == "Shape: the number of elements overflows");
  error_of(ErrorCode::shape, [=] { Shape{2, std::numeric_limits<std::int64_t>::max()}; });
}

TEST_CASE("shape: an extent of zero does not hide an overflow in the strides") {
  const std::int64_t large = std::int64_t{1} << 40;
  error_of(ErrorCode::shape, [=] { Shape{0, large, large}; });
  error_of(ErrorCode::shape, [=] { Shape{large, 0, large}; });
  CHECK(Shape{0, large}.numel() == 0);
}

TEST_CASE("shape: a failed append leaves the shape as it was") {
  Shape shape{2, 3};
  error_of(ErrorCode::shape, [&] { shape.append(-4); });
  CHECK(shape == Shape{2, 3});
}
