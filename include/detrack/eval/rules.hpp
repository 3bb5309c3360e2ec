// How each protocol and convention reads its scores off the curves, as data and as sentences.
#pragma once

#include <string>
#include <vector>

#include "detrack/eval/convention.hpp"
#include "detrack/eval/evaluation.hpp"
#include "detrack/eval/metrics.hpp"

namespace detrack {

/// How one number stands for a curve.
enum class Reading {
  mean,  ///< mean of its points
  area,  ///< area by the trapezoid rule, its thresholds spread over a unit axis
  at_20  ///< its 21st point: 20 pixels, 0.20 target sizes
};

struct Rules {
  Protocol protocol = Protocol::otb;
  Convention convention = Convention::toolkit;
  Thresholds thresholds;
  Hit success_hit = Hit::above;
  Reading success = Reading::mean, precision = Reading::at_20, norm_precision = Reading::at_20;
  bool frame_weighted = false;       ///< overall scores of all frames together, not means over sequences
  bool missing_is_zeros = false;     ///< a sequence without a result is scored as if all its boxes were zeros
  std::vector<std::string> choices;  ///< all of this, and what score_frames() does, as sentences
};

namespace detail {

inline Rules toolkit_rules(Protocol protocol) {
  Rules rules;
  rules.thresholds = {linspace(0, 1, 21), linspace(0, 50, 51), linspace(0, 0.5, 51)};
  rules.norm_precision = Reading::mean;
  if (protocol == Protocol::got10k) {
    rules.thresholds.success = linspace(0, 1, 101);
    rules.frame_weighted = true;
    rules.choices = {
        "Frame 0 (the given box) is left out of all scores.",
        "Frames with cover 0 and frames without truth are left out.",
        "Boxes and truth are bounded to the frame before overlaps are computed, where the frame's size is known.",
        "Overall scores are over all frames together, repetitions included; longer sequences weigh more.",
        "AUC: mean of 101 points of the success curve, overlap > 0, 0.01, ..., 1.",
        "Precision (centre error <= 20 px) and normalised precision (mean of 51 points, <= 0, 0.01, ..., 0.5 of the "
        "target's sides, at least 1 px) are no part of GOT-10k: computed on the same frames, boxes not bounded.",
        "A result with too few lines misses the last frames, one with too many is cut (the toolkit refuses both).",
        "A box that is not finite is a miss of overlap 0 (the toolkit's average would be NaN).",
    };
    return rules;
  }
  rules.choices = {
      "Frame 0 counts, its box replaced by the truth.",
      "Frames without truth are left out; flags of visibility are not used; truth without area is a miss.",
      "Boxes are not bounded to the frame.",
      "AUC: mean of 21 points of the success curve, overlap > 0, 0.05, ..., 1.",
      "Precision: centre error <= 20 px, centres at x + (w - 1) / 2.",
      "Normalised precision: mean of 51 points, centre error <= 0, 0.01, ..., 0.5 of the target's sides, at least 1 px.",
      "Overall scores are means over sequences.",
      "Results and truth of different lengths are cut to the shorter.",
      "A box that is not finite is a miss.",
  };
  return rules;
}

inline Rules trackingnet_rules() {
  Rules rules;
  rules.thresholds = {linspace(0, 1, 21), linspace(0, 50, 21), linspace(0, 0.5, 21)};
  rules.success_hit = Hit::at_least;
  rules.success = rules.precision = rules.norm_precision = Reading::area;
  rules.missing_is_zeros = true;
  rules.choices = {
      "Boxes and truth are rounded to whole pixels, halves to even.",
      "Frame 0 counts, its box replaced by the truth; frames without truth are left out.",
      "AUC: area under 21 points of the success curve, overlap >= 0, 0.05, ..., 1, by the trapezoid rule.",
      "Precision: area under 21 points, centre error <= 0, 2.5, ..., 50 px, over a unit axis.",
      "Normalised precision: area under 21 points, <= 0, 0.025, ..., 0.5 of the target's sides, over a unit axis.",
      "Overall scores are means over sequences.",
      "A frame without a line, or with a box that is not finite, is a miss; lines beyond the truth are cut.",
      "A sequence without a result is scored as boxes of zeros.",
  };
  return rules;
}

inline Rules pytracking_rules(Protocol protocol, Convention convention) {
  Rules rules;
  rules.thresholds = {linspace(0, 1, 21), fractions(51, 1), fractions(51, 100)};
  rules.choices = {
      "Frame 0 counts, its box replaced by the truth.",
      convention == Convention::ostrack
          ? "Truth is valid where w and h are above 0 and the target is neither fully occluded nor out of view."
          : "Truth is valid where x, y, w and h are all above 0 and the target is neither fully occluded nor out of view.",
      "All frames are in the denominators: frames without valid truth are misses in success and precision.",
      protocol == Protocol::lasot ? "In normalised precision frames with the target hidden or without finite truth are "
                                    "misses, other invalid ones hits."
                                  : "In normalised precision frames without valid truth count as hits.",
      "Truth that is not finite is not valid truth (pytracking refuses it, UAV123 apart).",
      "AUC: mean of 21 points of the success curve, overlap > 0, 0.05, ..., 1.",
      "Precision: centre error <= 20 px, centres at x + (w - 1) / 2.",
      "Normalised precision: centre error <= 0.20 of the target's sides.",
      "Overall scores are means over sequences.",
      "A box with a side of 0 is replaced by that of the frame before.",
      "A result with too many lines is cut; frames without a line get a box of zeros (on LaSOT pytracking refuses these).",
      "A box that is not finite or has a negative side is a miss (pytracking refuses it).",
  };
  return rules;
}

}  // namespace detail

inline Rules rules_of(Protocol protocol, Convention convention) {
  Rules rules = convention != Convention::toolkit   ? detail::pytracking_rules(protocol, convention)
                : protocol == Protocol::trackingnet ? detail::trackingnet_rules()
                                                    : detail::toolkit_rules(protocol);
  rules.protocol = protocol;
  rules.convention = convention;
  const bool cover = protocol == Protocol::got10k;
  rules.choices.push_back(
      std::string("AO, SR50, SR75: mean overlap, share of overlaps > 0.5 and > 0.75, frame 0 and frames ") +
      "without valid truth left out; overall " + (cover ? "over all frames together." : "means over sequences."));
  rules.choices.push_back(
      "FPS: 1 / mean seconds of update; the first time of a sequence (init) and times that are not above 0 are left out; "
      "overall over all frames together.");
  rules.choices.push_back(
      "Boxes are scored as the result files have them; pytracking writes them truncated to whole pixels.");
  return rules;
}

}  // namespace detrack
