// What the tools ask of whole models, behind an interface that names none: models are most of what there is to compile.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "detrack/core/dtype.hpp"
#include "detrack/io/import_vit.hpp"
#include "detrack/io/weights_file.hpp"
#include "detrack/model/config.hpp"

namespace detrack::program {

/// The configuration in a file's metadata. Errors: config, naming file and field, or that there is none.
Config model_config(const WeightsFile& file);

/// FLOPs of one forward pass with all templates and the boxes that the tracker gives, and a judgement of the box.
double forward_flops(const Config& config);

struct InitOptions {
  std::uint64_t seed = 0;
  std::optional<DType> dtype;
  bool allow_depth = false;
};

/// Writes a model of this configuration whose backbone is the file's transformer and whose rest is initialised.
/// Errors: those of import_vit and save_model.
ImportReport init_model(const Config& config, const WeightsFile& vit, const std::filesystem::path& out,
                        const InitOptions& options);

}  // namespace detrack::program
