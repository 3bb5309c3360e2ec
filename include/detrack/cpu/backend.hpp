// The CPU backend: what takes time is vectorised and threaded here, the rest runs on the reference loops.
#pragma once

#include <memory>
#include <string>
#include <type_traits>

#include "detrack/core/instantiate.hpp"
#include "detrack/cpu/activation.hpp"
#include "detrack/cpu/adamw.hpp"
#include "detrack/cpu/add.hpp"
#include "detrack/cpu/attention.hpp"
#include "detrack/cpu/augmented_crops.hpp"
#include "detrack/cpu/crop.hpp"
#include "detrack/cpu/cross_entropy.hpp"
#include "detrack/cpu/expectation.hpp"
#include "detrack/cpu/layer_norm.hpp"
#include "detrack/cpu/linear.hpp"
#include "detrack/cpu/patchify.hpp"
#include "detrack/cpu/position_embedding.hpp"
#include "detrack/cpu/products.hpp"
#include "detrack/cpu/scale_samples.hpp"
#include "detrack/cpu/softmax.hpp"
#include "detrack/cpu/squared_norm.hpp"
#include "detrack/ops/reference_backend.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

struct CpuOptions {
  int threads = 0;  ///< 0: all of the machine's
  Products products = Products::full;
  std::shared_ptr<const PackedWeights> weights{};  ///< that need not be packed for these products
};

/// T is float or double. Results do not depend on the number of threads. Scratch memory grows when a shape is first met and
/// is kept, so running the same shapes again allocates nothing. Like its context, it serves one thread at a time.
template <class T>
class CpuBackend final : public ReferenceBackend<T> {
 public:
  /// Errors: argument (also: products other than full of double).
  explicit CpuBackend(const CpuOptions& options = {})
      : team_(options.threads), products_(options.products), weights_(options.weights) {
    if (products_ != Products::full && !std::is_same_v<T, float>)
      fail(ErrorCode::argument, "cpu::make_context: products: expected full for float64, got ", name_of(products_));
  }

  std::string describe() const override {
    const int threads = team_.threads();
    return "cpu: " + std::to_string(threads) + (threads == 1 ? " thread, " : " threads, ") +
           std::to_string(8 * kVectorBytes) + "-bit vectors, " + (sizeof(T) == 4 ? "float32" : "float64") +
           (products_ == Products::full ? "" : std::string(", ") + name_of(products_) + " products") +
           (!multiplies(products_)                            ? " (emulated: slow)"
            : products_ == Products::bfloat16 && !pairs_pay() ? " (slow on this processor)"
                                                              : "");
  }

  using ReferenceBackend<T>::run;
#define DETRACK_CPU_OP(Op)             \
  void run(const Op<T>& op) override { \
    cpu::run(team_, op);               \
  }
  DETRACK_CPU_OP(SimilarityForward)
  DETRACK_CPU_OP(SimilarityBackward)
  DETRACK_CPU_OP(LayerNormForward)
  DETRACK_CPU_OP(LayerNormBackward)
  DETRACK_CPU_OP(ActivationForward)
  DETRACK_CPU_OP(ActivationBackward)
  DETRACK_CPU_OP(SoftmaxForward)
  DETRACK_CPU_OP(SoftmaxBackward)
  DETRACK_CPU_OP(PatchifyForward)
  DETRACK_CPU_OP(PositionEmbeddingForward)
  DETRACK_CPU_OP(ExpectationForward)
  DETRACK_CPU_OP(ExpectationBackward)
  DETRACK_CPU_OP(CrossEntropyForward)
  DETRACK_CPU_OP(CrossEntropyBackward)
  DETRACK_CPU_OP(ScaleSamples)
  DETRACK_CPU_OP(AdamW)
  DETRACK_CPU_OP(SquaredNorm)
#undef DETRACK_CPU_OP
  void run(const LinearForward<T>& op) override {
    if constexpr (std::is_same_v<T, float>)
      if (products_ == Products::int8) return run_linear<ByteQuad>(team_, op, weights_.get());
    with_factors([&]<class E>(E) { run_linear<E>(team_, op, weights_.get()); });
  }
  void run(const LinearBackward<T>& op) override {
    with_factors([&]<class E>(E) { run_linear<E>(team_, op); });
  }
  void run(const AttentionForward<T>& op) override {
    with_factors([&]<class E>(E) { run_attention<E>(team_, op); });
  }
  void run(const AttentionBackward<T>& op) override {
    with_factors([&]<class E>(E) { run_attention<E>(team_, op); });
  }
  void run(const CropNormalise<T>& op) override {
    cpu::run(team_, crop_columns_, op);
  }
  void run(const AugmentedCrops<T>& op) override {
    if constexpr (std::is_same_v<T, float>)
      cpu::run(team_, crop_columns_, augmenter_, gapless_, op);
    else
      ReferenceBackend<T>::run(op);
  }
  void run(const Add<T>& op) override {
    rows_are_contiguous(op) ? cpu::run(team_, op) : ReferenceBackend<T>::run(op);
  }
  void run(const Fill<T>& op) override {
    unit_stride(op.y) ? cpu::run(team_, op) : ReferenceBackend<T>::run(op);
  }

 private:
  /// f(E()), E being what the factors of products are that are no integers.
  template <class F>
  void with_factors(const F& f) {
    if constexpr (std::is_same_v<T, float>)
      if (products_ == Products::bfloat16 || (products_ == Products::int8 && pairs_pay())) return f(BfloatPair{});
    f(T{});
  }

  Team<T> team_;
  Products products_;
  std::shared_ptr<const PackedWeights> weights_;
  CropColumns<T> crop_columns_;
  CropAugmenter augmenter_;
  Scratch<float> gapless_;
};

/// Errors: argument.
template <class T>
Context<T> make_context(const CpuOptions& options = {}) {
  return Context<T>(std::make_shared<CpuBackend<T>>(options), host_allocator());
}

DETRACK_INSTANTIATE(class CpuBackend<float>)
DETRACK_INSTANTIATE(class CpuBackend<double>)

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
