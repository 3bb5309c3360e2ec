// Predicted boxes in the frame, one thread a target.
#pragma once

#include "cuda/launch.cuh"
#include "detrack/ops/reference/place_boxes.hpp"

namespace detrack::cuda {

struct PlaceBox {
  View<const float> box;
  View<const double> placement;
  View<double> placed;
  __device__ void operator()(std::int64_t b) const { reference::place_box(box, placement, placed, b); }
};

template <class T>
void run(Stream& stream, const PlaceBoxes<T>& op) {
  for_each(stream, op.box.extent(0), PlaceBox{op.box, op.placement, op.placed});
}

}  // namespace detrack::cuda
