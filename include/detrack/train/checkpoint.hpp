// A training run on disk, as it is between two updates: everything that going on needs, in one file that is replaced whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "detrack/io/safetensors.hpp"
#include "detrack/model/config_json.hpp"
#include "detrack/model/weights_file.hpp"
#include "detrack/train/run_state_file.hpp"
#include "detrack/train/updater.hpp"

namespace detrack {

namespace detail {

/// Everything of a run under its name in the file, as things with a shape and a value, for the state dict functions.
template <class T, template <class> class Net>
struct RunTensors {
  template <class X>
  struct Item {
    View<X> value;
  };

  Updater<T, Net>& run;

  template <class F>
  void visit(F&& f) {
    run.weights().visit([&](const std::string& name, auto& p) { f("model." + name, p); });
    run.average_model().visit([&](const std::string& name, auto& p) { f("average." + name, p); });
    for (const auto& slot : run.optimizer().slots()) {
      Item<stat_t<T>> m{slot.m.reshape(slot.shape)}, v{slot.v.reshape(slot.shape)};
      f("adamw.m." + slot.name, m);
      f("adamw.v." + slot.name, v);
    }
  }
};

}  // namespace detail

/// Between an update() and the next pass(): the gradients of passes are not saved. Errors: io (with path and reason; the file
/// that was there before stays).
template <class T, template <class> class Net>
void save_checkpoint(const std::filesystem::path& path, Updater<T, Net>& run, RunState state) {
  state.step = run.step();
  state.updates = run.optimizer().updates();
  state.skipped = run.skipped();
  save_state_dict(path, detail::RunTensors<T, Net>{run},
                  {{RunState::kMetadataKey, write_fields(state).dump()}, {Config::kMetadataKey, to_json(run.config())}}, {},
                  [&](auto from, auto to) { ops::copy(run.context(), from, to); });
}

/// Between an update() and the next pass(), too. Errors: io, format, state_dict, config; the run is as it was then.
template <class T, template <class> class Net>
RunState load_checkpoint(const std::filesystem::path& path, Updater<T, Net>& run) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  const RunState state = read_run_state(file);
  load_state_dict(file, detail::RunTensors<T, Net>{run}, {},
                  [&](auto to, auto from) { ops::copy(run.context(), from, to); });
  run.round_weights();
  run.set_progress(state.step, state.skipped);
  run.optimizer().set_updates(state.updates);
  return state;
}

}  // namespace detrack
