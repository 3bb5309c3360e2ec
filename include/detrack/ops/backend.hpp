// The interface every backend implements: one virtual function an operation.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "detrack/core/instantiate.hpp"
#include "detrack/ops/activation.hpp"
#include "detrack/ops/adamw.hpp"
#include "detrack/ops/add.hpp"
#include "detrack/ops/attention.hpp"
#include "detrack/ops/augmented_crops.hpp"
#include "detrack/ops/box_overlap.hpp"
#include "detrack/ops/cast.hpp"
#include "detrack/ops/confidence.hpp"
#include "detrack/ops/crop.hpp"
#include "detrack/ops/cross_entropy.hpp"
#include "detrack/ops/embedding.hpp"
#include "detrack/ops/expectation.hpp"
#include "detrack/ops/layer_norm.hpp"
#include "detrack/ops/linear.hpp"
#include "detrack/ops/mean_tokens.hpp"
#include "detrack/ops/mse.hpp"
#include "detrack/ops/normed_linear.hpp"
#include "detrack/ops/patchify.hpp"
#include "detrack/ops/place_boxes.hpp"
#include "detrack/ops/position_embedding.hpp"
#include "detrack/ops/scale_samples.hpp"
#include "detrack/ops/similarity.hpp"
#include "detrack/ops/softmax.hpp"
#include "detrack/ops/squared_norm.hpp"
#include "detrack/ops/words.hpp"

/// The list of operations. To add one: write its struct in ops/, name it here, write its loops in ops/reference/ and its
/// test in tests/ops/; the plan backend counts it by itself, and cpu/ and cuda/ override it where it matters.
// clang-format off
#define DETRACK_FOR_EACH_OP(X)                                                                      \
  X(LinearForward) X(LinearBackward) X(SimilarityForward) X(SimilarityBackward)                     \
  X(LayerNormForward) X(LayerNormBackward) X(ActivationForward) X(ActivationBackward)               \
  X(SoftmaxForward) X(SoftmaxBackward) X(AttentionForward) X(AttentionBackward)                     \
  X(PatchifyForward) X(PatchifyBackward) X(PositionEmbeddingForward) X(PositionEmbeddingBackward)   \
  X(BoxToWords) X(EmbeddingForward) X(EmbeddingBackward) X(ExpectationForward)                      \
  X(ExpectationBackward) X(ConfidenceForward) X(ConfidenceBackward) X(CrossEntropyForward)          \
  X(CrossEntropyBackward) X(IouForward) X(IouBackward) X(SiouForward) X(SiouBackward) X(MseForward) \
  X(MseBackward) X(MeanTokensForward) X(MeanTokensBackward) X(Add) X(Fill) X(CropNormalise)         \
  X(ScaleSamples) X(AdamW) X(SquaredNorm) X(PlaceBoxes) X(Cast) X(AugmentedCrops)
// clang-format on

namespace detrack {

/// Work that was recorded, with its arguments: the same addresses and numbers each time.
class Recording {
 public:
  virtual ~Recording() = default;
  /// Does not wait for the end.
  virtual void replay() = 0;
};

/// Backends receive checked arguments from ops::run and never check again.
template <class T>
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string describe() const = 0;

  /// Copies bytes between this device's memory and the host's, or within either; the source may be reused on return.
  virtual void copy_bytes(void* to, const void* from, std::size_t bytes) = 0;

  // Devices whose work goes on while the host does something else. The others do all at once.

  /// As copy_bytes, but both ends must stay until synchronize(); host memory should be of host_allocator().
  virtual void copy_bytes_later(void* to, const void* from, std::size_t bytes) { copy_bytes(to, from, bytes); }
  /// Waits for all that was begun. Errors: those of the work.
  virtual void synchronize() {}
  /// Host memory that the device copies from and to without a detour.
  virtual std::shared_ptr<Allocator> host_allocator() const { return detrack::host_allocator(); }

  /// Whether record() works.
  virtual bool records() const { return false; }
  /// Runs `work`, which may use operations and copy_bytes_later, without doing any of it: replaying does. The same work must
  /// have run before, so that all memory it needs is there. Errors: not_available; those of `work`.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& work) {
    (void)work;
    fail(ErrorCode::not_available, describe(), ": expected a backend that records, got one that does not");
  }

  /// Whether operations between begin_side() and end_side() may run beside those that follow end_side(), until join_side().
  /// They see what was begun before; what they use must stay until join_side().
  virtual bool runs_side_by_side() const { return false; }
  virtual void begin_side() {}
  virtual void end_side() {}
  virtual void join_side() {}

#define DETRACK_DECLARE_OP(Op) virtual void run(const Op<T>& op) = 0;
  DETRACK_FOR_EACH_OP(DETRACK_DECLARE_OP)
#undef DETRACK_DECLARE_OP
  /// Two operations, for backends that do them at once.
  virtual void run(const NormedLinear<T>& op) {
    run(op.norm);
    run(op.linear);
  }
};

namespace ops {

/// Copies between contiguous views of one shape, whatever their devices. Errors: shape.
template <class T, class X>
void copy(Context<T>& ctx, View<const X> from, View<X> to) {
  expect_shape("copy", "to", to.shape(), from.shape());
  expect_contiguous("copy", "from", from);
  expect_contiguous("copy", "to", to);
  ctx.backend().copy_bytes(to.data(), from.data(), static_cast<std::size_t>(from.numel()) * sizeof(X));
}

#define DETRACK_INSTANTIATE_RUN(Op)                                  \
  DETRACK_INSTANTIATE(void run(Context<float>&, const Op<float>&))   \
  DETRACK_INSTANTIATE(void run(Context<double>&, const Op<double>&))
DETRACK_FOR_EACH_OP(DETRACK_INSTANTIATE_RUN)
#undef DETRACK_INSTANTIATE_RUN

}  // namespace ops
}  // namespace detrack
