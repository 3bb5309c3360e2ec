// The one place of the tools that knows whole models.
#include "weights_tools/support/models.hpp"

#include <filesystem>

#include "detrack/model/initialise.hpp"
#include "detrack/model/plan.hpp"
#include "detrack/model/weights_file.hpp"

namespace detrack::program {

Config model_config(const WeightsFile& file) {
  return read_config(file);
}

double forward_flops(const Config& config) {
  return plan<float>(config, RunShape::of(config)).cost.flops;
}

ImportReport init_model(const Config& config, const WeightsFile& vit, const std::filesystem::path& out,
                        const InitOptions& options) {
  DeTrack<float> model(config);
  ImportReport report = import_vit(vit, model, {.allow_depth = options.allow_depth});
  initialise(model, options.seed, report);
  save_model(out, model, options.dtype);
  return report;
}

}  // namespace detrack::program
