// DeTrack: the whole model, forward and backward.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "detrack/core/instantiate.hpp"
#include "detrack/model/box_refiner.hpp"
#include "detrack/model/box_words.hpp"
#include "detrack/model/denoising_vit.hpp"
#include "detrack/model/iou_head.hpp"

namespace detrack {

/// What a forward pass is given. All views are memory of the context's device; boxes are x1, y1, x2, y2 in search-crop
/// units.
template <class T>
struct ModelInputs {
  View<const T> search{};  ///< (B, 3, S, S), normalised RGB
  View<const T>
      templates{};  ///< (B, n, 3, Z, Z), the fixed one first, then dynamic ones, oldest first; n <= config.templates
  View<const double> start_box{};   ///< (B, 4), the guess that denoising starts from
  View<const double> trajectory{};  ///< (B, k, 4), previous boxes, oldest first, k <= K; absent for k = 0
  /// (L, 2, B), training: what each sample's attention and MLP branch of each block's image half is multiplied by, 0 or
  /// 1 / (1 - p); a backward reads it again. Absent: 1, at no cost.
  View<const stat_t<T>> drop_path{};
};

/// What a forward pass fills in. `logits` and `image` are always wanted, the rest where present.
template <class T>
struct ModelOutputs {
  View<stat_t<T>> logits{};       ///< (B, 4, V), refined similarity map
  View<T> image{};                ///< (B, N, C), normed image tokens, which the IoU head reads
  View<stat_t<T>> step_logits{};  ///< (L, B, 4, V), similarity map after each block
  View<stat_t<T>> box{};          ///< (B, 4), expected box of `logits`
  View<stat_t<T>> step_boxes{};   ///< (L, B, 4), expected boxes of `step_logits` (which must be there)
  View<stat_t<T>> confidence{};   ///< (B), softmax score of `logits`
};

/// The model of Zhou et al., NeurIPS 2024 (arXiv 2501.02467). Forward passes read the parameters and change nothing, so one
/// model serves any number of contexts and threads; backward passes add to the gradients, so they need the model to
/// themselves. Movable, not copyable.
template <class T>
class DeTrack {
 public:
  DenoisingViT<T> backbone;
  BoxWords<T> box;
  BoxRefiner<T> refine;
  IouHead<T> iou;

  struct Saved {
    typename DenoisingViT<T>::Saved backbone{};
    typename BoxRefiner<T>::Saved refine{};
    typename BoxWords<T>::Saved start{}, trajectory{};
    typename LayerNorm<T>::Saved step_norm{};
    View<T> steps{}, normed_steps{};  ///< (L, B, 4, C), box tokens after each block
    View<T> refined{};                ///< (B, 4, C)
    std::int64_t trajectory_length = 0;
  };
  struct IouSaved {
    typename BoxWords<T>::Saved words{};
    typename IouHead<T>::Saved head{};
  };

  /// Parameters are zero until load_state_dict() or initialise(). Errors: config; std::bad_alloc.
  explicit DeTrack(const Config& config, std::shared_ptr<Allocator> allocator = host_allocator())
      : backbone((validate(config), config)),
        box(config),
        refine(config),
        iou(config),
        config_(config),
        allocator_(allocator) {
    store_.allocate_values(*this, allocator_);
    refine.mask = Tensor<std::uint8_t>(BoxRefiner<T>::mask_shape(config), allocator_);
    if (allocator_->device().kind == DeviceKind::cpu) BoxRefiner<T>::fill_mask(refine.mask.view());
  }

  /// In the memory of a context's device. Errors: config; out_of_memory.
  DeTrack(const Config& config, Context<T>& ctx) : DeTrack(config, ctx.allocator()) { prepare(ctx); }

  /// Another model of this configuration, its parameters not yet anything.
  template <class X>
  DeTrack<X> empty(std::shared_ptr<Allocator> allocator) const {
    return DeTrack<X>(config_, std::move(allocator));
  }
  /// What the constructor cannot do in memory of a device: parameters of zero, and the refiner's mask.
  void prepare(Context<T>& ctx) {
    if (ctx.device().kind == DeviceKind::cpu) return;
    ops::run(ctx, Fill<T>{.value = 0, .y = store_.values()});
    Tensor<std::uint8_t> mask(refine.mask.shape());
    BoxRefiner<T>::fill_mask(mask.view());
    ops::copy(ctx, View<const std::uint8_t>(mask.view()), refine.mask.view());
  }

  const Config& config() const { return config_; }
  ParameterStore<T>& parameters() { return store_; }
  const ParameterStore<T>& parameters() const { return store_; }
  /// Makes room for gradients, zeroed; needed before any backward.
  void allocate_gradients() {
    if (!store_.gradients()) store_.allocate_gradients(*this, allocator_);
  }
  void zero_gradients(Context<T>& ctx) { ops::run(ctx, Fill<T>{.value = 0, .y = store_.gradients()}); }
  std::int64_t parameter_count() {
    std::int64_t count = 0;
    visit([&](const std::string&, Param<T>& p) { count += p.shape.numel(); });
    return count;
  }

