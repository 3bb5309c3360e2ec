// Softmax.
#include "tests/ops/cases/softmax.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

namespace {

Array softmax_of(const std::vector<double>& x) {
  auto ctx = reference_context<double>();
  const auto V = static_cast<std::int64_t>(x.size());
  std::vector<double> y(x.size());
  ops::run(ctx, SoftmaxForward<double>{.x = View<const double>(x.data(), {1, V}), .y = View<double>(y.data(), {1, V})});
  return {{V}, y};
}

}  // namespace

TEST_CASE("softmax") {
  check_op(softmax_cases());
}

TEST_CASE("softmax: known values") {
  require(compare(softmax_of({0, std::log(3)}), {{2}, {0.25, 0.75}}, {.atol = 1e-15}));
  require(compare(softmax_of({1e5, 0}), {{2}, {1, 0}}, {}));
  require(compare(softmax_of({-1e5, -1e5}), {{2}, {0.5, 0.5}}, {}));
}

TEST_CASE("softmax: softmax(x + c) = softmax(x)") {
  require(compare(softmax_of({1000.5, 999, 1002}), softmax_of({0.5, -1, 2}), {.atol = 1e-15}));
}

TEST_CASE("softmax: the checks notice a forgotten sum") {
  const auto forgets_sum = [](auto&, auto&, const auto& ops) {
    const auto& op = std::get<0>(ops);
    for (std::int64_t r = 0; r < op.y.extent(0); ++r)
      for (std::int64_t k = 0; k < op.y.extent(1); ++k) op.dx(r, k) = op.y(r, k) * op.dy(r, k);
  };
  CHECK_FALSE(check_gradients(softmax_cases().front(), kPacked, forgets_sum));
}
