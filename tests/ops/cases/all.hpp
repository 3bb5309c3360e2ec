// Every case of every operation, for the tests of a backend.
#pragma once

#include "tests/ops/cases/activation.hpp"
#include "tests/ops/cases/adamw.hpp"
#include "tests/ops/cases/add.hpp"
#include "tests/ops/cases/attention.hpp"
#include "tests/ops/cases/augmented_crops.hpp"
#include "tests/ops/cases/box_overlap.hpp"
#include "tests/ops/cases/cast.hpp"
#include "tests/ops/cases/confidence.hpp"
#include "tests/ops/cases/crop.hpp"
#include "tests/ops/cases/cross_entropy.hpp"
#include "tests/ops/cases/embedding.hpp"
#include "tests/ops/cases/expectation.hpp"
#include "tests/ops/cases/layer_norm.hpp"
#include "tests/ops/cases/linear.hpp"
#include "tests/ops/cases/mean_tokens.hpp"
#include "tests/ops/cases/mse.hpp"
#include "tests/ops/cases/normed_linear.hpp"
#include "tests/ops/cases/patchify.hpp"
#include "tests/ops/cases/place_boxes.hpp"
#include "tests/ops/cases/position_embedding.hpp"
#include "tests/ops/cases/scale_samples.hpp"
#include "tests/ops/cases/similarity.hpp"
#include "tests/ops/cases/softmax.hpp"
#include "tests/ops/cases/squared_norm.hpp"
#include "tests/ops/cases/words.hpp"

namespace detrack::test {

/// Calls f(case) for each; a backend's whole parity test is
///     for_each_case([&](const auto& c) { require(matches_reference(c, ctx, bound, layout)); });
template <class F>
void for_each_case(F&& f) {
  const auto all = [&](const auto& cases) {
    for (const auto& c : cases) f(c);
  };
  all(activation_cases()), all(add_cases()), all(fill_cases()), all(attention_cases()), all(fused_attention_cases());
  all(iou_cases()), all(siou_cases()), all(confidence_cases()), all(cross_entropy_cases()), all(embedding_cases());
  all(expectation_cases()), all(layer_norm_cases()), all(layer_norm_inference_cases()), all(linear_cases());
  all(mean_tokens_cases()), all(mse_cases()), all(patchify_cases()), all(position_embedding_cases());
  all(similarity_cases()), all(softmax_cases()), all(words_cases()), all(crop_cases());
  all(scale_samples_cases()), all(adamw_cases()), all(squared_norm_cases()), all(place_boxes_cases());
  all(cast_cases()), all(normed_linear_cases()), all(augmented_crops_cases());
}

}  // namespace detrack::test
