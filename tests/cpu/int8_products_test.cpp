// Products of 8-bit integers on the CPU: quads, the rounding of rows and columns, and linear layers that are exact in them.
#include "tests/cpu/cpu_support.hpp"

using namespace detrack;
using namespace detrack::cpu_test;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNaN = std::numeric_limits<float>::quiet_NaN();

cpu::CpuOptions int8_products(int threads) {
  return {.threads = threads, .products = cpu::Products::int8};
}

int byte_of(cpu::ByteQuad quad, int i, bool is_signed) {
  const auto byte = static_cast<std::uint8_t>(quad.bits >> 8 * i & 0xffu);
  return is_signed ? static_cast<std::int8_t>(byte) : byte;
}

/// The elements that a quantised row of A stands for.
std::vector<double> restored(const cpu::Quantised& row, const std::vector<cpu::ByteQuad>& quads, std::size_t count) {
  std::vector<double> x;
  for (std::size_t k = 0; k < count; ++k)
    x.push_back(static_cast<double>(row.scale) * byte_of(quads[k / 4], static_cast<int>(k % 4), cpu::kSignedRows) +
                static_cast<double>(row.offset));
  return x;
}

std::vector<cpu::ByteQuad> room_for(std::size_t depth) {
  return std::vector<cpu::ByteQuad>((depth + cpu::kLanes<float>) / 4 + 1);
}

/// x and w that 8 bits hold exactly: whatever the block of the depth, rows of x have 0 and 255, rows of w 127 in it.
template <class T>
void fill_with_integers(View<T> x, View<T> w) {
  Philox rng(11);
  const auto draw = [&](double low, double high) { return std::floor(low + (high - low + 1) * rng.uniform()); };
  for (std::int64_t i = 0; i < x.extent(0); ++i)
    for (std::int64_t k = 0; k < x.extent(1); ++k)
      x(i, k) = static_cast<T>(k % 8 == 0 ? 255 : k % 8 == 1 ? 0 : draw(0, 255));
  for (std::int64_t n = 0; n < w.extent(0); ++n)
    for (std::int64_t k = 0; k < w.extent(1); ++k)
      w(n, k) = static_cast<T>(k % 8 == 0 ? (n % 2 ? -127 : 127) : draw(-127, 127));
}

}  // namespace

TEST_CASE("byte quads: all four products are added, whatever the processor has") {
  const int extremes[] = {-128, -127, -1, 0, 1, 126, 127};
  Philox rng(3);
  for (int round = 0; round < 200; ++round) {
    cpu::Vector<cpu::ByteQuad> a, b;
    const auto draw = [&] { return static_cast<std::uint32_t>(rng.uniform() * 256) & 0xffu; };
    const auto extreme = [&] { return static_cast<std::uint32_t>(extremes[static_cast<int>(rng.uniform() * 7)]) & 0xffu; };
    for (int i = 0; i < cpu::kLanes<float>; ++i) {
      a[i] = b[i] = 0;
      for (int j = 0; j < 32; j += 8) {
        a[i] |= (round % 2 ? draw() : extreme()) << j;
        b[i] |= (round % 2 ? draw() : extreme()) << j;
      }
    }
    const auto sum = cpu::Vector<std::int32_t>{} + 1000;
    const auto fast = cpu::multiply_add(sum, a, b), slow = cpu::emulated::multiply_add(sum, a, b);
    for (int i = 0; i < cpu::kLanes<float>; ++i) {
      int expected = 1000;
      for (int j = 0; j < 4; ++j) expected += byte_of({a[i]}, j, cpu::kSignedRows) * byte_of({b[i]}, j, true);
      CHECK(fast[i] == expected);
      CHECK(slow[i] == expected);
    }
  }
}

