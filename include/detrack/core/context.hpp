// What an operation runs on: a backend, its scratch memory, and switches.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "detrack/core/arena.hpp"
#include "detrack/core/profile.hpp"

namespace detrack {

template <class T>
class Backend;  // ops/backend.hpp

/// One stream of work: a backend and its arena. A context belongs to one thread at a time; models and weights, which
/// forward passes only read, may be shared by any number of contexts in any number of threads.
/// Made by reference_context(), plan_context() (ops/), cpu::make_context() (cpu/) and cuda::make_context() (cuda.hpp).
template <class T>
class Context {
 public:
  Context(std::shared_ptr<Backend<T>> backend, std::shared_ptr<Allocator> allocator)
      : backend_(std::move(backend)),
        allocator_(std::move(allocator)),
        arena_(std::make_unique<Arena>(allocator_)),
        side_arena_(std::make_unique<Arena>(allocator_)) {}

  Backend<T>& backend() const { return *backend_; }
  Arena& arena() const { return beside_ ? *side_arena_ : *arena_; }
  const std::shared_ptr<Allocator>& allocator() const { return allocator_; }
  Device device() const { return allocator_->device(); }

  /// What will really run, for people: "cpu: 2 threads, 512-bit vectors, float32".
  std::string describe() const { return backend_->describe(); }

  /// What work() begins may run beside what follows, until join_side(); see Backend. It has an arena of its own; whatever
  /// else it uses must stay until join_side(). If it throws, nothing of it is left running.
  template <class F>
  void run_side(F&& work) {
    const auto end = [this] {
      beside_ = false;
      backend_->end_side();
    };
    backend_->begin_side();
    beside_ = true;
    try {
      work();
    } catch (...) {
      end();
      try {
        backend_->join_side();
      } catch (...) {  // a device that fails here has failed above
      }
      throw;
    }
    end();
  }
  void join_side() { backend_->join_side(); }
  Arena& side_arena() const { return *side_arena_; }

  /// Checks scan every operation's outputs for NaN and infinity and guard the arena's blocks. Slow; for tests.
  void set_checks(bool on) {
    arena_->set_checks(on);
    side_arena_->set_checks(on);
  }
  bool checks() const { return arena_->checks(); }

  /// Not owned; nullptr switches profiling off.
  void set_profiler(Profiler* profiler) { profiler_ = profiler; }
  Profiler* profiler() const { return profiler_; }

 private:
  std::shared_ptr<Backend<T>> backend_;
  std::shared_ptr<Allocator> allocator_;
  std::unique_ptr<Arena> arena_, side_arena_;
  bool beside_ = false;
  Profiler* profiler_ = nullptr;
};

}  // namespace detrack
