// The CUDA backend: every operation, on a stream and a second one beside it.
#pragma once

#include <memory>
#include <string>

#include "cuda/activation.cuh"
#include "cuda/adamw.cuh"
#include "cuda/add.cuh"
#include "cuda/attention.cuh"
#include "cuda/augmented_crops.cuh"
#include "cuda/box_overlap.cuh"
#include "cuda/cast.cuh"
#include "cuda/confidence.cuh"
#include "cuda/crop.cuh"
#include "cuda/cross_entropy.cuh"
#include "cuda/embedding.cuh"
#include "cuda/expectation.cuh"
#include "cuda/graph.cuh"
#include "cuda/layer_norm.cuh"
#include "cuda/linear.cuh"
#include "cuda/mean_tokens.cuh"
#include "cuda/mse.cuh"
#include "cuda/normed_linear.cuh"
#include "cuda/patchify.cuh"
#include "cuda/place_boxes.cuh"
#include "cuda/position_embedding.cuh"
#include "cuda/scale_samples.cuh"
#include "cuda/similarity.cuh"
#include "cuda/softmax.cuh"
#include "cuda/squared_norm.cuh"
#include "cuda/words.cuh"
#include "detrack/ops/backend.hpp"

namespace detrack::cuda {

/// T is float or bfloat16; arithmetic is float. Results repeat bit for bit. Like its context, it serves one thread at a
/// time. Two streams: one for all work, and one for what may run beside it.
template <class T>
class CudaBackend final : public Backend<T> {
 public:
  /// Errors: not_available, out_of_memory, cuda, cublas.
  explicit CudaBackend(int device) : main_(device), side_(device) {}

  std::string describe() const override {
    return "cuda: device " + std::to_string(main_.device()) + ", " + main_.name() + ", " +
           (sizeof(T) == 4 ? "float32" : "bfloat16");
  }

  void copy_bytes(void* to, const void* from, std::size_t bytes) override {
    copy_bytes_later(to, from, bytes);
    synchronize();
  }
  void copy_bytes_later(void* to, const void* from, std::size_t bytes) override {
    if (bytes > 0) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream().get()), "copying memory");
  }
  void synchronize() override { stream().synchronize(); }
  std::shared_ptr<Allocator> host_allocator() const override { return std::make_shared<PinnedAllocator>(); }

  bool records() const override { return true; }
  std::unique_ptr<Recording> record(const std::function<void()>& work) override {
    return std::make_unique<GraphRecording>(main_, work);
  }

  bool runs_side_by_side() const override { return true; }
  void begin_side() override {
    fork_.record(main_);
    fork_.hold(side_);
    beside_ = true;
  }
  void end_side() override { beside_ = false; }
  void join_side() override {
    join_.record(side_);
    join_.hold(main_);
  }

#define DETRACK_CUDA_OP(Op)            \
  void run(const Op<T>& op) override { \
    cuda::run(stream(), op);           \
  }
  DETRACK_FOR_EACH_OP(DETRACK_CUDA_OP)
  DETRACK_CUDA_OP(NormedLinear)
#undef DETRACK_CUDA_OP

 private:
  Stream& stream() {
    return beside_ ? side_ : main_;
  }

  Stream main_, side_;
  Event fork_, join_;
  bool beside_ = false;
};

/// Errors: not_available, out_of_memory, cuda, cublas.
template <class T>
Context<T> make_context(int device) {
  return Context<T>(std::make_shared<CudaBackend<T>>(device), std::make_shared<DeviceAllocator>(device));
}

}  // namespace detrack::cuda
