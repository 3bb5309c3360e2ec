// A square grid of vectors onto a grid of another size: position embeddings for images of another size.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "detrack/core/error.hpp"

namespace detrack {

namespace detail {

/// The four samples that one place of the new grid is made of, along one axis.
struct CubicTaps {
  std::array<std::size_t, 4> index{};
  std::array<double, 4> weight{};
};

/// Weight of a sample at distance d >= 0 [Keys 1981, eq. 4, with a = -0.75].
inline double cubic_weight(double d) {
  constexpr double a = -0.75;
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return a * (((d - 5) * d + 8) * d - 4);
  return 0;
}

/// Place i of `to` lies at (i + 0.5) from / to - 0.5 of `from`; beyond the edges the edge goes on.
inline std::vector<CubicTaps> cubic_taps(std::int64_t from, std::int64_t to) {
  std::vector<CubicTaps> all(static_cast<std::size_t>(to));
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  for (std::int64_t i = 0; i < to; ++i) {
    const double place = (static_cast<double>(i) + 0.5) * scale - 0.5, below = std::floor(place);
    CubicTaps& taps = all[static_cast<std::size_t>(i)];
    for (std::int64_t k = 0; k < 4; ++k) {
      const std::int64_t sample = static_cast<std::int64_t>(below) + k - 1;
      taps.index[static_cast<std::size_t>(k)] = static_cast<std::size_t>(std::clamp<std::int64_t>(sample, 0, from - 1));
      taps.weight[static_cast<std::size_t>(k)] = cubic_weight(std::abs(place - static_cast<double>(sample)));
    }
  }
  return all;
}

}  // namespace detail

/// Bicubic (a = -0.75, half-pixel centres, no antialias), as vision transformers' position embeddings usually are moved.
/// `from` and `to` hold side x side vectors of `channels` numbers, row-major. Errors: argument.
inline void resample_grid(std::span<const double> from, std::int64_t from_side, std::span<double> to, std::int64_t to_side,
                          std::int64_t channels) {
  const auto expect = [&](const char* name, std::size_t size, std::int64_t side) {
    if (side < 1 || channels < 1 ||
        size != static_cast<std::size_t>(side) * static_cast<std::size_t>(side) * static_cast<std::size_t>(channels))
      fail(ErrorCode::argument, "resample_grid: ", name, ": expected ", side, " x ", side, " vectors of ", channels,
           " numbers, got ", size, " numbers");
  };
  expect("from", from.size(), from_side);
  expect("to", to.size(), to_side);
  const auto taps = detail::cubic_taps(from_side, to_side);  // of rows and of columns
  const auto C = static_cast<std::size_t>(channels), n = static_cast<std::size_t>(from_side), m = taps.size();
  std::vector<double> rows(m * n * C);  // new rows of old columns
  for (std::size_t y = 0; y < m; ++y)
    for (std::size_t i = 0; i < n * C; ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < 4; ++k) sum += taps[y].weight[k] * from[taps[y].index[k] * n * C + i];
      rows[y * n * C + i] = sum;
    }
  for (std::size_t y = 0; y < m; ++y)
    for (std::size_t x = 0; x < m; ++x)
      for (std::size_t c = 0; c < C; ++c) {
        double sum = 0;
        for (std::size_t k = 0; k < 4; ++k) sum += taps[x].weight[k] * rows[(y * n + taps[x].index[k]) * C + c];
        to[(y * m + x) * C + c] = sum;
      }
}

}  // namespace detrack
