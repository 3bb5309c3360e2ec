// Everything that decides how a model is trained, with the paper's values as defaults.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "detrack/core/error.hpp"
#include "detrack/io/quoted.hpp"
#include "detrack/model/losses.hpp"

namespace detrack {

/// What is trained, and on what.
enum class Stage {
  pairs,      ///< the whole model on template and search crops of one target, without trajectory
  sequences,  ///< the whole model on frames that it has tracked itself, with trajectory
  iou,        ///< the IoU head alone
  mae         ///< the backbone alone, as a masked autoencoder
};

inline constexpr const char* kStageNames[] = {"pairs", "sequences", "iou", "mae"};

constexpr std::string_view to_string(Stage stage) {
  return kStageNames[static_cast<std::size_t>(stage)];
}

/// Errors: argument.
inline Stage parse_stage(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kStageNames); ++i)
    if (name == kStageNames[i]) return static_cast<Stage>(i);
  fail(ErrorCode::argument, "stage: expected pairs, sequences, iou or mae, got ", detail::in_quotes(name));
}

/// Which frames and crops make a sample.
struct SamplingOptions {
  std::int64_t max_gap = 200;    ///< frames from the template to the search frame, at most
  double scale_jitter = 0.25;    ///< search: each side times exp(N(0, this))
  double centre_jitter = 1.5;    ///< search: centre moved by at most this times sqrt(w h), each axis
  double template_jitter = 0.1;  ///< dynamic templates: sides and centre the same way, this much; template 0 is exact
  double prior_prob = 0.3;       ///< the start is the previous box as in tracking; otherwise the truth under noise
  double negative_prob = 0.25;   ///< stage iou: the search crop does not show the target
  std::int64_t judged = 1;       ///< stage iou: boxes a sample that the head judges
  double box_jitter = 0.3;       ///< stage iou: sides of judged boxes times exp(N(0, this))
  double other_prob = 0;         ///< stage iou: a judged box that is not the predicted one is about another object, if any
  double min_side = 6;           ///< targets with a smaller side (pixels) are left out
  std::int64_t clip_stride = 1;  ///< stage sequences: a clip is of every 1st to every this-th frame of its video
  double backwards_prob = 0;     ///< stage sequences: a clip runs backwards
  double still_prob = 0;         ///< stage sequences: a clip is of a picture, before which a camera moves

  template <class F>
  void fields(F&& f) {
    f.number("max_gap", max_gap, 0, 1e9);
    f.number("scale_jitter", scale_jitter, 0, 3);
    f.number("centre_jitter", centre_jitter, 0, 10);
    f.number("template_jitter", template_jitter, 0, 3);
    f.number("prior_prob", prior_prob, 0, 1);
    f.number("negative_prob", negative_prob, 0, 1);
    f.number("judged", judged, 1, 1024);
    f.number("box_jitter", box_jitter, 0, 3);
    f.number("other_prob", other_prob, 0, 1);
    f.number("min_side", min_side, 0, 1e5);
    f.number("clip_stride", clip_stride, 1, 1e6);
    f.number("backwards_prob", backwards_prob, 0, 1);
    f.number("still_prob", still_prob, 0, 1);
  }
};

/// How pictures are changed. Probabilities are per sample (flip, grayscale) or per crop (the rest); in stage sequences all
/// are per clip, whose frames are changed alike, and only flip is without clip_prob. What one of them draws does not depend
/// on the others.
struct AugmentOptions {
  double flip = 0.5;                  ///< left and right change places in all crops of a sample
  double grayscale = 0.05;            ///< all crops of a sample lose their colours
  double brightness = 0.2;            ///< each crop times U(1 - this, 1 + this)
  double colour = 0;                  ///< each channel of a crop times U(1 - this, 1 + this)
  double gamma = 0;                   ///< each crop to the power exp(U(-this, this))
  double blur_prob = 0;               ///< Gaussian blur of 0.5 to 1.5 pixels of the crop
  double noise_prob = 0;              ///< Gaussian noise of up to 0.06 of full scale
  double occlusion_prob = 0;          ///< search: a patch of the same picture covers a part of the target
  double motion_blur_prob = 0;        ///< blur along a line of up to 1/12 of the crop's side, in any direction
  double low_resolution_prob = 0;     ///< the crop as if it had 1.5 to 4 times fewer pixels a side
  double foreign_occlusion_prob = 0;  ///< search: a part of another picture covers up to half of the target from a side
  double distractor_prob = 0;         ///< search: the target of another sample of its source lies beside the target
  double rotation = 0;                ///< each crop is turned by U(-this, this), radians
  double aspect = 0;                  ///< the search crop is stretched, log of w / h by U(-this, this)
  double unlabelled_rotation = 0;     ///< in place of `rotation` where a part of a picture without boxes is the target
  double unlabelled_aspect = 0;       ///< in place of `aspect` there
  double clip_prob = 0;               ///< stage sequences: colours, blur, noise, rotation and aspect of a clip are changed

