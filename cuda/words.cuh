// Words of boxes, one thread a coordinate.
#pragma once

#include "cuda/launch.cuh"
#include "detrack/ops/words.hpp"

namespace detrack::cuda {

struct LookUpWord {
  View<const double> box;
  Vocabulary vocabulary;
  View<std::int32_t> words;
  __device__ void operator()(std::int64_t i) const {
    words(i) = static_cast<std::int32_t>(vocabulary.word(box(i / 4, i % 4)));
  }
};

template <class T>
void run(Stream& stream, const BoxToWords<T>& op) {
  for_each(stream, 4 * op.box.extent(0), LookUpWord{op.box, op.vocabulary, op.words});
}

}  // namespace detrack::cuda
