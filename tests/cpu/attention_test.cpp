// Tiled attention of the CPU backend against the reference: head sizes, masks, strided heads, few queries.
#include "tests/cpu/cpu_support.hpp"

using namespace detrack;
using namespace detrack::cpu_test;

namespace {

struct Case {
  std::int64_t B, Nq, Nk, H, D;
  bool masked = false;
};

void check_attention(const Case& c) {
  CAPTURE(c.Nq);
  CAPTURE(c.Nk);
  CAPTURE(c.H);
  CAPTURE(c.D);
  CAPTURE(c.masked);
  Tensor<std::uint8_t> mask({c.Nq, c.Nk});
  Philox rng(3);
  for (std::int64_t i = 0; i < c.Nq; ++i)
    for (std::int64_t j = 0; j < c.Nk; ++j) mask.view()(i, j) = i != 1 && rng.uniform() < 0.6;  // query 1 sees nothing
  check_against_reference(
      [&]<class T>(Bench<T>& bench) {
        const std::int64_t C = c.H * c.D;
        const auto q = bench.in({c.B, c.Nq, C}, 1.5).split(2, c.D);
        const auto kv = bench.in({c.B, c.Nk, 2 * C}, 1.5);  // columns of one projection
        const auto k = kv.slice(2, 0, C).split(2, c.D), v = kv.slice(2, C, C).split(2, c.D);
        const View<const std::uint8_t> allowed =
            c.masked ? View<const std::uint8_t>(mask.view()) : View<const std::uint8_t>{};
        const double scale = 1 / std::sqrt(static_cast<double>(c.D));
        const auto y = bench.out({c.B, c.Nq, C}).split(2, c.D);
        const auto lse = bench.out({c.B, c.H, c.Nq});
        ops::run(bench.ctx,
                 AttentionForward<T>{.q = q, .k = k, .v = v, .mask = allowed, .scale = scale, .y = y, .lse = lse});
        const auto y2 = bench.out({c.B, c.Nq, C}).split(2, c.D);  // without lse
        ops::run(bench.ctx, AttentionForward<T>{.q = q, .k = k, .v = v, .mask = allowed, .scale = scale, .y = y2});
        const auto dkv = bench.out({c.B, c.Nk, 2 * C});
        ops::run(bench.ctx, AttentionBackward<T>{.q = q,
                                                 .k = k,
                                                 .v = v,
                                                 .mask = allowed,
                                                 .scale = scale,
                                                 .y = y,
                                                 .lse = lse,
                                                 .dy = bench.in({c.B, c.Nq, C}).split(2, c.D),
                                                 .dq = bench.out({c.B, c.Nq, C}).split(2, c.D),
                                                 .dk = dkv.slice(2, 0, C).split(2, c.D),
                                                 .dv = dkv.slice(2, C, C).split(2, c.D)});
      },
      2e-6);
}

}  // namespace

TEST_CASE("cpu attention: head sizes and token counts") {
  for (const std::int64_t D : {1, 5, 16, 32, 48, 64, 80})
    for (const auto& [Nq, Nk] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {4, 64}, {7, 49}, {33, 33}, {96, 96}})
      check_attention({2, Nq, Nk, 3, D});
  check_attention({1, 130, 449, 1, 64});
  check_attention({1, 4, 448, 2, 64});
}

TEST_CASE("cpu attention: masks, and queries that see nothing") {
  for (const std::int64_t D : {5, 32})
    for (const auto& [Nq, Nk] : {std::pair<std::int64_t, std::int64_t>{4, 3}, {9, 50}, {32, 32}, {40, 260}})
      check_attention({1, Nq, Nk, 2, D, true});
}

TEST_CASE("cpu attention: a batch is its samples, bit for bit") {
  const auto run = [](std::int64_t first, std::int64_t count) {
    return results_of(cpu::make_context<float>({some_threads()}), 0, [&](Bench<float>& bench) {
      const auto q = bench.in({3, 70, 2, 32}).slice(0, first, count), k = bench.in({3, 60, 2, 32}).slice(0, first, count);
      ops::run(bench.ctx, AttentionForward<float>{.q = q, .k = k, .v = k, .y = bench.out({count, 70, 2, 32})});
    })[0];
  };
  const auto whole = run(0, 3), last = run(2, 1);
  CHECK(std::equal(last.begin(), last.end(), whole.end() - static_cast<std::ptrdiff_t>(last.size())));
}

TEST_CASE("cpu attention: large scores neither overflow nor lose the winner") {
  check_against_reference(
      [&]<class T>(Bench<T>& bench) {
        const auto q = bench.in({1, 9, 1, 16}, 30), k = bench.in({1, 200, 1, 16}, 30), v = bench.in({1, 200, 1, 16});
        ops::run(bench.ctx,
                 AttentionForward<T>{.q = q, .k = k, .v = v, .y = bench.out({1, 9, 1, 16}), .lse = bench.out({1, 1, 9})});
      },
      1e-4);
}
