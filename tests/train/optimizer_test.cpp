// Groups of parameters, learning rates over time, and what an update does with gradients.
#include "detrack/train/optimizer.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "detrack/train/schedule.hpp"

using namespace detrack;

TEST_CASE("parameter groups: what decays, what learns slowly, and what a stage trains") {
  const auto group = [](const char* name, int rank, Stage stage = Stage::pairs) {
    return parameter_group(name, rank, stage, 0.1);
  };
  CHECK(group("backbone.blocks.3.attn.qkv.weight", 2).decays);
  CHECK(group("backbone.blocks.3.attn.qkv.weight", 2).lr_factor == 0.1);
  CHECK(group("backbone.patch_embed.proj.weight", 4).decays);
  CHECK_FALSE(group("backbone.blocks.3.attn.qkv.bias", 1).decays);
  CHECK_FALSE(group("backbone.norm.weight", 1).decays);
  CHECK_FALSE(group("backbone.pos_embed_search", 3).decays);
  CHECK_FALSE(group("box.word_embed.weight", 2).decays);
  CHECK_FALSE(group("box.slot_embed", 2).decays);
  CHECK_FALSE(group("refine.time_embed", 2).decays);
  CHECK(group("backbone.pos_embed_search", 3).lr_factor == 0.1);
  CHECK(group("backbone.template_embed", 2).lr_factor == 1);
  CHECK(group("backbone.blocks.3.denoise.q.weight", 2).lr_factor == 1);
  CHECK(group("refine.layers.0.mlp.fc1.weight", 2).lr_factor == 1);
  for (const Stage stage : {Stage::pairs, Stage::sequences}) {
    CHECK_FALSE(group("iou.fc1.weight", 2, stage).trained);
    CHECK(group("box.norm.weight", 1, stage).trained);
  }
  CHECK(group("iou.fc1.weight", 2, Stage::iou).trained);
  CHECK_FALSE(group("box.word_embed.weight", 2, Stage::iou).trained);
  CHECK(group("decoder.embed.weight", 2, Stage::mae).decays);
  CHECK_FALSE(group("decoder.mask_token", 3, Stage::mae).decays);
}

TEST_CASE("schedule: warm-up, step, cosine and constant") {
  OptimizerOptions o;
  CHECK(schedule_factor(o, 0, 100) == 1);
  CHECK(schedule_factor(o, 79, 100) == 1);
  CHECK(schedule_factor(o, 80, 100) == 0.1);
  o.warmup = 10;
  CHECK(std::abs(schedule_factor(o, 0, 100) - 0.1) < 1e-15);
  CHECK(std::abs(schedule_factor(o, 4, 100) - 0.5) < 1e-15);
  CHECK(schedule_factor(o, 9, 100) == 1);
  o.schedule = "cosine";
  o.warmup = 0;
  o.drop_factor = 0.02;
  CHECK(schedule_factor(o, 0, 100) == 1);
  CHECK(std::abs(schedule_factor(o, 50, 100) - 0.51) < 1e-12);
  CHECK(std::abs(schedule_factor(o, 100, 100) - 0.02) < 1e-12);
  CHECK(std::abs(schedule_factor(o, 500, 100) - 0.02) < 1e-12);
  o.schedule = "constant";
  CHECK(schedule_factor(o, 99, 100) == 1);
}
