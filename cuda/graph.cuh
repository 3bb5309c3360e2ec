// Work captured into a CUDA graph, and work that runs beside other work.
#pragma once

#include <functional>
#include <memory>

#include "cuda/stream.cuh"
#include "detrack/ops/backend.hpp"

namespace detrack::cuda {

/// A point in a stream's work that another stream can wait for.
class Event {
 public:
  Event() { check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "making an event"); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { cudaEventDestroy(event_); }

  void record(const Stream& stream) { check(cudaEventRecord(event_, stream.get()), "recording an event"); }
  void hold(const Stream& stream) { check(cudaStreamWaitEvent(stream.get(), event_, 0), "waiting for an event"); }

 private:
  cudaEvent_t event_ = nullptr;
};

class GraphRecording final : public Recording {
 public:
  /// Everything that `work` launches on the stream, and on streams that join it, without running it. Errors: cuda; those of
  /// `work`.
  GraphRecording(const Stream& stream, const std::function<void()>& work) : stream_(&stream) {
    check(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal), "beginning a capture");
    try {
      work();
    } catch (...) {
      cudaGraph_t half = nullptr;
      cudaStreamEndCapture(stream.get(), &half);
      if (half) cudaGraphDestroy(half);
      cudaGetLastError();
      throw;
    }
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(stream.get(), &graph), "ending a capture");
    const cudaError_t made = cudaGraphInstantiate(&exec_, graph, 0);
    cudaGraphDestroy(graph);
    check(made, "making a graph of a capture");
  }
  GraphRecording(const GraphRecording&) = delete;
  GraphRecording& operator=(const GraphRecording&) = delete;
  ~GraphRecording() override { cudaGraphExecDestroy(exec_); }

  void replay() override { check(cudaGraphLaunch(exec_, stream_->get()), "launching a graph"); }

 private:
  const Stream* stream_;
  cudaGraphExec_t exec_ = nullptr;
};

}  // namespace detrack::cuda
