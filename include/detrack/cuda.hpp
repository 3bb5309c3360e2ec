// The model on NVIDIA GPUs. Plain C++: link detrack::cuda (or compile cuda/detrack_cuda.cu once with nvcc).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <utility>

#include "detrack/core/context.hpp"
#include "detrack/model/weights_file.hpp"
#include "detrack/track/model_network.hpp"

namespace detrack::cuda {

/// How parameters and activations are stored; arithmetic and statistics are float32 either way.
enum class Precision {
  bfloat16,  ///< what the tensor cores are for
  float32    ///< for checking: no TF32
};

/// Devices that can be used: 0 where there is no driver or no GPU.
int device_count();

/// One stream of work on a device. T is float or bfloat16. Defined in cuda/detrack_cuda.cu.
/// Errors: not_available (no driver, no such device), out_of_memory, cuda, cublas.
template <class T>
Context<T> make_context(int device = 0);

/// A model on a device, its values rounded to T. Errors: those of make_context.
template <class T, class From>
std::shared_ptr<const Network> network(DeTrack<From>& model, int device = 0) {
  Context<T> ctx = make_context<T>(device);
  return std::make_shared<ModelNetwork<T>>(copy_model(model, ctx), [device](int) { return make_context<T>(device); });
}

/// A weights file on a device. Errors: those of make_context; io, format, config, state_dict.
template <class T>
std::shared_ptr<const Network> load_network(const std::filesystem::path& weights, int device = 0) {
  Context<T> ctx = make_context<T>(device);
  return std::make_shared<ModelNetwork<T>>(load_model(weights, ctx), [device](int) { return make_context<T>(device); });
}

/// For TrackerOptions::device:  options.device = detrack::cuda::device(0)
inline std::function<std::shared_ptr<const Network>(const std::filesystem::path&)> device(
    int index = 0, Precision precision = Precision::bfloat16) {
  return [=](const std::filesystem::path& weights) {
    return precision == Precision::float32 ? load_network<float>(weights, index) : load_network<bfloat16>(weights, index);
  };
}

}  // namespace detrack::cuda
