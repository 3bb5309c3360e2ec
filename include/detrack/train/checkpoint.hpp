// A training run on disk: everything that going on needs, in one file that is replaced whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "detrack/io/safetensors.hpp"
#include "detrack/model/weights_file.hpp"
#include "detrack/train/trainer.hpp"

namespace detrack {

/// Where a run stands, beside its tensors. Random numbers and samples follow from the step.
struct RunState {
  static constexpr const char* kMetadataKey = "detrack.run";

  std::int64_t step = 0, updates = 0, skipped = 0;
  double best_score = -1;  ///< of the validations so far; -1: none
  std::int64_t best_step = 0;
  double seconds = 0;   ///< of training, over all interruptions
  std::string options;  ///< JSON; a run goes on only with the options it was begun with

  template <class F>
  void fields(F&& f) {
    f.number("step", step, 0, 9e15);
    f.number("updates", updates, 0, 9e15);
    f.number("skipped", skipped, 0, 9e15);
    f.number("best_score", best_score, -1e9, 1e9);
    f.number("best_step", best_step, 0, 9e15);
    f.number("seconds", seconds, 0, 1e12);
    f.text("options", options);
  }
};

namespace detail {

/// Everything of a run under its name in the file, as things with a shape and a value, for the state dict functions.
template <class T>
struct RunTensors {
  template <class X>
  struct Item {
    View<X> value;
  };

  Trainer<T>& trainer;

  template <class F>
  void visit(F&& f) {
    trainer.model().visit([&](const std::string& name, auto& p) { f("model." + name, p); });
    trainer.average_model().visit([&](const std::string& name, auto& p) { f("average." + name, p); });
    for (const auto& slot : trainer.optimizer().slots()) {
      Item<stat_t<T>> m{slot.m.reshape(slot.shape)}, v{slot.v.reshape(slot.shape)};
      f("adamw.m." + slot.name, m);
      f("adamw.v." + slot.name, v);
    }
  }
};

}  // namespace detail

/// Errors: io (with path and reason; the file that was there before stays).
template <class T>
void save_checkpoint(const std::filesystem::path& path, Trainer<T>& trainer, RunState state) {
  state.step = trainer.step();
  state.updates = trainer.optimizer().updates();
  state.skipped = trainer.skipped();
  save_state_dict(path, detail::RunTensors<T>{trainer},
                  {{RunState::kMetadataKey, write_fields(state).dump()}, {Config::kMetadataKey, to_json(trainer.config())}});
}

/// Errors: io, format, state_dict, config; the trainer is as it was then.
template <class T>
RunState load_checkpoint(const std::filesystem::path& path, Trainer<T>& trainer) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  const auto found = file.metadata().find(RunState::kMetadataKey);
  if (found == file.metadata().end())
    fail(ErrorCode::format, path.string(), ": expected the state of a training run in its metadata, got none");
  RunState state;
  read_fields(nlohmann::json::parse(found->second, nullptr, false), state, path.string());
  load_state_dict(file, detail::RunTensors<T>{trainer});
  trainer.set_progress(state.step, state.skipped);
  trainer.optimizer().set_updates(state.updates);
  return state;
}

}  // namespace detrack