  double camera = 0;  ///< stage sequences: the camera moves, by about this times the target's size from a frame to the next

  template <class F>
  void fields(F&& f) {
    f.number("flip", flip, 0, 1);
    f.number("grayscale", grayscale, 0, 1);
    f.number("brightness", brightness, 0, 1);
    f.number("colour", colour, 0, 1);
    f.number("gamma", gamma, 0, 2);
    f.number("blur_prob", blur_prob, 0, 1);
    f.number("noise_prob", noise_prob, 0, 1);
    f.number("occlusion_prob", occlusion_prob, 0, 1);
    f.number("motion_blur_prob", motion_blur_prob, 0, 1);
    f.number("low_resolution_prob", low_resolution_prob, 0, 1);
    f.number("foreign_occlusion_prob", foreign_occlusion_prob, 0, 1);
    f.number("distractor_prob", distractor_prob, 0, 1);
    f.number("rotation", rotation, 0, 3.1416);
    f.number("aspect", aspect, 0, 2);
    f.number("unlabelled_rotation", unlabelled_rotation, 0, 3.1416);
    f.number("unlabelled_aspect", unlabelled_aspect, 0, 2);
    f.number("clip_prob", clip_prob, 0, 1);
    f.number("camera", camera, 0, 1);
  }
};

struct OptimizerOptions {
  double lr = 8e-5;              ///< of parameters that start from nothing
  double backbone_factor = 0.1;  ///< times lr: the backbone's image half, where it was pretrained; otherwise 1
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 1e-4;     ///< none on biases, norms and embeddings
  double clip = 0.1;              ///< largest norm of all gradients together; 0: no clipping
  std::string schedule = "step";  ///< constant, step (times drop_factor at drop_at) or cosine (to drop_factor)
  double drop_at = 0.8;           ///< share of all steps
  double drop_factor = 0.1;
  std::int64_t warmup = 0;  ///< steps in which lr rises from 0
  double drop_path = 0.1;   ///< of the last block's branches; rises linearly from 0 over the blocks
  double ema = 0.9998;      ///< decay of the averaged weights; 0: they are the weights

  template <class F>
  void fields(F&& f) {
    static constexpr const char* kSchedules[] = {"constant", "step", "cosine"};
    f.number("lr", lr, 0, 1);
    f.number("backbone_factor", backbone_factor, 0, 100);
    f.number("beta1", beta1, 0, 0.999999);
    f.number("beta2", beta2, 0, 0.999999999);
    f.number("eps", eps, 1e-20, 1);
    f.number("weight_decay", weight_decay, 0, 10);
    f.number("clip", clip, 0, 1e9);
    f.choice("schedule", schedule, kSchedules);
    f.number("drop_at", drop_at, 0, 1);
    f.number("drop_factor", drop_factor, 0, 1);
    f.number("warmup", warmup, 0, 1e12);
    f.number("drop_path", drop_path, 0, 0.9);
    f.number("ema", ema, 0, 0.9999999);
  }
};

struct LossOptions {
  double ce = 2, siou = 2, denoise = 1, label_sigma = 0;
  std::string noise_target = "layers";  ///< layers: each block towards a less noisy box; total: the last block alone

  template <class F>
  void fields(F&& f) {
    static constexpr const char* kTargets[] = {"layers", "total"};
    f.number("ce", ce, 0, 1e3);
    f.number("siou", siou, 0, 1e3);
    f.number("denoise", denoise, 0, 1e3);
    f.number("label_sigma", label_sigma, 0, 1e3);
    f.choice("noise_target", noise_target, kTargets);
  }
};

struct TrainOptions {
  std::string stage = "pairs";
  std::uint64_t seed = 1;
  std::int64_t steps = 1000;    ///< updates of the weights
  std::int64_t batch = 16;      ///< samples of a forward pass
  std::int64_t accumulate = 1;  ///< passes of an update
  std::int64_t templates = 0;   ///< of a sample; 0: as many as the model takes
  std::int64_t rollout = 36;    ///< stage sequences: frames that are tracked before they are trained on, at most
  bool recompute = false;       ///< activations are computed again in the backward: less memory, a fifth more time
  SamplingOptions sampling;
  AugmentOptions augment;
  OptimizerOptions optimizer;
  LossOptions loss;

  template <class F>
  void fields(F&& f) {
    f.choice("stage", stage, kStageNames);
    f.number("seed", seed, 0, 9e15);
    f.number("steps", steps, 1, 1e12);
    f.number("batch", batch, 1, 65536);
    f.number("accumulate", accumulate, 1, 65536);
    f.number("templates", templates, 0, 64);
    f.number("rollout", rollout, 8, 4096);
    f.flag("recompute", recompute);
    f.object("sampling", sampling);
    f.object("augment", augment);
    f.object("optimizer", optimizer);
    f.object("loss", loss);
  }
};

}  // namespace detrack
