// The one comparator of all tests: what it cannot vouch for, it refuses.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/core/shape.hpp"
#include "detrack/core/view.hpp"
#include "detrack/ops/op.hpp"

namespace detrack::test {

/// Empty, or what is wrong. A value and not an assertion, so that tests can require a rejection.
struct Verdict {
  std::string why;
  explicit operator bool() const { return why.empty(); }
};

template <class... Parts>
Verdict reject(const Parts&... parts) {
  return {detrack::detail::concat(parts...)};
}

/// Numbers of any type and layout, as doubles in row-major order.
struct Array {
  Shape shape;
  std::vector<double> values;
};

template <class X>
Array to_array(const View<X>& view) {
  Array array{view.shape(), {}};
  if (view.numel() > 0) ops::detail::for_each_element(view, [&](X x) { array.values.push_back(static_cast<double>(x)); });
  return array;
}

enum class Infinities {
  refused,
  expected  ///< allowed where the reference has the same one
};

struct Tolerance {
  double atol = 0, rtol = 0;
  Infinities infinities = Infinities::refused;
};

namespace detail {

inline Verdict comparable(const Array& got, const Array& reference) {
  if (!(got.shape == reference.shape))
    return reject("expected shape ", to_string(reference.shape), ", got ", to_string(got.shape));
  const auto count = static_cast<std::size_t>(reference.shape.numel());
  if (got.values.size() != count || reference.values.size() != count)
    return reject("expected ", count, " values, got ", got.values.size(), " against ", reference.values.size());
  if (count == 0) return reject("nothing to compare");
  return {};
}

}  // namespace detail

/// Every |got - reference| <= atol + rtol |reference|.
inline Verdict compare(const Array& got, const Array& reference, const Tolerance& tolerance) {
  if (const Verdict verdict = detail::comparable(got, reference); !verdict) return verdict;
  double worst_ratio = 0;
  std::size_t worst = 0;
  for (std::size_t i = 0; i < got.values.size(); ++i) {
    const double a = got.values[i], b = reference.values[i];
    if (tolerance.infinities == Infinities::expected && std::isinf(b) && a == b) continue;
    if (!std::isfinite(a) || !std::isfinite(b)) return reject("index ", i, ": got ", a, ", reference ", b);
    const double difference = std::abs(a - b), bound = tolerance.atol + tolerance.rtol * std::abs(b);
    if (difference <= bound) continue;
    const double ratio = difference / bound;  // infinite where the bound is 0
    if (ratio > worst_ratio) worst_ratio = ratio, worst = i;
  }
  if (worst_ratio == 0) return {};
  return reject("index ", worst, " is worst: got ", got.values[worst], ", reference ", reference.values[worst], ", ",
                worst_ratio, " times the bound");
}

/// ||got - reference|| <= bound max(||reference||, floor sqrt(n))
inline Verdict compare_norm(const Array& got, const Array& reference, double bound, double floor) {
  if (const Verdict verdict = detail::comparable(got, reference); !verdict) return verdict;
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < got.values.size(); ++i) {
    const double a = got.values[i], b = reference.values[i];
    if (!std::isfinite(a) || !std::isfinite(b)) return reject("index ", i, ": got ", a, ", reference ", b);
    difference += (a - b) * (a - b);
    size += b * b;
  }
  const double scale = std::max(std::sqrt(size), floor * std::sqrt(static_cast<double>(got.values.size())));
  const double allowed = bound * scale;
  if (!(std::sqrt(difference) <= allowed))
    return reject("norm of the difference ", std::sqrt(difference), " is ", std::sqrt(difference) / allowed,
                  " times the bound ", allowed);
  return {};
}

}  // namespace detrack::test
