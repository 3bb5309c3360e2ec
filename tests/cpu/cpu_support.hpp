// What the CPU backend's tests share: guarded, strided, misaligned buffers, and an operation run by every backend.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "detrack/core/rng.hpp"
#include "detrack/core/tensor.hpp"
#include "detrack/cpu/backend.hpp"
#include "doctest/doctest.h"

namespace detrack::cpu_test {

/// Memory of a view whose rows are `gap` elements further apart than they are long, which starts off any alignment, and
/// whose surroundings (gaps included) are checked for stray writes.
template <class T>
class Field {
 public:
  Field(const Shape& shape, std::int64_t gap) : shape_(shape), gap_(gap) {
    const std::int64_t width = shape.rank() ? shape[shape.rank() - 1] : 1;
    const std::int64_t rows = width ? shape.numel() / width : 0;
    memory_.assign(static_cast<std::size_t>(2 * kGuard + rows * (width + gap)), guard());
  }
  View<T> view() {
    std::array<std::int64_t, kMaxRank> strides{};
    std::int64_t stride = 1;
    for (int i = shape_.rank() - 1; i >= 0; --i) {
      strides[static_cast<std::size_t>(i)] = stride;
      stride *= shape_[i] + (i == shape_.rank() - 1 ? gap_ : 0);
    }
    return {memory_.data() + kGuard, shape_, strides, {}};
  }
  void fill(T value) {
    ops::detail::for_each_element(view(), [&](T& x) { x = value; });
  }
  template <class F>
  void generate(F&& f) {
    ops::detail::for_each_element(view(), [&](T& x) { x = static_cast<T>(f()); });
  }
  std::vector<double> values() {
    std::vector<double> all;
    ops::detail::for_each_element(view(), [&](T& x) { all.push_back(static_cast<double>(x)); });
    return all;
  }
  bool guards_intact() {
    std::vector<bool> inside(memory_.size(), false);
    ops::detail::for_each_element(view(), [&](T& x) { inside[static_cast<std::size_t>(&x - memory_.data())] = true; });
    for (std::size_t at = 0; at < memory_.size(); ++at)
      if (!inside[at] && memory_[at] != guard()) return false;
    return true;
  }

 private:
  static constexpr std::int64_t kGuard = 67;  // odd: the first element is not aligned to a vector
  static T guard() { return static_cast<T>(-12345.0); }
  Shape shape_;
  std::int64_t gap_;
  std::vector<T> memory_;
};

/// Runs `program(ctx, fields)` and returns the values of the fields written. A program declares its fields through
/// `in(shape)`, `out(shape)` (NaN first) and `grad(shape)` (random first, added to), in a fixed order.
template <class T>
class Bench {
 public:
  Bench(Context<T> context, std::int64_t gap, bool bfloats = false)
      : ctx(std::move(context)), gap_(gap), bfloats_(bfloats) {}
  View<const T> in(const Shape& shape, double scale = 1) { return random(shape, scale).view(); }
  View<T> out(const Shape& shape) {
    Field<T>& field = add(shape);
    field.fill(std::numeric_limits<T>::quiet_NaN());
    written_.push_back(fields_.size() - 1);
    return field.view();
  }
  View<T> grad(const Shape& shape) {
    Field<T>& field = random(shape, 1);
    written_.push_back(fields_.size() - 1);
    return field.view();
  }
  std::vector<std::vector<double>> results() {
    std::vector<std::vector<double>> all;
    for (const auto& field : fields_) CHECK(field->guards_intact());
    for (const std::size_t i : written_) all.push_back(fields_[i]->values());
    return all;
  }
  Context<T> ctx;

 private:
  Field<T>& add(const Shape& shape) {
    fields_.push_back(std::make_unique<Field<T>>(shape, gap_));
    return *fields_.back();
  }
  /// Values that a float holds exactly, or a bfloat16, the same whatever T is.
  Field<T>& random(const Shape& shape, double scale) {
    Field<T>& field = add(shape);
    field.generate([&] {
      const auto x = static_cast<float>(scale * rng_.normal());
      return static_cast<double>(bfloats_ ? static_cast<float>(bfloat16(x)) : x);
    });
    return field;
  }
  std::int64_t gap_;
  bool bfloats_;
  Philox rng_{7};
  std::vector<std::unique_ptr<Field<T>>> fields_;
  std::vector<std::size_t> written_;
};

using Results = std::vector<std::vector<double>>;

template <class T, class Program>
Results results_of(Context<T> ctx, std::int64_t gap, const Program& program, bool bfloats = false) {
  Bench<T> bench(std::move(ctx), gap, bfloats);
  program(bench);
  return bench.results();
}

/// Largest difference of any output, in units of the larger of 1 and that output's largest magnitude; infinite where
/// something is not finite.
inline double distance(const Results& got, const Results& expected) {
  REQUIRE(got.size() == expected.size());
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    REQUIRE(got[i].size() == expected[i].size());
    double scale = 1, difference = 0;
    for (const double x : expected[i]) scale = std::max(scale, std::isfinite(x) ? std::abs(x) : 0.0);
    for (std::size_t k = 0; k < got[i].size(); ++k) {
      if (got[i][k] == expected[i][k]) continue;  // infinities that are meant
      const double d = std::abs(got[i][k] - expected[i][k]);
      if (!(d <= difference)) difference = std::isfinite(d) ? d : std::numeric_limits<double>::infinity();
    }
    worst = std::max(worst, difference / scale);
  }
  return worst;
}

inline int some_threads() {
  return 2;
}

inline void check_equal(const Results& one, const Results& other, const char* difference) {
  for (std::size_t i = 0; i < one.size(); ++i)
    for (std::size_t k = 0; k < one[i].size(); ++k)
      if (!(one[i][k] == other[i][k])) {
        FAIL_CHECK(difference << " in output " << i << " at " << k);
        return;
      }
}

/// Runs a program on the reference in double, and on the CPU backend in double and float with one and two threads.
template <class Program>
void check_against_reference(const Program& program, double floor = 1e-6) {
  for (const std::int64_t gap : {0, 3}) {
    CAPTURE(gap);
    const Results expected = results_of(reference_context<double>(), gap, program);
    CHECK(distance(results_of(cpu::make_context<double>({1}), gap, program), expected) <= 1e-12);
    const Results narrow = results_of(cpu::make_context<float>({1}), gap, program);
    const double reference_error = distance(results_of(reference_context<float>(), gap, program), expected);
    CHECK(distance(narrow, expected) <= 2 * reference_error + floor);
    const Results threaded = results_of(cpu::make_context<float>({some_threads()}), gap, program);
    check_equal(narrow, threaded, "two threads differ from one");
  }
}

/// Runs a program whose inputs are bfloat16 on the reference in double, and with products of that kind in float with one and
/// two threads.
template <class Program>
void check_products(cpu::Products products, const Program& program, double tolerance) {
  const auto run = [&](int threads, std::int64_t gap) {
    return results_of(cpu::make_context<float>({.threads = threads, .products = products}), gap, program, true);
  };
  for (const std::int64_t gap : {0, 3}) {
    CAPTURE(gap);
    const Results got = run(1, gap);
    CHECK(distance(got, results_of(reference_context<double>(), gap, program, true)) <= tolerance);
    check_equal(got, run(some_threads(), gap), "two threads differ from one");
  }
}

}  // namespace detrack::cpu_test
