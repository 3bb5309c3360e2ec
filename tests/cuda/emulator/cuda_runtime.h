// As much of the CUDA runtime as detrack's backend uses, on the CPU: device memory is host memory, a launch runs the grid at
// once (or, while a stream is captured, when its graph is launched). It is how kernels are tested where there is no GPU.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <tuple>
#include <utility>
#include <vector>

#include "device_memory.hpp"
#include "fiber.hpp"

// ---- The language ----------------------------------------------------------------------------------------------------
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __shared__ static

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};

inline void __syncthreads() {
  ::detrack::emulator::Grid::current()->block_barrier();
}
inline void __syncwarp(unsigned = 0xffffffffu) {
  ::detrack::emulator::Grid::current()->warp_barrier();
}

namespace detrack::emulator {

template <class T>
T read_lane(T value, unsigned source) {
  Grid& grid = *Grid::current();
  unsigned set = 0;
  const Warp& warp = grid.exchange(&value, sizeof(T), set);
  if (source < kWarp && warp.brought[set][source] == grid.thread().exchanges)
    std::memcpy(&value, warp.slots[set][source], sizeof(T));
  return value;
}

}  // namespace detrack::emulator

template <class T>
T __shfl_xor_sync(unsigned, T value, int mask, int = 32) {
  return ::detrack::emulator::read_lane(value, ::detrack::emulator::Grid::current()->lane() ^ unsigned(mask));
}
inline unsigned __ballot_sync(unsigned, int predicate) {
  ::detrack::emulator::Grid& grid = *::detrack::emulator::Grid::current();
  unsigned set = 0, votes = 0;
  const auto& warp = grid.exchange(&predicate, sizeof predicate, set);
  for (unsigned lane = 0; lane < ::detrack::emulator::kWarp; ++lane) {
    int vote = 0;
    std::memcpy(&vote, warp.slots[set][lane], sizeof vote);
    if (warp.brought[set][lane] == grid.thread().exchanges && vote) votes |= 1u << lane;
  }
  return votes;
}

inline int __popc(unsigned bits) {
  return std::popcount(bits);
}
inline float __uint_as_float(unsigned bits) {
  return std::bit_cast<float>(bits);
}

// ---- The runtime -----------------------------------------------------------------------------------------------------
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorLaunchFailure = 719,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureUnjoined = 904
};
inline const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
    case cudaErrorStreamCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureUnjoined: return "cudaErrorStreamCaptureUnjoined";
  }
  return "?";
}
inline const char* cudaGetErrorString(cudaError_t error) {
  return cudaGetErrorName(error);
}

namespace detrack::emulator {

/// What tests set and read.
struct Machine {
  int devices = 1;
  Order order = Order::forward;
  std::size_t free_memory = std::size_t(1) << 40;  ///< allocations beyond fail
  bool fail_launches = false;
  const char* problem = nullptr;  ///< of the last launch that went wrong
  long allocations = 0, launches = 0, graph_launches = 0;
  cudaError_t last_error = cudaSuccess;
};
inline Machine& machine() {
  static Machine m;
  return m;
}

struct StreamData;
struct GraphData {
  std::vector<std::function<cudaError_t()>> nodes;
  std::vector<StreamData*> joined;  ///< streams that an event of the capture drew into it
};
struct StreamData {
  GraphData* capture = nullptr;
  bool unjoined = false;  ///< it was drawn into a capture, and no stream has waited for its work since
};

inline cudaError_t fail(cudaError_t error) {
  if (error != cudaSuccess) machine().last_error = error;
  return error;
}
inline cudaError_t submit(StreamData* stream, std::function<cudaError_t()> work) {
  if (stream && stream->capture) {
    stream->capture->nodes.push_back(std::move(work));
    for (StreamData* joined : stream->capture->joined)
      if (joined == stream) stream->unjoined = true;
    return cudaSuccess;
  }
  return fail(work());
}

}  // namespace detrack::emulator

using cudaStream_t = detrack::emulator::StreamData*;
using cudaGraph_t = detrack::emulator::GraphData*;
using cudaGraphExec_t = detrack::emulator::GraphData*;
struct EmulatedEvent {
  detrack::emulator::StreamData* stream = nullptr;
  detrack::emulator::GraphData* capture = nullptr;
};
using cudaEvent_t = EmulatedEvent*;

enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3, cudaMemcpyDefault = 4 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal = 0, cudaStreamCaptureModeThreadLocal = 1, cudaStreamCaptureModeRelaxed = 2 };
enum cudaStreamCaptureStatus { cudaStreamCaptureStatusNone = 0, cudaStreamCaptureStatusActive = 1 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
inline constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2;
struct cudaDeviceProp {
  char name[256];
  std::size_t totalGlobalMem;
  int major, minor, multiProcessorCount;
};
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
  void* attrs = nullptr;
  unsigned numAttrs = 0;
};

