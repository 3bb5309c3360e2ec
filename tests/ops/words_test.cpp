// Boxes as words.
#include "tests/ops/cases/words.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("box to words") {
  check_op(words_cases());
}

TEST_CASE("box to words: edges belong to the word they begin; outside is clamped; NaN is word 0") {
  const Vocabulary words{.size = 800, .per_unit = 400, .min = -0.5};
  const double inf = std::numeric_limits<double>::infinity(), below_0 = std::nextafter(0.0, -1.0);
  CHECK(words.word(-0.5) == 0);
  CHECK(words.word(0) == 200);
  CHECK(words.word_at(200 + below_0) == 200);  // 200 exactly, once rounded
  CHECK(words.word_at(std::nextafter(200.0, 0.0)) == 199);
  CHECK(words.word(0.25) == 300);
  CHECK(words.word(std::nextafter(1.5, 0.0)) == 799);
  CHECK(words.word(1.5) == 799);
  CHECK(words.word(1e300) == 799);
  CHECK(words.word(inf) == 799);
  CHECK(words.word(-0.6) == 0);
  CHECK(words.word(-inf) == 0);
  CHECK(words.word(std::nan("")) == 0);
}

TEST_CASE("box to words: a word's centre is in the word") {
  const Vocabulary words{.size = 800, .per_unit = 400, .min = -0.5};
  for (std::int64_t k = 0; k < words.size; ++k) CHECK(words.word(words.centre(static_cast<double>(k))) == k);
}

TEST_CASE("box to words: by row, x1 y1 x2 y2") {
  auto ctx = reference_context<float>();
  const double box[8] = {-0.5, 0, 0.5, 1, std::nan(""), 1.5, -9, 9};
  std::int32_t words[8];
  ops::run(ctx, BoxToWords<float>{.box = View<const double>(box, {2, 4}),
                                  .vocabulary = {.size = 4, .per_unit = 2, .min = -0.5},
                                  .words = View<std::int32_t>(words, {8})});
  CHECK(std::vector<std::int32_t>(words, words + 8) == std::vector<std::int32_t>{0, 1, 2, 3, 0, 3, 0, 3});
}
