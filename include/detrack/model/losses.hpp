// The training losses of DeTrack on the outputs of one forward pass, and their gradients.
#pragma once

#include <cstdint>
#include <span>

#include "detrack/core/instantiate.hpp"
#include "detrack/model/config.hpp"
#include "detrack/model/host_transfer.hpp"

namespace detrack {

struct LossWeights {
  double ce = 2;                    ///< refined box: cross-entropy over words
  double siou = 2;                  ///< refined box: SIoU of the expected box
  double denoise = 1;               ///< mean over blocks of the cross-entropy to the less noisy box
  double label_sigma = 0;           ///< width of the cross-entropy targets in words; 0: one word
  bool noise_target_total = false;  ///< true (an ablation): only the last block's map is supervised, towards the truth
};

/// What the losses compare with, one entry a sample, on the host.
struct LossTargets {
  std::span<const CropBox> truth, start, eps;  ///< start[b] is what the forward started from
  std::span<const double> t;                   ///< noise step of the start
  std::span<const std::uint8_t> noised;        ///< 1 where start was made from truth by eps at t, 0 where it was not
};

struct LossValues {
  double total = 0, ce = 0, siou = 0, denoise = 0;
};

/// total = weights.ce CE(refined map) + weights.siou SIoU(expected box) + weights.denoise (mean over blocks of CE(block's
/// map)), each a mean over the batch and the coordinates. Block j is trained towards the box with 1 - j/L of the noise left;
/// with noise_target_total the last block alone counts, and is trained towards the truth.
template <class T>
class Losses {
 public:
  Losses(const Config& config, const LossWeights& weights) : config_(config), weights_(weights) {}

  /// logits (B, 4, V), box (B, 4) their expectation, step_logits (L, B, 4, V). Writes dlogits and dstep_logits of the same
  /// shapes, unless both are absent (validation). Errors: shape; argument, where the targets are not B.
  LossValues run(Context<T>& ctx, View<const stat_t<T>> logits, View<const stat_t<T>> box, View<const stat_t<T>> step_logits,
                 const LossTargets& targets, View<stat_t<T>> dlogits, View<stat_t<T>> dstep_logits) {
    const std::int64_t B = logits.extent(0);
    const auto batch = static_cast<std::size_t>(B);
    check(targets, batch);
    const ArenaScope scope(ctx.arena());
    const Vocabulary words = config_.vocabulary();
    LossValues values;
    values.ce = cross_entropy(
        ctx, logits, [&](std::size_t i) { return words.position(targets.truth[i / 4][i % 4]); }, weights_.ce, dlogits);
    values.denoise = cross_entropy(
        ctx, step_logits,
        [&](std::size_t i) { return words.position(step_target(targets, i / 4 / batch, i / 4 % batch)[i % 4]); },
        weights_.denoise, dstep_logits, weights_.noise_target_total ? 4 * B * (config_.depth - 1) : 0);

    const View<const double> truth =
        transfer_.template upload<double>(ctx, {B, 4}, [&](std::size_t i) { return targets.truth[i / 4][i % 4]; });
    const View<stat_t<T>> loss = ctx.arena().template allocate<stat_t<T>>({B});
    ops::run(ctx, SiouForward<T>{.a = box, .b = truth, .y = loss});
    values.siou = transfer_.mean(ctx, loss);
    if (dlogits) {
      const View<stat_t<T>> dbox = ctx.arena().template allocate<stat_t<T>>({B, 4});
      ops::run(ctx, SiouBackward<T>{.a = box, .b = truth, .dy = row_weights(ctx, B, weights_.siou), .da = dbox});
      ops::run(ctx, ExpectationBackward<T>{.logits = logits.rows(),
                                           .vocabulary = words,
                                           .dy = dbox.reshape({4 * B}),
                                           .residual = dlogits.rows(),
                                           .dlogits = dlogits.rows()});
    }
    values.total = weights_.ce * values.ce + weights_.siou * values.siou + weights_.denoise * values.denoise;
    return values;
  }

 private:
  CropBox step_target(const LossTargets& targets, std::size_t block, std::size_t b) const {
    if (weights_.noise_target_total) return targets.truth[b];
    const double remaining = 1 - static_cast<double>(block + 1) / static_cast<double>(config_.depth);
    return denoising_target(config_.noise(), targets.truth[b], targets.start[b], targets.eps[b], targets.t[b],
                            targets.noised[b] != 0, remaining);
  }

  /// position(i): the target of row i, in words. Rows before `first` count for nothing.
  template <class F>
  double cross_entropy(Context<T>& ctx, View<const stat_t<T>> logits, F&& position, double weight, View<stat_t<T>> dlogits,
                       std::int64_t first = 0) {
    const View<const stat_t<T>> rows = logits.rows();
    const std::int64_t R = rows.extent(0);
    const View<const double> target = transfer_.template upload<double>(ctx, {R}, position);
    const View<stat_t<T>> loss = ctx.arena().template allocate<stat_t<T>>({R});
    ops::run(ctx, CrossEntropyForward<T>{.logits = rows, .target = target, .sigma = weights_.label_sigma, .loss = loss});
    if (dlogits)
      ops::run(ctx, CrossEntropyBackward<T>{.logits = rows,
                                            .target = target,
                                            .sigma = weights_.label_sigma,
                                            .dloss = row_weights(ctx, R, weight, first),
                                            .dlogits = dlogits.rows()});
    return transfer_.mean(ctx, loss.slice(0, first, R - first));
  }

  /// The gradient of weight x mean with respect to each of `count` rows, of which those before `first` are not meant.
  View<const stat_t<T>> row_weights(Context<T>& ctx, std::int64_t count, double weight, std::int64_t first = 0) {
    const auto each = stat_t<T>(weight / static_cast<double>(count - first));
    return transfer_.template upload<stat_t<T>>(
        ctx, {count}, [&](std::size_t i) { return static_cast<std::int64_t>(i) < first ? stat_t<T>(0) : each; });
  }

  static void check(const LossTargets& targets, std::size_t B) {
    for (const std::size_t size :
         {targets.truth.size(), targets.start.size(), targets.eps.size(), targets.t.size(), targets.noised.size()})
      if (size != B) fail(ErrorCode::argument, "Losses: targets: expected ", B, " samples, got ", size);
  }

  Config config_;
  LossWeights weights_;
  HostTransfer<T> transfer_;
};

DETRACK_INSTANTIATE(class Losses<float>)
DETRACK_INSTANTIATE(class Losses<double>)

}  // namespace detrack