TEST_CASE("a row of A is rounded to 256 steps between its extremes, which it keeps") {
  Philox rng(5);
  for (const std::size_t depth : {1u, 2u, 3u, 5u, 16u, 17u, 63u, 64u, 130u})
    for (const double offset : {0.0, -3.0, 1000.0}) {
      CAPTURE(depth);
      CAPTURE(offset);
      std::vector<float> x(depth);
      for (float& value : x) value = static_cast<float>(offset + rng.normal());
      auto quads = room_for(depth);
      const cpu::Quantised row = cpu::quantise_row(x.data(), static_cast<std::int64_t>(depth), quads.data());
      const auto [low, high] = std::minmax_element(x.begin(), x.end());
      CHECK(row.scale == doctest::Approx((*high - *low) / 255));
      const auto y = restored(row, quads, depth);
      const double rounding = 1e-6 * (std::abs(offset) + 4);
      for (std::size_t k = 0; k < depth; ++k) {
        const bool kept = &x[k] == &*low || &x[k] == &*high;
        CHECK(std::abs(y[k] - static_cast<double>(x[k])) <= (kept ? 0 : static_cast<double>(row.scale) / 2) + rounding);
      }
    }
}

TEST_CASE("a row of equal elements is exact; one that is not finite stands for NaN") {
  auto quads = room_for(40);
  for (const float value : {0.0f, -2.5f, 3e38f, 1e-40f}) {
    const std::vector<float> x(40, value);
    const cpu::Quantised row = cpu::quantise_row(x.data(), 40, quads.data());
    for (const double y : restored(row, quads, 40)) CHECK(y == static_cast<double>(value));
  }
  const std::vector<float> tiny{1e-40f, 2e-40f, 0.0f};
  const cpu::Quantised row = cpu::quantise_row(tiny.data(), 3, quads.data());
  for (const double y : restored(row, quads, 3)) CHECK(y == doctest::Approx(0).scale(1e-35));
  for (const float bad : {kNaN, kInfinity, -kInfinity})
    for (const std::size_t at : {0u, 20u, 39u}) {
      std::vector<float> x(40, 1.0f);
      x[at] = bad;
      for (const double y : restored(cpu::quantise_row(x.data(), 40, quads.data()), quads, 40)) CHECK(std::isnan(y));
      CHECK(std::isnan(cpu::quantise_column(x.data(), 40, quads.data())));
    }
  const std::vector<float> wide{-3e38f, 3e38f};
  CHECK(std::isnan(cpu::quantise_row(wide.data(), 2, quads.data()).offset));
  const std::vector<float> far{-1.0f, 3e38f};
  CHECK(std::isnan(cpu::quantise_column(far.data(), 2, quads.data())));
}

TEST_CASE("a column of B is rounded to 127 steps to either side of 0, with zeros behind it") {
  Philox rng(6);
  for (const std::size_t depth : {1u, 3u, 6u, 33u, 64u}) {
    CAPTURE(depth);
    std::vector<float> w(depth);
    for (float& value : w) value = static_cast<float>(rng.normal());
    auto quads = room_for(depth);
    const float step = cpu::quantise_column(w.data(), static_cast<std::int64_t>(depth), quads.data());
    float top = 0;
    for (const float value : w) top = std::max(top, std::abs(value));
    CHECK(step == doctest::Approx(top / 127));
    for (std::size_t k = 0; k < (depth + 3) / 4 * 4; ++k) {
      const int q = byte_of(quads[k / 4], static_cast<int>(k % 4), true);
      CHECK(std::abs(q) <= 127);
      if (k >= depth)
        CHECK(q == 0);
      else
        CHECK(std::abs(static_cast<double>(step) * q - static_cast<double>(w[k])) <= 0.50001 * static_cast<double>(step));
    }
  }
  auto quads = room_for(5);
  const std::vector<float> nothing(5, 0.0f);
  CHECK(cpu::quantise_column(nothing.data(), 5, quads.data()) == 0);
  CHECK(quads[0].bits == 0);
}

