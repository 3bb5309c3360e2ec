// Grids onto other grids: weights worked out by hand, an independent computation, and what bicubic resampling must keep.
#include "detrack/io/resample_grid.hpp"

#include <doctest/doctest.h>

#include "detrack/core/rng.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;
using test::error_of;

namespace {

std::vector<double> resampled(const std::vector<double>& from, std::int64_t side, std::int64_t to, std::int64_t C = 1) {
  std::vector<double> out(static_cast<std::size_t>(to * to * C), -1e300);
  resample_grid(from, side, out, to, C);
  return out;
}

std::vector<double> random_grid(std::int64_t side, std::int64_t C, std::uint64_t seed) {
  std::vector<double> grid(static_cast<std::size_t>(side * side * C));
  Philox rng(seed);
  for (double& x : grid) x = rng.normal();
  return grid;
}

/// The same mathematics from the other end: each place of the new grid sums over all samples of the old one, extended by
/// copies of its edges; the kernel is written out in powers.
double by_convolution(const std::vector<double>& from, std::int64_t side, std::int64_t to, std::int64_t C, std::int64_t y,
                      std::int64_t x, std::int64_t c) {
  const auto kernel = [](double d) {
    d = std::abs(d);
    if (d <= 1) return 1.25 * d * d * d - 2.25 * d * d + 1;
    if (d < 2) return -0.75 * d * d * d + 3.75 * d * d - 6 * d + 3;
    return 0.0;
  };
  const double ratio = static_cast<double>(side) / static_cast<double>(to);
  const double v = (static_cast<double>(y) + 0.5) * ratio - 0.5, u = (static_cast<double>(x) + 0.5) * ratio - 0.5;
  double sum = 0;
  for (std::int64_t j = -4; j < side + 4; ++j)
    for (std::int64_t i = -4; i < side + 4; ++i) {
      const std::int64_t row = std::min(std::max<std::int64_t>(j, 0), side - 1);
      const std::int64_t column = std::min(std::max<std::int64_t>(i, 0), side - 1);
      sum += kernel(v - static_cast<double>(j)) * kernel(u - static_cast<double>(i)) *
             from[static_cast<std::size_t>((row * side + column) * C + c)];
    }
  return sum;
}

}  // namespace

TEST_CASE("resampled grids: the same size is the identity, bit for bit") {
  for (const std::int64_t side : {1, 2, 3, 7, 14}) {
    const auto grid = random_grid(side, 3, 1);
    CHECK(resampled(grid, side, side, 3) == grid);
  }
}

TEST_CASE("resampled grids: twice the size takes the quarter points' weights") {
  // At t = 1/4: k(5/4), k(1/4), k(3/4), k(7/4) of the kernel with a = -3/4, in 256ths.
  const double weights[] = {-27.0 / 256, 225.0 / 256, 67.0 / 256, -9.0 / 256};
  std::vector<double> column_ramp(36);
  const double row[] = {3, -1, 4, 1, -5, 9};  // the same in every row: rows then change nothing
  for (std::size_t i = 0; i < 36; ++i) column_ramp[i] = row[i % 6];
  const auto out = resampled(column_ramp, 6, 12);
  for (std::size_t y = 0; y < 12; ++y) {
    // Place 5 lies at 2.25, place 6 at 2.75; place 0 at -0.25, where the edge stands in for what is beyond it.
    CHECK(out[y * 12 + 5] ==
          doctest::Approx(weights[0] * -1 + weights[1] * 4 + weights[2] * 1 + weights[3] * -5).epsilon(1e-14));
    CHECK(out[y * 12 + 6] ==
          doctest::Approx(weights[3] * -1 + weights[2] * 4 + weights[1] * 1 + weights[0] * -5).epsilon(1e-14));
    CHECK(out[y * 12] == doctest::Approx((weights[3] + weights[2] + weights[1]) * 3 + weights[0] * -1).epsilon(1e-14));
  }
}

TEST_CASE("resampled grids: half the size sees the middle four samples, no more: there is no antialias") {
  std::vector<double> grid(64, 0);
  const double row[] = {1, 2, 4, 8, 16, 32, 64, 128};
  for (std::size_t i = 0; i < 64; ++i) grid[i] = row[i % 8];
  const auto out = resampled(grid, 8, 4);
  // Place 1 lies at 2.5: k(3/2), k(1/2), k(1/2), k(3/2) = -3/32, 19/32, 19/32, -3/32.
  CHECK(out[1] == doctest::Approx((-3 * 2 + 19 * 4 + 19 * 8 - 3 * 16) / 32.0).epsilon(1e-14));
  CHECK(out[4 + 2] == doctest::Approx((-3 * 8 + 19 * 16 + 19 * 32 - 3 * 64) / 32.0).epsilon(1e-14));
}

TEST_CASE("resampled grids: every place of many sizes equals a convolution with the kernel") {
  for (const auto& [from, to] : {std::pair{14, 8}, {14, 16}, {14, 4}, {3, 7}, {1, 5}, {2, 1}, {5, 13}}) {
    const auto grid = random_grid(from, 2, static_cast<std::uint64_t>(from * 100 + to));
    const auto out = resampled(grid, from, to, 2);
    double most = 0;
    for (std::int64_t y = 0; y < to; ++y)
      for (std::int64_t x = 0; x < to; ++x)
        for (std::int64_t c = 0; c < 2; ++c)
          most = std::max(most, std::abs(out[static_cast<std::size_t>((y * to + x) * 2 + c)] -
                                         by_convolution(grid, from, to, 2, y, x, c)));
    CHECK(most < 1e-13);
  }
}

TEST_CASE("resampled grids: constants stay everywhere; with halves, so do ramps away from the edges") {
  for (const std::int64_t to : {1, 5, 8, 30})
    for (const double x : resampled(std::vector<double>(49, 2.5), 7, to)) CHECK(x == doctest::Approx(2.5).epsilon(1e-14));
  // The kernel is no interpolator of ramps but where it is symmetric: at the samples and halfway between them.
  std::vector<double> ramp(64);
  for (std::size_t i = 0; i < 64; ++i) ramp[i] = 3 * static_cast<double>(i / 8) - 2 * static_cast<double>(i % 8) + 1;
  const auto half = resampled(ramp, 8, 4);
  for (std::size_t y = 1; y < 3; ++y)
    for (std::size_t x = 1; x < 3; ++x) {
      const double v = 2 * static_cast<double>(y) + 0.5, u = 2 * static_cast<double>(x) + 0.5;
      CHECK(half[y * 4 + x] == doctest::Approx(3 * v - 2 * u + 1).epsilon(1e-14));
    }
}

TEST_CASE("resampled grids: sizes that contradict each other are refused") {
  std::vector<double> four(4), nine(9), ten(10);
  CHECK(error_of(ErrorCode::argument, [&] { resample_grid(four, 2, ten, 3, 1); }) ==
        "resample_grid: to: expected 3 x 3 vectors of 1 numbers, got 10 numbers");
  error_of(ErrorCode::argument, [&] { resample_grid(four, 3, nine, 3, 1); });
  error_of(ErrorCode::argument, [&] { resample_grid(four, 2, nine, 3, 0); });
  error_of(ErrorCode::argument, [&] { resample_grid({}, 0, nine, 3, 1); });
  error_of(ErrorCode::argument, [&] { resample_grid(four, -2, nine, 3, 1); });
}