  /// Calls f(name, param) for every parameter, under the names of the file format.
  template <class F>
  void visit(F&& f) {
    backbone.visit("backbone.", f);
    box.visit("box.", f);
    refine.visit("refine.", f);
    iou.visit("iou.", f);
  }

  /// The whole model. `saved`, for a backward, keeps its activations in the context's arena: wrap both in an ArenaScope.
  /// Errors: shape; out_of_memory if the arena was not reserved (see plan.hpp).
  void forward(Context<T>& ctx, const ModelInputs<T>& in, const ModelOutputs<T>& out, Saved* saved = nullptr) const {
    check(in, out);
    const std::int64_t B = in.search.extent(0), C = config_.width, L = config_.depth;
    ArenaScope scope(ctx.arena());
    const auto allocate = [&](const Shape& shape) { return ctx.arena().template allocate<T>(shape); };

    const View<T> start = allocate({B, 4, C}), steps = allocate({L, B, 4, C});
    box.embed(ctx, in.start_box, start, saved ? &saved->start : nullptr);
    backbone.forward(ctx, in.search, in.templates, start, out.image, steps, saved ? &saved->backbone : nullptr,
                     in.drop_path);

    const View<T> trajectory = embed_trajectory(ctx, in, saved);
    const View<T> refined = allocate({B, 4, C});
    refine.forward(ctx, steps.select(0, L - 1), trajectory, out.image, refined, saved ? &saved->refine : nullptr);
    box.similarity(ctx, refined, out.logits);
    if (out.box) box.expected_box(ctx, out.logits, out.box);
    if (out.confidence)
      ops::run(ctx,
               ConfidenceForward<T>{.logits = out.logits.rows(), .window = config_.confidence_window, .y = out.confidence});

    View<T> normed_steps{};
    if (out.step_logits) {
      normed_steps = allocate({L, B, 4, C});
      box.norm.forward(ctx, steps, normed_steps, saved ? &saved->step_norm : nullptr);
      box.similarity(ctx, normed_steps, out.step_logits);
      if (out.step_boxes) box.expected_box(ctx, out.step_logits, out.step_boxes);
    }
    if (saved) {
      saved->steps = steps;
      saved->normed_steps = normed_steps;
      saved->refined = refined;
      saved->trajectory_length = trajectory ? trajectory.extent(1) : 0;
      scope.keep();
    }
  }

  /// Adds the gradients of <logits, dlogits> + <step_logits, dstep_logits> + <image, dimage> to the parameters' gradients.
  /// dstep_logits may be absent. dimage (B, N, C) is overwritten: pass zeros, or what the IoU head sends back.
  /// Errors: argument, before allocate_gradients(); shape.
  void backward(Context<T>& ctx, const Saved& saved, View<const stat_t<T>> dlogits, View<const stat_t<T>> dstep_logits,
                View<T> dimage) {
    require_gradients();
    const ArenaScope scope(ctx.arena());
    const auto allocate = [&](const Shape& shape) { return ctx.arena().template allocate<T>(shape); };
    const View<T> dsteps = allocate(saved.steps.shape());
    if (dstep_logits) {
      const View<T> dnormed = allocate(saved.steps.shape());
      box.similarity_backward(ctx, dstep_logits, saved.normed_steps, dnormed);
      box.norm.backward(ctx, dnormed, saved.step_norm, {}, dsteps);
    } else {
      ops::run(ctx, Fill<T>{.value = 0, .y = dsteps});
    }

    const View<T> drefined = allocate(saved.refined.shape()), dbox = allocate(saved.refined.shape());
    box.similarity_backward(ctx, dlogits, saved.refined, drefined);
    const std::int64_t B = saved.refined.extent(0), C = config_.width, k = saved.trajectory_length;
    const View<T> dtrajectory = k > 0 ? allocate({B, k, 4, C}) : View<T>{};
    refine.backward(ctx, drefined, saved.refine, dbox, dtrajectory, dimage);
    if (k > 0) box.embed_backward(ctx, dtrajectory.reshape({B * k, 4, C}), saved.trajectory);

    const View<T> dlast = dsteps.select(0, config_.depth - 1);
    ops::run(ctx, Add<T>{.a = dlast, .b = dbox, .y = dlast});
    const View<T> dstart = dbox;
    backbone.backward(ctx, saved.backbone, dimage, dsteps, dstart);
    box.embed_backward(ctx, dstart, saved.start);
  }

  /// Image path only: search and templates as in ModelInputs -> normed image tokens (B, N, C).
  void encode_image(Context<T>& ctx, View<const T> search, View<const T> templates, View<T> image) const {
    check_images(search, templates, image);
    backbone.forward(ctx, search, templates, {}, image, {}, nullptr);
  }