TEST_CASE("int8 products: linear layers of what 8 bits hold are exact") {
  for (const std::int64_t R : {9, 70})
    for (const std::int64_t I : {2, 33, 300, 2100})
      for (const std::int64_t O : {1, 49, 130}) {
        CAPTURE(R);
        CAPTURE(I);
        CAPTURE(O);
        check_products(
            cpu::Products::int8,
            [&]<class T>(Bench<T>& bench) {
              const auto x = bench.grad({R, I}), w = bench.grad({O, I});
              fill_with_integers(x, w);
              const auto b = bench.in({O}, 1e4), residual = bench.in({R, O}, 1e4);
              ops::run(bench.ctx, LinearForward<T>{.x = x,
                                                   .w = w,
                                                   .b = b,
                                                   .residual = residual,
                                                   .alpha = 0.5,
                                                   .activation = Activation::gelu,
                                                   .pre = bench.out({R, O}),
                                                   .y = bench.out({R, O})});
            },
            3e-6);
      }
}

TEST_CASE("int8 products: a row that is not finite spoils itself alone, a weight's its column alone") {
  for (const float bad : {kNaN, kInfinity}) {
    const auto program = [&]<class T>(Bench<T>& bench) {
      const auto x = bench.grad({20, 70}), w = bench.grad({30, 70});
      x(3, 69) = static_cast<T>(bad), w(7, 0) = static_cast<T>(bad);
      ops::run(bench.ctx, LinearForward<T>{.x = x, .w = w, .y = bench.out({20, 30})});
    };
    const auto y = results_of(cpu::make_context<float>(int8_products(1)), 0, program).back();
    for (std::size_t i = 0; i < 20; ++i)
      for (std::size_t n = 0; n < 30; ++n) CHECK(std::isfinite(y[i * 30 + n]) == (i != 3 && n != 7));
  }
}

TEST_CASE("int8 products: a layer without inputs is its bias") {
  const auto program = [&]<class T>(Bench<T>& bench) {
    const auto x = bench.in({20, 0}), w = bench.in({30, 0}), b = bench.in({30});
    ops::run(bench.ctx, LinearForward<T>{.x = x, .w = w, .b = b, .y = bench.out({20, 30})});
  };
  CHECK(distance(results_of(cpu::make_context<float>(int8_products(1)), 0, program),
                 results_of(reference_context<double>(), 0, program)) == 0);
}

TEST_CASE("int8 products: all but linear layers forward is multiplied as without integers") {
  const auto program = [&]<class T>(Bench<T>& bench) {
    const auto x = bench.in({40, 30}), w = bench.in({50, 30});
    ops::run(bench.ctx, LinearBackward<T>{.dy = bench.in({40, 50}),
                                          .x = x,
                                          .w = w,
                                          .dx = bench.out({40, 30}),
                                          .dw = bench.grad({50, 30}),
                                          .db = bench.grad({50})});
    const auto q = bench.in({2, 60, 3, 16}), k = bench.in({2, 70, 3, 16}), v = bench.in({2, 70, 3, 16});
    ops::run(bench.ctx,
             AttentionForward<T>{
                 .q = q, .k = k, .v = v, .scale = 0.25, .y = bench.out({2, 60, 3, 16}), .lse = bench.out({2, 3, 60})});
  };
  cpu::CpuOptions others = int8_products(1);
  others.products = cpu::pairs_pay() ? cpu::Products::bfloat16 : cpu::Products::full;
  check_equal(results_of(cpu::make_context<float>(int8_products(1)), 0, program),
              results_of(cpu::make_context<float>(others), 0, program), "not the same products");
}

TEST_CASE("int8 products: a context says so, and refuses double") {
  const std::string text = cpu::make_context<float>(int8_products(1)).describe();
  CHECK(text.find("int8 products") != std::string::npos);
  CHECK((text.find("slow") != std::string::npos) == !cpu::kMultipliesQuads);
  CHECK_THROWS_WITH_AS(cpu::make_context<double>(int8_products(1)),
                       "cpu::make_context: products: expected full for float64, got int8", Error);
}
