// Views: slicing and reshaping without copies, and what they refuse.
#include "detrack/core/view.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <numeric>

#include "core/error_of.hpp"

using namespace detrack;
using test::error_of;

namespace {

struct Counted {  // 0, 1, 2, ...
  std::array<int, 120> memory{};
  Counted() { std::iota(memory.begin(), memory.end(), 0); }
  View<int> view(const Shape& shape) { return {memory.data(), shape}; }
};

}  // namespace

TEST_CASE("view: row-major elements, checked and not") {
  Counted counted;
  const View<int> v = counted.view({2, 3, 4});
  CHECK(v(1, 2, 3) == 23);
  CHECK(v.at(1, 0, 2) == 14);
  CHECK(counted.view({}).at() == 0);
  CHECK(error_of(ErrorCode::shape, [&] { v.at(0, 3, 0); }) == "View::at: axis 1: expected an index below 3, got 3");
  error_of(ErrorCode::shape, [&] { v.at(-1, 0, 0); });
  error_of(ErrorCode::shape, [&] { v.at(std::numeric_limits<std::uint64_t>::max(), 0, 0); });
  CHECK(error_of(ErrorCode::shape, [&] { v.at(0, 0); }) == "View::at: expected 3 indices, got 2");
  const View<int> elsewhere(counted.memory.data(), Shape{2}, Device{DeviceKind::cuda, 1});
  CHECK(error_of(ErrorCode::device, [&] { elsewhere.at(0); }) == "View::at: expected cpu memory, got cuda:1");
  CHECK_FALSE(View<int>());
  const View<const int> reading = v;
  CHECK(reading.at(1, 2, 3) == 23);
}

TEST_CASE("view: slice and select") {
  Counted counted;
  const View<int> v = counted.view({4, 5});
  const View<int> inner = v.slice(0, 1, 2).slice(1, 2, 3);
  CHECK(inner.shape() == Shape{2, 3});
  CHECK(inner.at(1, 2) == 14);
  CHECK_FALSE(inner.contiguous());
  CHECK(v.slice(0, 1, 2).contiguous());
  CHECK(v.slice(1, 5, 0).numel() == 0);
  const View<int> column = v.select(1, 3);
  CHECK(column.shape() == Shape{4});
  CHECK(column.at(2) == 13);
  CHECK(v.select(0, 2).select(0, 1).at() == 11);
  CHECK(error_of(ErrorCode::shape, [&] { v.slice(1, 3, 3); }) ==
        "View::slice: axis 1: expected a range within [0, 5), got 3 from 3 on");
  CHECK(error_of(ErrorCode::shape, [&] { v.slice(2, 0, 1); }) == "View::slice: expected an axis below 2, got 2");
  error_of(ErrorCode::shape, [&] { v.slice(-1, 0, 1); });
  error_of(ErrorCode::shape, [&] { v.slice(0, -1, 1); });
  error_of(ErrorCode::shape, [&] { v.slice(0, 0, -1); });
  error_of(ErrorCode::shape, [&] { v.select(0, 4); });
  error_of(ErrorCode::shape, [&] { counted.view({}).slice(0, 0, 0); });
  constexpr auto largest = std::numeric_limits<std::int64_t>::max();
  error_of(ErrorCode::shape, [&] { v.slice(0, largest, 1); });  // their sum overflows
  error_of(ErrorCode::shape, [&] { v.slice(0, 1, largest); });
}

TEST_CASE("view: split an axis") {
  Counted counted;
  const View<int> v = counted.view({2, 6, 4}).split(1, 3);
  CHECK(v.shape() == Shape{2, 2, 3, 4});
  CHECK(v.at(1, 1, 2, 3) == 47);
  CHECK(error_of(ErrorCode::shape, [&] {
          counted.view({2, 6}).split(1, 4);
        }) == "View::split: axis 1: expected a divisor of 6, got 4");
  error_of(ErrorCode::shape, [&] { counted.view({2, 6}).split(1, 0); });
  error_of(ErrorCode::shape, [&] { counted.view({2, 6}).split(1, -3); });
  error_of(ErrorCode::shape, [&] { counted.view({2, 6}).split(2, 1); });
  error_of(ErrorCode::shape, [&] { counted.view({1, 1, 2, 3, 4}).split(4, 2); });  // would have rank 6
}

TEST_CASE("view: reshape") {
  Counted counted;
  const View<int> v = counted.view({4, 6});
  CHECK(v.reshape({2, 12}).at(1, 11) == 23);
  CHECK(v.reshape({24, 1}).shape() == Shape{24, 1});
  CHECK(error_of(ErrorCode::shape, [&] { v.reshape({5, 5}); }) == "View::reshape: expected 24 elements, got (5, 5)");
  CHECK(error_of(ErrorCode::shape, [&] { v.slice(1, 0, 3).reshape({12}); }) ==
        "View::reshape: expected a contiguous view of (4, 3)");
  CHECK(v.slice(1, 2, 1).slice(0, 3, 1).contiguous());  // extents of one may have any stride
}

TEST_CASE("view: leading axes as rows") {
  Counted counted;
  CHECK(counted.view({2, 3, 4}).rows().shape() == Shape{6, 4});
  CHECK(counted.view({7}).rows().shape() == Shape{1, 7});
  const View<int> strided = counted.view({2, 3, 4}).slice(2, 1, 2).rows();
  CHECK(strided.shape() == Shape{6, 2});
  CHECK(strided.at(5, 1) == 22);
  CHECK(counted.view({1, 3, 1, 4}).rows().at(2, 3) == 11);
  CHECK(counted.view({3, 1, 4}).slice(0, 1, 2).rows().at(1, 0) == 8);
  error_of(ErrorCode::shape, [&] { counted.view({2, 3, 4}).slice(1, 0, 2).rows(); });
  error_of(ErrorCode::shape, [&] { counted.view({}).rows(); });
}

TEST_CASE("view: a part without elements has no gaps") {  // a trajectory of no boxes yet is one
  Counted counted;
  const View<int> none = counted.view({3, 5, 4}).slice(1, 0, 0);
  CHECK(none.contiguous());
  CHECK(none.rows().shape() == Shape{0, 4});
  CHECK(none.reshape({0}).numel() == 0);
}
