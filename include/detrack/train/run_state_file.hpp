// Where a training run stands, from its checkpoint, without its tensors.
#pragma once

#include <filesystem>

#include "detrack/io/json.hpp"
#include "detrack/io/json_fields.hpp"
#include "detrack/io/safetensors_file.hpp"
#include "detrack/train/run_state.hpp"

namespace detrack {

/// Errors: format (no checkpoint), config (its fields).
inline RunState read_run_state(const SafetensorsFile& file) {
  const auto found = file.metadata().find(RunState::kMetadataKey);
  if (found == file.metadata().end())
    fail(ErrorCode::format, file.path(), ": expected the state of a training run in its metadata, got none");
  RunState state;
  read_fields(nlohmann::json::parse(found->second, nullptr, false), state, file.path());
  return state;
}

/// The same. Errors: io as well.
inline RunState read_run_state(const std::filesystem::path& path) {
  return read_run_state(SafetensorsFile::open(path));
}

}  // namespace detrack
