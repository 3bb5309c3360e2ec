// What a masked autoencoder's pass costs, before it is made.
#pragma once

#include "detrack/model/masked_autoencoder_pass.hpp"
#include "detrack/model/plan.hpp"

namespace detrack {

/// Runs a pass of B images on the plan backend, with the mask ratio of the model's configuration; `training` counts the
/// backward, too. `checks` must be what the context that will run has. Errors: config, argument.
template <class T>
Plan plan(const MaskedAutoencoder<T>& like, std::int64_t batch, bool training = true, bool checks = false) {
  const auto backend = std::make_shared<PlanBackend<T>>();
  Context<T> ctx = plan_context<T>(backend);
  ctx.set_checks(checks);
  const Config& c = like.config();
  MaskedAutoencoder<T> model(c, like.autoencoder_config(), plan_allocator());
  const Tensor<T> images({batch, 3, c.search_size, c.search_size}, plan_allocator());
  Philox rng(0);  // the cost depends on the number of masked tokens only
  const TokenMask mask = random_mask(rng, batch, c.search_tokens(), like.autoencoder_config().mask_ratio);
  MaskedAutoencoderPass<T> pass;
  if (training) {
    model.allocate_gradients();
    pass.run(ctx, model, images.view(), mask);
  } else {
    pass.evaluate(ctx, model, images.view(), mask);
  }
  return {ctx.arena().peak(), ctx.side_arena().peak(), backend->total(), backend->by_operation()};
}

/// Gives a context the scratch memory such a pass needs. Returns the plan.
template <class T>
Plan reserve(Context<T>& ctx, const MaskedAutoencoder<T>& like, std::int64_t batch, bool training = true) {
  Plan made = plan(like, batch, training, ctx.checks());
  ctx.arena().reserve(made.arena_bytes);
  return made;
}

}  // namespace detrack
