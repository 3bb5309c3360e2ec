// Reference loop: predicted boxes in the frame.
#pragma once

#include "detrack/ops/place_boxes.hpp"

namespace detrack::reference {

/// One box: what every backend does.
template <class S>
DETRACK_HOST_DEVICE void place_box(const View<const S>& box, const View<const double>& placement, const View<double>& placed,
                                   std::int64_t b) {
  const CropBox predicted{static_cast<double>(box(b, 0)), static_cast<double>(box(b, 1)), static_cast<double>(box(b, 2)),
                          static_cast<double>(box(b, 3))};
  const auto at = [&](int i) { return placement(b, i); };
  const CropRegion region{at(0), at(1), at(2)};
  const detrack::Box last{at(5), at(6), at(7), at(8)};
  const CropBox crop = to_crop(place_in_frame(predicted, region, last, at(3), at(4)), region);
  for (std::size_t i = 0; i < 4; ++i) placed(b, i) = crop[i];
}

template <class T>
void run(const PlaceBoxes<T>& op) {
  for (std::int64_t b = 0; b < op.box.extent(0); ++b) place_box(op.box, op.placement, op.placed, b);
}

}  // namespace detrack::reference
