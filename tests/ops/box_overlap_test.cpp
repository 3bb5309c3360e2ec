// IoU and SIoU.
#include "tests/ops/cases/box_overlap.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

namespace {

template <template <class> class Forward>
double overlap(std::vector<double> a, std::vector<double> b) {
  auto ctx = reference_context<double>();
  double y;
  ops::run(ctx, Forward<double>{View<const double>(a.data(), {1, 4}), View<const double>(b.data(), {1, 4}),
                                View<double>(&y, {1})});
  return y;
}

template <template <class> class Backward>
std::vector<double> gradient(std::vector<double> a, std::vector<double> b) {
  auto ctx = reference_context<double>();
  const double one = 1;
  std::vector<double> da(4);
  ops::run(ctx, Backward<double>{View<const double>(a.data(), {1, 4}), View<const double>(b.data(), {1, 4}),
                                 View<const double>(&one, {1}), View<double>(da.data(), {1, 4})});
  return da;
}

}  // namespace

TEST_CASE("iou") {
  check_op(iou_cases());
}
TEST_CASE("siou") {
  check_op(siou_cases());
}

TEST_CASE("iou: known values") {
  CHECK(overlap<IouForward>({0, 0, 2, 2}, {0, 0, 2, 2}) == doctest::Approx(1).epsilon(1e-7));
  CHECK(overlap<IouForward>({0, 0, 2, 2}, {1, 1, 3, 3}) == doctest::Approx(1.0 / 7).epsilon(1e-7));
  CHECK(overlap<IouForward>({0, 0, 1, 1}, {1, 0, 2, 1}) == 0);
  CHECK(overlap<IouForward>({0, 0, 1, 1}, {5, 5, 6, 6}) == 0);
  CHECK(overlap<IouForward>({1, 1, 0, 0}, {0, 0, 1, 1}) == 0);  // inverted
  CHECK(overlap<IouForward>({0, 0, 0, 0}, {0, 0, 0, 0}) == 0);  // nothing at all
}

TEST_CASE("iou: symmetric and within [0, 1]") {
  Philox rng(3);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<double> a(4), b(4);
    boxes(0.1)(a, rng), boxes(0.1)(b, rng);
    const double ab = overlap<IouForward>(a, b);
    CHECK(ab == doctest::Approx(overlap<IouForward>(b, a)).epsilon(1e-12));
    CHECK((ab >= 0 && ab <= 1));
  }
}

TEST_CASE("siou: 0 for equal boxes, more the further apart") {
  const std::vector<double> truth{0.4, 0.4, 0.6, 0.6};
  CHECK(overlap<SiouForward>(truth, truth) == doctest::Approx(0).epsilon(1e-5));
  double last = 0;
  for (const double shift : {0.05, 0.1, 0.3, 0.6}) {
    const double loss = overlap<SiouForward>({0.4 + shift, 0.4, 0.6 + shift, 0.6}, truth);
    CHECK(loss > last);
    last = loss;
  }
}

TEST_CASE("siou: ties and clamps share and pass gradients as automatic differentiation does") {
  // Equal boxes: every max and min is a tie. Only the IoU slopes there, half of what a box that grows inside loses
  // and half of what one that grows outside loses: the sum over opposite edges is 0.
  const auto tied = gradient<SiouBackward>({0.25, 0.25, 0.75, 0.75}, {0.25, 0.25, 0.75, 0.75});
  CHECK(tied[0] == doctest::Approx(-tied[2]));
  CHECK(tied[1] == doctest::Approx(-tied[3]));
  // An inverted side is clamped, so the shape term gives it no gradient, and far from the truth nothing else is left but
  // distance: both edges move the centre alike.
  const auto inverted = gradient<SiouBackward>({3, 3, 2, 2}, {0, 0, 1, 1});
  for (const double x : inverted) CHECK(std::isfinite(x));
}

TEST_CASE("siou: the checks notice the gradient of another overlap") {
  const auto c = siou_cases().front();
  CHECK_FALSE(check_gradients(c, kPacked, [](auto& ctx, auto&, const auto& ops) {
    const auto& op = std::get<0>(ops);
    run_all(ctx, IouBackward<double>{.a = op.a, .b = op.b, .dy = op.dy, .da = op.da});
  }));
}
