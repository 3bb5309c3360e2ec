// Intersection over union and the SIoU loss, with their gradients, one thread a pair of boxes.
#pragma once

#include "cuda/launch.cuh"
#include "detrack/ops/reference/box_overlap.hpp"

namespace detrack::cuda {

// The mathematics is the reference's.

template <class T>
struct IouOfPair {
  IouForward<T> op;
  __device__ void operator()(std::int64_t r) const {
    op.y(r) = reference::Overlap<float>(reference::box_at<float>(op.a, r), reference::box_at<float>(op.b, r)).iou();
  }
};
template <class T>
struct SiouOfPair {
  SiouForward<T> op;
  __device__ void operator()(std::int64_t r) const {
    op.y(r) = reference::Siou<float>(reference::box_at<float>(op.a, r), reference::box_at<float>(op.b, r)).loss;
  }
};
template <class T>
struct IouGradientOfPair {
  IouBackward<T> op;
  __device__ void operator()(std::int64_t r) const {
    reference::Box<float> da{};
    reference::add_iou_gradient(reference::box_at<float>(op.a, r), reference::box_at<float>(op.b, r), op.dy(r), da);
    for (std::size_t i = 0; i < 4; ++i) op.da(r, i) = da[i];
  }
};
template <class T>
struct SiouGradientOfPair {
  SiouBackward<T> op;
  __device__ void operator()(std::int64_t r) const {
    reference::Box<float> da{};
    reference::add_siou_gradient(reference::box_at<float>(op.a, r), reference::box_at<float>(op.b, r), op.dy(r), da);
    for (std::size_t i = 0; i < 4; ++i) op.da(r, i) = da[i];
  }
};

template <class T>
void run(Stream& stream, const IouForward<T>& op) {
  for_each(stream, op.a.extent(0), IouOfPair<T>{op});
}
template <class T>
void run(Stream& stream, const IouBackward<T>& op) {
  for_each(stream, op.a.extent(0), IouGradientOfPair<T>{op});
}
template <class T>
void run(Stream& stream, const SiouForward<T>& op) {
  for_each(stream, op.a.extent(0), SiouOfPair<T>{op});
}
template <class T>
void run(Stream& stream, const SiouBackward<T>& op) {
  for_each(stream, op.a.extent(0), SiouGradientOfPair<T>{op});
}

}  // namespace detrack::cuda