inline cudaError_t cudaGetDeviceCount(int* count) {
  *count = detrack::emulator::machine().devices;
  return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}
inline cudaError_t cudaSetDevice(int device) {
  return device < detrack::emulator::machine().devices ? cudaSuccess : cudaErrorInvalidDevice;
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* prop, int) {
  *prop = {};
  std::strcpy(prop->name, "emulated GPU");
  prop->totalGlobalMem = std::size_t(1) << 34;
  prop->major = 9, prop->minor = 0, prop->multiProcessorCount = 4;
  return cudaSuccess;
}
inline cudaError_t cudaGetLastError() {
  return std::exchange(detrack::emulator::machine().last_error, cudaSuccess);
}
inline cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  auto& m = detrack::emulator::machine();
  *memory = bytes <= m.free_memory ? detrack::emulator::allocate_device_memory(bytes) : nullptr;
  if (!*memory) return detrack::emulator::fail(cudaErrorMemoryAllocation);
  ++m.allocations;
  return cudaSuccess;
}
inline cudaError_t cudaFree(void* memory) {
  detrack::emulator::free_device_memory(memory);
  return cudaSuccess;
}
inline cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
  *memory = std::malloc(bytes);
  return *memory ? cudaSuccess : detrack::emulator::fail(cudaErrorMemoryAllocation);
}
inline cudaError_t cudaFreeHost(void* memory) {
  std::free(memory);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t stream = nullptr) {
  return detrack::emulator::submit(stream, [=] {
    const detrack::emulator::DeviceAccess access;
    std::memmove(to, from, bytes);
    return cudaSuccess;
  });
}
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new detrack::emulator::StreamData;
  return cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}
/// A stream that is being captured cannot be waited for.
inline cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return stream && stream->capture ? detrack::emulator::fail(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new EmulatedEvent;
  return cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->stream = stream;
  event->capture = stream ? stream->capture : nullptr;
  return cudaSuccess;
}
/// Waiting for an event of a capture draws a stream into it. (Work runs in the order in which it was submitted.)
inline cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  if (!event->capture) return cudaSuccess;
  if (stream->capture && stream->capture != event->capture) return detrack::emulator::fail(cudaErrorStreamCaptureUnsupported);
  if (!stream->capture) {
    stream->capture = event->capture;
    stream->capture->joined.push_back(stream);
  }
  event->stream->unjoined = false;
  return cudaSuccess;
}
template <class... P>
cudaError_t cudaFuncSetAttribute(void (*)(P...), cudaFuncAttribute, int value) {
  return value <= 232448 ? cudaSuccess : detrack::emulator::fail(cudaErrorInvalidValue);
}
template <class... P, class... A>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(P...), A&&... arguments) {
  using namespace detrack::emulator;
  const dim3 g = config->gridDim, b = config->blockDim;
  const unsigned threads = b.x * b.y * b.z;
  const bool possible = g.x > 0 && g.y > 0 && g.z > 0 && g.y < 65536 && g.z < 65536 && threads > 0 && threads <= 1024 &&
                        config->dynamicSmemBytes <= 232448;
  if (!possible) return fail(cudaErrorInvalidValue);
  std::tuple<std::decay_t<P>...> values(std::forward<A>(arguments)...);
  return submit(config->stream, [=, shared = config->dynamicSmemBytes] {
    Machine& m = machine();
    ++m.launches;
    if (m.fail_launches) return cudaErrorLaunchFailure;
    const Index size{g.x, g.y, g.z}, block{b.x, b.y, b.z};
    const DeviceAccess access;
    Grid grid(size, block, shared, m.order);
    const char* problem = grid.run([&] { std::apply(kernel, values); });
    if (problem) m.problem = problem;
    return problem ? cudaErrorLaunchFailure : cudaSuccess;
  });
}
inline cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  stream->capture = new detrack::emulator::GraphData;
  return cudaSuccess;
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = std::exchange(stream->capture, nullptr);
  if (!*graph) return detrack::emulator::fail(cudaErrorInvalidValue);
  bool unjoined = false;
  for (auto* joined : (*graph)->joined) {
    unjoined = unjoined || joined->unjoined;
    joined->capture = nullptr, joined->unjoined = false;
  }
  if (!unjoined) return cudaSuccess;
  delete std::exchange(*graph, nullptr);
  return detrack::emulator::fail(cudaErrorStreamCaptureUnjoined);
}
inline cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  *status = stream->capture ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new detrack::emulator::GraphData(*graph);
  return cudaSuccess;
}
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t) {
  ++detrack::emulator::machine().graph_launches;
  for (const auto& node : exec->nodes)
    if (const cudaError_t error = node(); error != cudaSuccess) return detrack::emulator::fail(error);
  return cudaSuccess;
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
