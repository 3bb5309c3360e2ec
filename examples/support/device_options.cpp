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
  app.add_option("--precision", precision_, "f32, or bf16 (on cuda, where it is the default)")
      ->check(CLI::IsMember({"f32", "bf16"}));
  app.add_option("--threads", threads_, "CPU threads; 0: all of the machine's")->capture_default_str();
}

void DeviceOptions::check() const {
  if (device_ != "cpu" && device_ != "cuda") fail(ErrorCode::argument, "--device: expected cpu or cuda, got ", device_);
  if (device_ == "cpu" && precision_ == "bf16")
    fail(ErrorCode::argument, "--precision bf16: expected --device cuda, got cpu");
#ifndef DETRACK_WITH_CUDA
  if (cuda())
    fail(ErrorCode::not_available,
         "--device cuda: this program was built without the CUDA backend; use --device cpu, or the "
         "preset cuda");
#endif
}

template <>
Context<float> make_context(const DeviceOptions& options) {
  options.check();
#ifdef DETRACK_WITH_CUDA
  if (options.cuda()) return cuda::make_context<float>();
#endif
  return cpu::make_context<float>({.threads = options.threads()});
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
  return cpu_network(std::move(model));
}

}  // namespace detrack::program
