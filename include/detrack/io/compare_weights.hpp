// Two files of weights compared, tensor by tensor.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "detrack/io/tensor_statistics.hpp"
#include "detrack/io/weights_file.hpp"

namespace detrack {

/// One name that is not the same in both files.
struct TensorDifference {
  enum class Kind {
    only_first,   ///< the second file has no such tensor
    only_second,  ///< the first has none
    shape,        ///< not compared
    type,         ///< of the same values: nothing but the type differs
    values
  };
  std::string name;
  Kind kind = Kind::values;
  std::int64_t count = 0, different = 0;  ///< elements, and how many of them differ
  std::int64_t nan = 0;                   ///< elements that are NaN in one of the files alone
  double largest = 0, mean = 0;           ///< |a - b| of those that are finite in both
  double relative = 0;                    ///< ||a - b|| / ||b||, infinite where b is nothing but zeros
};

struct WeightsDifference {
  std::vector<TensorDifference> tensors;  ///< by name
  std::size_t equal = 0;
};

namespace detail {

inline TensorDifference compare_tensors(const WeightsFile& a, const TensorInfo& x, const WeightsFile& b,
                                        const TensorInfo& y) {
  TensorDifference result{.name = x.name, .count = x.numel()};
  double sum = 0, squares = 0, norm = 0;
  std::int64_t compared = 0;
  TensorCursor other = b.cursor(y);
  for_each_stored_piece(a, x, [&](std::span<const std::byte> stored, std::int64_t first) {
    const std::size_t count = stored.size() / size_of(x.dtype);
    alignas(8) std::array<std::byte, kPieceElements * 8> memory;
    const auto stored_y = std::span(memory).first(count * size_of(y.dtype));
    other.next_bytes(stored_y);
    b.release_read(y, first, first + static_cast<std::int64_t>(count));
    std::array<double, kPieceElements> xs, ys;
    to_doubles(x.dtype, stored, std::span(xs).first(count));
    to_doubles(y.dtype, stored_y, std::span(ys).first(count));
    // Integers beyond 2^53 are told apart by their bytes.
    const bool same_bits = x.dtype == y.dtype && std::equal(stored.begin(), stored.end(), stored_y.begin());
    for (std::size_t i = 0; i < count; ++i) {
      const double p = xs[i], q = ys[i];
      if (std::isfinite(q)) norm += q * q;
      const bool finite = std::isfinite(p) && std::isfinite(q);
      compared += finite;
      if (same_bits || (std::isnan(p) && std::isnan(q))) continue;
      const std::size_t size = size_of(x.dtype);
      const bool whole = x.dtype == y.dtype && !is_floating(x.dtype);
      const bool equal = whole ? std::equal(stored.begin() + static_cast<std::ptrdiff_t>(i * size),
                                            stored.begin() + static_cast<std::ptrdiff_t>((i + 1) * size),
                                            stored_y.begin() + static_cast<std::ptrdiff_t>(i * size))
                               : p == q;
      if (equal) continue;
      ++result.different;
      result.nan += std::isnan(p) != std::isnan(q);
      if (!finite) continue;
      result.largest = std::max(result.largest, std::abs(p - q));
      sum += std::abs(p - q);
      squares += (p - q) * (p - q);
    }
  });
  if (compared > 0) result.mean = sum / static_cast<double>(compared);
  if (squares > 0) result.relative = std::sqrt(squares / norm);
  if (result.different == 0) result.kind = TensorDifference::Kind::type;
  return result;
}

}  // namespace detail

/// Tensors of the same names are compared by their values: 0 and -0 are the same, NaN and NaN too. Errors: format (damaged
/// data).
inline WeightsDifference compare_weights(const WeightsFile& a, const WeightsFile& b) {
  using Kind = TensorDifference::Kind;
  WeightsDifference result;
  for (const TensorInfo& x : a.tensors()) {
    const TensorInfo* y = b.find(x.name);
    if (!y) {
      result.tensors.push_back({.name = x.name, .kind = Kind::only_first, .count = x.numel()});
    } else if (x.shape != y->shape) {
      result.tensors.push_back({.name = x.name, .kind = Kind::shape, .count = x.numel()});
    } else {
      TensorDifference difference = detail::compare_tensors(a, x, b, *y);
      if (difference.different == 0 && x.dtype == y->dtype)
        ++result.equal;
      else
        result.tensors.push_back(std::move(difference));
    }
  }
  for (const TensorInfo& y : b.tensors())
    if (!a.find(y.name)) result.tensors.push_back({.name = y.name, .kind = Kind::only_second, .count = y.numel()});
  std::sort(result.tensors.begin(), result.tensors.end(), [](const auto& p, const auto& q) { return p.name < q.name; });
  return result;
}

}  // namespace detrack