  /// Refiner only: box tokens (B, 4, C), trajectory (B, k, 4) or absent, image tokens (B, N, C) -> logits (B, 4, V).
  void refine_box(Context<T>& ctx, View<const T> tokens, View<const double> trajectory, View<const T> image,
                  View<stat_t<T>> logits) const {
    const ArenaScope scope(ctx.arena());
    const View<T> refined = ctx.arena().template allocate<T>(tokens.shape());
    refine.forward(ctx, tokens, embed_trajectory(ctx, {.trajectory = trajectory}, nullptr), image, refined, nullptr);
    box.similarity(ctx, refined, logits);
  }

  /// Predicted overlap of given boxes (B n, 4) with the target, n to an image, side by side: image (B, N, C) of a forward
  /// pass -> iou (B n, 1). Errors: argument; out_of_memory if the arena was reserved for fewer (RunShape::judged).
  void predict_iou(Context<T>& ctx, View<const double> boxes, View<const T> image, View<T> iou_out,
                   IouSaved* saved = nullptr) const {
    ops::expect(image.extent(0) >= 1 && boxes.extent(0) % image.extent(0) == 0, kName, "boxes", "as many to each image",
                static_cast<double>(boxes.extent(0)));
    ArenaScope scope(ctx.arena());
    const View<T> tokens = ctx.arena().template allocate<T>({boxes.extent(0), 4, config_.width});
    box.embed(ctx, boxes, tokens, saved ? &saved->words : nullptr);
    iou.forward(ctx, tokens, image, iou_out, saved ? &saved->head : nullptr);
    if (saved) scope.keep();
  }
  /// diou (B n, 1). Overwrites dimage (B, N, C).
  void predict_iou_backward(Context<T>& ctx, View<const T> diou, const IouSaved& saved, View<T> dimage) {
    require_gradients();
    const ArenaScope scope(ctx.arena());
    const View<T> dtokens = ctx.arena().template allocate<T>({diou.extent(0), 4, config_.width});
    iou.backward(ctx, diou, saved.head, dtokens, dimage);
    box.embed_backward(ctx, dtokens, saved.words);
  }

 private:
  void require_gradients() {
    if (!store_.gradients())
      fail(ErrorCode::argument, kName, ": gradients: expected allocate_gradients() before a backward, got none");
  }

  View<T> embed_trajectory(Context<T>& ctx, const ModelInputs<T>& in, Saved* saved) const {
    if (!in.trajectory || in.trajectory.numel() == 0) return {};
    const std::int64_t B = in.trajectory.extent(0), k = in.trajectory.extent(1);
    const View<T> tokens = ctx.arena().template allocate<T>({B * k, 4, config_.width});
    box.embed(ctx, in.trajectory.reshape({B * k, 4}), tokens, saved ? &saved->trajectory : nullptr);
    return tokens.reshape({B, k, 4, config_.width});
  }

  void check_images(const View<const T>& search, const View<const T>& templates, const View<T>& image) const {
    ops::expect_rank(kName, "search", search.shape(), 4);
    const std::int64_t B = search.extent(0), S = config_.search_size, Z = config_.template_size;
    ops::expect(B >= 1, kName, "search", "a batch of at least 1", static_cast<double>(B));
    ops::expect_view(kName, "search", search, {B, 3, S, S});
    std::int64_t count = 0;
    if (templates) {
      ops::expect_rank(kName, "templates", templates.shape(), 5);
      count = templates.extent(1);
      ops::expect_view(kName, "templates", templates, {B, count, 3, Z, Z});
      if (count > config_.templates)
        fail(ErrorCode::shape, kName, ": templates: expected at most ", config_.templates, ", got ", count);
    }
    ops::expect_view(kName, "image", image, {B, config_.search_tokens() + count * config_.template_tokens(), config_.width});
  }

  void check(const ModelInputs<T>& in, const ModelOutputs<T>& out) const {
    check_images(in.search, in.templates, out.image);
    const std::int64_t B = in.search.extent(0), L = config_.depth, V = config_.words();
    ops::expect_view(kName, "start_box", in.start_box, {B, 4});
    if (in.trajectory) {
      ops::expect_rank(kName, "trajectory", in.trajectory.shape(), 3);
      ops::expect_view(kName, "trajectory", in.trajectory, {B, in.trajectory.extent(1), 4});
    }
    ops::expect_view(kName, "drop_path", in.drop_path, {L, 2, B}, true);
    ops::expect_view(kName, "logits", out.logits, {B, 4, V});
    ops::expect_view(kName, "step_logits", out.step_logits, {L, B, 4, V}, !out.step_boxes);
    ops::expect_view(kName, "step_boxes", out.step_boxes, {L, B, 4}, true);
    ops::expect_view(kName, "box", out.box, {B, 4}, true);
    ops::expect_view(kName, "confidence", out.confidence, {B}, true);
  }

  static constexpr const char* kName = "DeTrack";
  Config config_;
  std::shared_ptr<Allocator> allocator_;
  ParameterStore<T> store_;
};

DETRACK_INSTANTIATE(class DeTrack<float>)
DETRACK_INSTANTIATE(class DeTrack<double>)

}  // namespace detrack
