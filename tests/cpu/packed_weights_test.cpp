// Weights packed once: the same products with them as without, and which weights they are.
#include "tests/cpu/cpu_support.hpp"

using namespace detrack;
using namespace detrack::cpu_test;

namespace {

void check_packed_products(cpu::Products products, std::int64_t R, std::int64_t I, std::int64_t O) {
  auto weights = std::make_shared<cpu::PackedWeights>(products);
  bool packs = true;
  const auto program = [&]<class T>(Bench<T>& bench) {
    const auto x = bench.in({R, I}), w = bench.in({O, I}), b = bench.in({O});
    if constexpr (std::is_same_v<T, float>)
      if (packs) weights->add(w);
    ops::run(bench.ctx, LinearForward<T>{.x = x, .w = w, .b = b, .y = bench.out({R, O})});
    // A part of the weight is another weight: it is not taken for what was packed.
    const auto part = w.slice(0, 0, (O + 1) / 2);
    ops::run(bench.ctx, LinearForward<T>{.x = x, .w = part, .y = bench.out({R, part.extent(0)})});
  };
  const auto run = [&](int threads, std::shared_ptr<const cpu::PackedWeights> with) {
    return results_of(cpu::make_context<float>({.threads = threads, .products = products, .weights = std::move(with)}), 3,
                      program, true);
  };
  const Results packed = run(some_threads(), weights);
  packs = false;
  const Results unpacked = run(1, nullptr);
  const Results exact = results_of(reference_context<double>(), 3, program, true);  // of bfloat16 inputs
  CHECK(distance(packed, exact) < (products == cpu::Products::int8 ? 0.03 : 3e-6));
  if (products == cpu::Products::int8 && I > 1) CHECK(distance(packed, exact) > 1e-5);  // of few rows, too
  if (R > 8)
    check_equal(packed, unpacked, "packed weights differ");
  else
    CHECK(distance(unpacked, exact) < 3e-6);
}

}  // namespace

TEST_CASE("packed weights: products are the same, bit for bit; of few rows they are rounded with them only") {
  for (const auto products : {cpu::Products::bfloat16, cpu::Products::int8})
    for (const std::int64_t R : {1, 8, 9, 70})
      for (const std::int64_t I : {1, 33, 2100})
        for (const std::int64_t O : {1, 300}) {
          CAPTURE(cpu::name_of(products));
          CAPTURE(R);
          CAPTURE(I);
          CAPTURE(O);
          check_packed_products(products, R, I, O);
        }
}

TEST_CASE("packed weights are found by their memory and shape") {
  Tensor<float> w({48, 32});
  std::fill_n(w.data(), w.numel(), 1.0f);
  cpu::PackedWeights weights(cpu::Products::bfloat16);
  CHECK(weights.find<cpu::BfloatPair>(w.view()) == nullptr);
  weights.add(w.view());
  CHECK(weights.find<cpu::BfloatPair>(w.view()) != nullptr);
  CHECK(weights.find<cpu::BfloatPair>(w.view())->bits == 0x3f803f80u);
  CHECK(weights.find<cpu::ByteQuad>(w.view()) == nullptr);
  CHECK(weights.find<cpu::BfloatPair>(w.view().slice(0, 0, 47)) == nullptr);
  CHECK(weights.find<cpu::BfloatPair>(w.view().slice(0, 1, 47)) == nullptr);
  CHECK(weights.find<cpu::BfloatPair>(w.view().reshape({24, 64})) == nullptr);
}

TEST_CASE("packed weights of full products are none") {
  const auto w = Tensor<float>::zeros({48, 32});
  cpu::PackedWeights weights(cpu::Products::full);
  weights.add(w.view());
  CHECK(weights.find<cpu::BfloatPair>(w.view()) == nullptr);
  CHECK(weights.find<cpu::ByteQuad>(w.view()) == nullptr);
}
