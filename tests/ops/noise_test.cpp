// Noise on boxes.
#include "detrack/ops/noise.hpp"

#include <doctest/doctest.h>

#include "detrack/core/rng.hpp"
#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

namespace {

const NoiseSchedule kSchedule;
const CropBox kBox{0.3, 0.35, 0.6, 0.7}, kEps{0.5, -1, 0.25, 1.5};

}  // namespace

TEST_CASE("noise: alpha_bar falls from 1 and stays positive") {
  CHECK(kSchedule.alpha_bar(0) == 1);
  double last = 1;
  for (double t = 10; t <= 1000; t += 10) {
    const double now = kSchedule.alpha_bar(t);
    CHECK((now < last && now >= 1e-9));
    last = now;
  }
  CHECK(kSchedule.alpha_bar(1000) == 1e-9);
}

TEST_CASE("noise: none at t = 0, almost nothing of the box at t = T") {
  const CropBox still = noise_forward(kSchedule, kBox, kEps, 0), lost = noise_forward(kSchedule, kBox, kEps, 1000);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(still[i] == doctest::Approx(kBox[i]).epsilon(1e-15));
    CHECK(lost[i] == doctest::Approx((kEps[i] / 2 + 1) / 2).epsilon(1e-4));
  }
}

TEST_CASE("noise: the result is clamped to the word range") {
  const CropBox noised = noise_forward(kSchedule, kBox, {99, -99, 0, 0}, 500);
  CHECK(noised[0] == kSchedule.max);
  CHECK(noised[1] == kSchedule.min);
}

TEST_CASE("noise: signal and noise keep the unit variance of z apart from the scale") {
  const double ab = kSchedule.alpha_bar(300);
  const CropBox middle = noise_forward(kSchedule, {0.5, 0.5, 0.5, 0.5}, kEps, 300);  // z_0 = 0: only noise is left
  for (std::size_t i = 0; i < 4; ++i) CHECK(middle[i] == doctest::Approx((std::sqrt(1 - ab) * kEps[i] / 2 + 1) / 2));
}

TEST_CASE("noise: steps outside [0, T] are errors") {
  for (const double t : {-1.0, 1000.5, std::nan("")})
    require(throws(ErrorCode::argument, "noise_forward: t: ", [&] { noise_forward(kSchedule, kBox, kEps, t); }));
}

TEST_CASE("noise: the gradient is the slope by central differences, and 0 where the result was clamped") {
  Philox rng(11);
  int clamped = 0;
  for (int trial = 0; trial < 50; ++trial) {
    CropBox box, eps, dy;
    for (std::size_t i = 0; i < 4; ++i) box[i] = rng.uniform(), eps[i] = 2 * rng.normal(), dy[i] = rng.normal();
    const double t = 1000 * rng.uniform(), h = 1e-6;
    const CropBox dbox = noise_backward(kSchedule, box, eps, t, dy);
    for (std::size_t i = 0; i < 4; ++i) {
      CropBox more = box, less = box;
      more[i] += h, less[i] -= h;
      const double slope = (noise_forward(kSchedule, more, eps, t)[i] - noise_forward(kSchedule, less, eps, t)[i]) / (2 * h);
      CHECK(std::abs(dbox[i] - slope * dy[i]) <= 1e-8);
      clamped += slope == 0 ? 1 : 0;
    }
  }
  CHECK(clamped > 0);
}

TEST_CASE("noise: what a block should reach") {
  const CropBox start = noise_forward(kSchedule, kBox, kEps, 600), other{0.2, 0.2, 0.5, 0.5};
  const auto target = [&](bool noised, const CropBox& from, double remaining) {
    return denoising_target(kSchedule, kBox, from, kEps, 600, noised, remaining);
  };
  const CropBox half = noise_forward(kSchedule, kBox, kEps, 300);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(target(true, start, 1)[i] == start[i]);  // nothing done yet
    CHECK(target(true, start, 0.5)[i] == half[i]);
    CHECK(target(true, start, 0)[i] == doctest::Approx(kBox[i]).epsilon(1e-15));
    CHECK(target(false, other, 1)[i] == doctest::Approx(other[i]));
    CHECK(target(false, other, 0.25)[i] == doctest::Approx(0.75 * kBox[i] + 0.25 * other[i]));
    CHECK(target(false, other, 0)[i] == kBox[i]);
  }
}
