// Values rounded to another type, 16 bytes a thread.
#pragma once

#include "cuda/flat.cuh"
#include "detrack/ops/cast.hpp"

namespace detrack::cuda {

template <class T>
struct CastElements {
  Cast<T> op;
  template <int kElements>
  __device__ void step(std::int64_t first) const {
    float values[kElements];
    load_floats(values, op.x.data() + first);
    store_floats(op.y.data() + first, values);
  }
};

template <class T>
void run(Stream& stream, const Cast<T>& op) {
  constexpr int kCount = kPack<float>;
  for_each_flat<kCount>(stream, packable_flat<kCount>(op.x, op.y), op.x.extent(0), CastElements<T>{op});
}

}  // namespace detrack::cuda
