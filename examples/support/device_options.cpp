// Where networks run: the one place where programs know of CUDA.
#include "examples/support/device_options.hpp"

#include <CLI/CLI.hpp>

#include "detrack/track/model_network.hpp"
#ifdef DETRACK_WITH_CUDA
#include "detrack/cuda.hpp"
#endif

namespace detrack::program {

void DeviceOptions::add_to(CLI::App& app) {
  app.add_option("--device", device_, "Where the network runs: cpu or cuda")->capture_default_str();
  app.add_option("--precision", precision_,
                 "f32 (default on cpu), bf16 (default on cuda), or int8 (cpu, tracking alone). On cpu they concern matrix "
                 "products alone; bf16 pays on AMD's processors with AVX512-BF16, int8 on all with VNNI")
      ->check(CLI::IsMember({"f32", "bf16", "int8"}));
  app.add_option("--threads", threads_, "CPU threads; 0: all of the machine's")->capture_default_str();
}

void DeviceOptions::check() const {
  if (device_ != "cpu" && device_ != "cuda") fail(ErrorCode::argument, "--device: expected cpu or cuda, got ", device_);
  if (cuda() && precision_ == "int8") fail(ErrorCode::argument, "--precision int8: expected --device cpu, got cuda");
#ifndef DETRACK_WITH_CUDA
  if (cuda())
    fail(ErrorCode::not_available,
         "--device cuda: this program was built without the CUDA backend; use --device cpu, or the "
         "preset cuda");
#endif
}

cpu::Products DeviceOptions::products() const {
  if (precision_ == "bf16") return cpu::Products::bfloat16;
  return precision_ == "int8" ? cpu::Products::int8 : cpu::Products::full;
}

std::string DeviceOptions::text() const {
  if (cuda()) return bf16() ? "cuda" : "cuda f32";
  return products() == cpu::Products::full ? "cpu" : "cpu " + precision_;
}

template <>
Context<float> make_context(const DeviceOptions& options) {
  options.check();
#ifdef DETRACK_WITH_CUDA
  if (options.cuda()) return cuda::make_context<float>();
#endif
  return cpu::make_context<float>({.threads = options.threads(), .products = options.products()});
}

#ifdef DETRACK_WITH_CUDA
template <>
Context<bfloat16> make_context(const DeviceOptions& options) {
  options.check();
  return cuda::make_context<bfloat16>();
}
#endif

std::shared_ptr<const Network> DeviceOptions::network(DeTrack<float> model) const {
  check();
#ifdef DETRACK_WITH_CUDA
  if (cuda()) return bf16() ? cuda::network<bfloat16>(model) : cuda::network<float>(model);
#endif
  return cpu_network(std::move(model), products());
}

}  // namespace detrack::program
