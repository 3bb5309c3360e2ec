// The reference backend: plain loops, any scalar. It is the specification the other backends are tested against.
#pragma once

#include <cstring>

#include "detrack/core/instantiate.hpp"
#include "detrack/ops/backend.hpp"
#include "detrack/ops/reference/activation.hpp"
#include "detrack/ops/reference/adamw.hpp"
#include "detrack/ops/reference/add.hpp"
#include "detrack/ops/reference/attention.hpp"
#include "detrack/ops/reference/augmented_crops.hpp"
#include "detrack/ops/reference/box_overlap.hpp"
#include "detrack/ops/reference/cast.hpp"
#include "detrack/ops/reference/confidence.hpp"
#include "detrack/ops/reference/crop.hpp"
#include "detrack/ops/reference/cross_entropy.hpp"
#include "detrack/ops/reference/embedding.hpp"
#include "detrack/ops/reference/expectation.hpp"
#include "detrack/ops/reference/layer_norm.hpp"
#include "detrack/ops/reference/linear.hpp"
#include "detrack/ops/reference/mean_tokens.hpp"
#include "detrack/ops/reference/mse.hpp"
#include "detrack/ops/reference/patchify.hpp"
#include "detrack/ops/reference/place_boxes.hpp"
#include "detrack/ops/reference/position_embedding.hpp"
#include "detrack/ops/reference/scale_samples.hpp"
#include "detrack/ops/reference/similarity.hpp"
#include "detrack/ops/reference/softmax.hpp"
#include "detrack/ops/reference/squared_norm.hpp"
#include "detrack/ops/reference/words.hpp"

namespace detrack {

/// T is float, double, or a number type of the tests (a dual number).
template <class T>
class ReferenceBackend : public Backend<T> {
 public:
  std::string describe() const override { return "reference: plain loops, 1 thread"; }
  void copy_bytes(void* to, const void* from, std::size_t bytes) override { std::memmove(to, from, bytes); }

#define DETRACK_REFERENCE_OP(Op)       \
  void run(const Op<T>& op) override { \
    reference::run(op);                \
  }
  DETRACK_FOR_EACH_OP(DETRACK_REFERENCE_OP)
#undef DETRACK_REFERENCE_OP
};

template <class T>
Context<T> reference_context() {
  return Context<T>(std::make_shared<ReferenceBackend<T>>(), host_allocator());
}

DETRACK_INSTANTIATE(class ReferenceBackend<float>)
DETRACK_INSTANTIATE(class ReferenceBackend<double>)

}  // namespace detrack
